"""Warnings about pixels that show no scene: of one colour, almost black, or all transparent."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_SAMPLE = 20_000  # pixels that are looked at first
_LEAST_SPREAD = 1.0  # standard deviation of 255; a camera's noise on a white wall has more
_BLACK = 16  # of 255: the brightest value of 12-bit data in 16 bits
_DEEP_BLACK = 64  # of 14-bit data
_BLACKEST = 4  # of 10-bit data
_HOT = 1e-4  # share of a sensor's pixels that may be stuck at white
_VISIBLE = 64  # of 255: alpha from which a scene is still seen on the white page
_LEAST_VISIBLE = 0.05  # share of such pixels; cut-outs have more
_FEWEST = 16  # pixels; fewer may well have one colour
_BLOCK_PIXELS = 500_000


def pixel_warnings(
    pixels: UInt8[np.ndarray, "h w 3"], *, deep: bool = False, image: Image.Image | None = None
) -> tuple[str, ...]:
    """Reasons to doubt that the pixels show a scene, at most one.

    Args:
        pixels: the photo as the network sees it.
        deep: whether the pixels had 16 bits per channel before they were reduced to 8.
        image: the decoded image that they come from; its transparency explains a white page.
    """
    if pixels.shape[0] * pixels.shape[1] < _FEWEST:
        return ()
    if image is not None and _hardly_visible(image):
        return (
            "the photo is transparent everywhere or almost, so it is a white page; save it without "
            "its alpha channel",
        )
    step = max(1, round((pixels.shape[0] * pixels.shape[1] / _SAMPLE) ** 0.5))
    sample = pixels[::step, ::step]
    if deep and (bits := _bits_of_dark(pixels, sample, image)):
        fewer = " (10-bit data by 64)" if pixels.max() <= _BLACKEST else ""
        return (
            f"the photo has 16 bits per channel, but (almost) all values are below {1 << bits}, "
            f"so it is almost black; multiply {bits}-bit data by {1 << 16 - bits}{fewer}; a depth "
            "map is not a photo",
        )
    if sample.max() <= _BLACK and 0 < (brightest := int(pixels.max())) <= _BLACK:
        return (f"the photo is almost black: its brightest value is {brightest} of 255",)
    if sample.std(axis=(0, 1)).max() < _LEAST_SPREAD and _spread(pixels) < _LEAST_SPREAD:
        if image is not None and _is_transparent(image):
            return (
                "the photo is transparent everywhere, so it is a white page; save it without its "
                "alpha channel",
            )
        colour = ", ".join(str(value) for value in pixels[pixels.shape[0] // 2, 0])
        return (f"the photo has hardly more than one colour ({colour}); its depths mean nothing",)
    return ()


def _bits_of_dark(
    pixels: UInt8[np.ndarray, "h w 3"],
    sample: UInt8[np.ndarray, "h2 w2 3"],
    image: Image.Image | None,
) -> int:
    """Bits of data of at most 14 bits in a photo of 16; 0 for any other photo.

    Sensors have a few pixels that are stuck at white, which do not count.
    """
    if _share_above(sample, _DEEP_BLACK) > 10 * _HOT:  # a sample may catch more of them
        return 0
    if not pixels.any() and (image is None or not any(np.ravel(image.getextrema()))):
        return 0
    for bits, brightest in ((12, _BLACK), (14, _DEEP_BLACK)):
        if _share_above(pixels, brightest) <= _HOT:
            return bits
    return 0


def _share_above(pixels: UInt8[np.ndarray, "h2 w2 3"], value: int) -> float:
    """Share of the values above `value`, counted by rows, because masks take memory."""
    return sum(int(np.count_nonzero(row > value)) for row in pixels) / pixels.size


def _hardly_visible(image: Image.Image) -> bool:
    """True if almost all pixels are so transparent that only the white page below is seen."""
    if image.getbands()[-1] not in ("A", "a"):
        return False
    alpha = image.histogram()[-256:]
    return sum(alpha[_VISIBLE:]) < _LEAST_VISIBLE * sum(alpha)


def _is_transparent(image: Image.Image) -> bool:
    """True if an image of one colour is so because its colour is transparent."""
    if not image.has_transparency_data:
        return False
    return image.convert("RGBA").getchannel("A").getextrema() == (0, 0)


def _spread(pixels: UInt8[np.ndarray, "h w 3"]) -> float:
    """Largest standard deviation of a channel, in blocks, because squares take memory."""
    total, squares = np.zeros(3), np.zeros(3)
    flat = pixels.reshape(-1, 3)
    for start in range(0, len(flat), _BLOCK_PIXELS):
        block = flat[start : start + _BLOCK_PIXELS]
        total += block.sum(axis=0, dtype=np.int64)
        squares += np.square(block, dtype=np.uint32).sum(axis=0, dtype=np.int64)
    variance = squares / len(flat) - np.square(total / len(flat))
    return float(np.sqrt(max(0.0, variance.max())))
