"""Prediction of the memory that a photo takes, from its header and before it is decoded.

All of the arithmetic is here; `tests/photos/test_photo_peaks.py` compares it with what processes
really took. The numbers are bytes per pixel of Pillow's decoders and of this package's own steps.
"""

from spd.config import PATCH
from spd.pixels import Size

BLOCK_PIXELS = 2_000_000
"""Pixels that are converted together."""

_IMAGE = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # others take 4
_DECODER = {
    "WEBP": 13.0,
    "AVIF": 18.0,
    "HEIF": 24.0,
    "JPEG2000": 22.0,
    "GIF": 5.0,
    "TIFF": 2.0,
    "QOI": 16.0,
    "BMP": 4.0,
    "DIB": 4.0,
}
"""Bytes per pixel that a decoder holds beside Pillow's image; 0 if it decodes row by row."""
_JUMP_ROWS = 256  # that one instruction of a run-length coded BMP can skip
_LINE = 12  # of each row of Pillow's images: a pointer and padding
_PIXELS = 3
_BLOCK = 24  # of a block that is converted: the cut, its conversions, and their bytes twice
_RESAMPLE = 9  # a padded copy of the pixels, and Pillow's image of it
_POINTER = 8  # to each row of a Pillow image; without filling where rows are short
_WEIGHT = 16  # of the filter, for each pixel of a side: every one counts in about two sums
_FREE_BYTES = 24_000_000  # that any photo may take, however small
_PEER = 48  # float pixels and their normalised copies, or a map and its enlargement
_MAP = 32  # a map of every pixel: coordinates in blocks, and temporary maps
_ATTENTION = {"onnxruntime": 2.3}  # copies of all attention scores; others never hold them all
_ENCODE = {"openvino": 3.0}  # factor on the activations


def photo_bytes(
    size: Size, mode: str, form: str | None, *, turned: bool = True, held_bytes: int = 0
) -> int:
    """Most memory that decoding a photo and resampling it adds to the process.

    Args:
        size: (height, width) of the photo.
        mode: Pillow's name of its pixel format.
        form: Pillow's name of its file format; None for an image that is in memory.
        turned: whether EXIF may turn it.
        held_bytes: what `check_structure` returned.
    """
    height, width = size
    pixels = width * height
    shown = _IMAGE.get(mode, 4)
    decoding = (shown + _DECODER.get(form or "", 0.0)) * pixels + held_bytes
    if form in ("BMP", "DIB"):
        decoding += _JUMP_ROWS * width
    converting = (shown * (2 if turned else 1) + _PIXELS) * pixels
    rows = max(size) if turned else height
    block = _BLOCK * min(pixels, BLOCK_PIXELS)
    reading = max(decoding, converting) + 2 * _LINE * rows + block + _FREE_BYTES
    return int(max(reading, resample_bytes((rows, pixels // rows))))


def resample_bytes(size: Size, padded_px: int = 0) -> int:
    """Most memory of a photo while it is resampled, itself included.

    Args:
        size: (height, width) of the photo.
        padded_px: its pixels with the repeated borders (`padded_pixels`), if they are known.
    """
    pixels = size[0] * size[1]
    lines = _POINTER * size[0] + _WEIGHT * max(size)
    return _PIXELS * pixels + _RESAMPLE * max(pixels, padded_px) + lines + _FREE_BYTES


def peer_bytes(size: Size) -> int:
    """Most memory of a photo's preparation for a published network, and of its map.

    The network itself is not counted: it takes as much for every photo.
    """
    return _PEER * size[0] * size[1] + _FREE_BYTES


def map_bytes(size: Size) -> int:
    """Most memory that a map of every pixel of a photo of `size` adds."""
    return _MAP * size[0] * size[1]


def encode_bytes(size: Size, count: int, *, hidden: int, heads: int, dim: int, runtime: str) -> int:
    """Most memory that encoding adds to a process that has encoded before.

    Args:
        size: (height, width) of the network's input.
        count: inputs that are encoded together.
        hidden: width of the encoder.
        heads: its attention heads.
        dim: channels of the feature maps.
        runtime: `torch`, `onnxruntime` or `openvino`.
    """
    tokens = (size[0] // PATCH) * (size[1] // PATCH) + 1
    scores = 4 * heads * tokens * tokens * _ATTENTION.get(runtime, 0.0)
    activations = 4 * tokens * (5 * 16 * dim + 12 * hidden) * _ENCODE.get(runtime, 1.0)
    pixels = (3 + 2 * 12) * size[0] * size[1]
    return int(count * (scores + activations + pixels))
