"""Warnings about pixels that show no scene: of one colour, almost black, or all transparent."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_SAMPLE = 20_000  # pixels that are looked at first
_LEAST_SPREAD = 1.0  # standard deviation of 255; a camera's noise on a white wall has more
_BLACK = 16  # of 255: the brightest value of 12-bit data in 16 bits
_DEEP_BLACK = 64  # of 14-bit data
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
    step = max(1, round((pixels.shape[0] * pixels.shape[1] / _SAMPLE) ** 0.5))
    sample = pixels[::step, ::step]
    if sample.max() <= _DEEP_BLACK:  # rare, so the whole photo is looked at
        brightest = int(pixels.max())
        if deep and 0 < brightest <= _DEEP_BLACK:
            bits = 12 if brightest <= _BLACK else 14
            return (
                f"the photo has 16 bits per channel, but all values are below {1 << bits}, so "
                f"it is almost black; multiply {bits}-bit data by {1 << 16 - bits}; a depth map is "
                "not a photo",
            )
        if 0 < brightest <= _BLACK:
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


def _is_transparent(image: Image.Image) -> bool:
    """True if all pixels of an image are transparent."""
    if not image.has_transparency_data:
        return False
    bands = image.getbands()
    if bands[-1] in ("A", "a"):
        return image.getchannel(bands[-1]).getextrema() == (0, 0)
    return image.convert("RGBA").getchannel("A").getextrema() == (0, 0)  # a transparent colour


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
