"""Resampling of photos to the model's pixels per radian."""

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image

if TYPE_CHECKING:  # at run time this would import torch, which reading a photo does not need
    from spd.pixels import Size

_MOST_PADDING = 1.25  # limit of padded pixels per image pixel; only very oblong images exceed it
_FREE_PADDING_PX = 16_000_000


def resample(
    image: UInt8[np.ndarray, "h w 3"],
    scale: float,
    out_size: "Size",
    *,
    left: float = 0.0,
    top: float = 0.0,
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Scale an image uniformly and cut or pad a window out of it, in one resampling.

    The scale is exact, not rounded to whole sizes, so that pixels per radian are exact: pixel
    `u` of the image lands at `(u + 0.5) * scale - 0.5 - left`. Borders are repeated outside the
    image. Shrinking averages over the covered pixels (antialiasing).

    Args:
        image: the image.
        scale: pixels of the output per pixel of the image.
        out_size: (height, width) of the output.
        left: columns of the scaled image that lie left of the window; negative pads.
        top: rows of the scaled image that lie above the window; negative pads.
    """
    height, width = out_size
    across = _Side.of(image.shape[1], scale, left, width)
    down = _Side.of(image.shape[0], scale, top, height)
    if _very_oblong(across, down, image.shape[0] * image.shape[1]):
        return _longer_side_first(image, across, down)
    return _window(image, across, down)


def padded_pixels(photo: "Size", scale: float, out_size: "Size") -> int:
    """Pixels of a photo with the borders that `resample` repeats around it.

    Args:
        photo: (height, width) of the photo.
        scale: pixels of the output per pixel of the photo.
        out_size: (height, width) of the output.
    """
    down, across = (
        _Side.of(pixels, scale, 0.0, out_px) for pixels, out_px in zip(photo, out_size, strict=True)
    )
    if not _very_oblong(across, down, photo[0] * photo[1]):
        return across.padded_px * down.padded_px
    longer = across if photo[1] >= photo[0] else down
    return longer.padded_px * min(photo)


def _very_oblong(across: "_Side", down: "_Side", pixels: int) -> bool:
    return across.padded_px * down.padded_px > _FREE_PADDING_PX + _MOST_PADDING * pixels


@dataclasses.dataclass(frozen=True, slots=True)
class _Side:
    """One side of a window: how far the image is repeated, and what is cut out of that."""

    padding: tuple[int, int]
    start: float
    end: float
    padded_px: int
    out_px: int

    @classmethod
    def of(cls, pixels: int, scale: float, before: float, out_px: int) -> "_Side":
        start = before / scale
        end = start + out_px / scale
        margin = int(np.ceil(2 / min(scale, 1.0)))  # of the resampling filter
        first = max(0, int(np.ceil(-start))) + margin
        last = max(0, int(np.ceil(end - pixels))) + margin
        return cls((first, last), start + first, end + first, pixels + first + last, out_px)

    @classmethod
    def whole(cls, pixels: int) -> "_Side":
        """A side that stays as it is."""
        return cls((0, 0), 0, pixels, pixels, pixels)


def _longer_side_first(image: np.ndarray, across: _Side, down: _Side) -> np.ndarray:
    """Resample one side after the other: less padding, and one more rounding to 8 bits.

    The shorter side is not padded: for the filter, pixels beyond a border equal the border.
    """
    rows, columns = image.shape[:2]
    if columns >= rows:
        narrowed = _window(image, across, _Side.whole(rows))
        return _shorter_side(narrowed, down)
    lowered = _window(image, _Side.whole(columns), down)
    return _shorter_side(lowered.swapaxes(0, 1), across).swapaxes(0, 1)


def _shorter_side(image: np.ndarray, side: _Side) -> np.ndarray:
    """Resample the first axis with the filter of `Image.resize`, a triangle."""
    pixels = image.shape[0]
    step = (side.end - side.start) / side.out_px
    reach = max(1.0, step)
    resampled = np.empty((side.out_px, *image.shape[1:]), np.uint8)
    for number in range(side.out_px):
        centre = side.start - side.padding[0] + (number + 0.5) * step
        first, last = (math.floor(centre + sign * reach + 0.5) for sign in (-1, 1))
        at = np.arange(first, max(last, first + 1))
        weights = np.maximum(0.0, 1 - np.abs((at + 0.5 - centre) / reach))
        weights = np.bincount(at.clip(0, pixels - 1), weights, minlength=pixels)
        blended = np.tensordot(weights / weights.sum(), image, axes=1)
        resampled[number] = (blended + 0.5).clip(0, 255)
    return resampled


def _window(image: np.ndarray, across: _Side, down: _Side) -> np.ndarray:
    padded = np.pad(image, (down.padding, across.padding, (0, 0)), mode="edge")
    box = (across.start, down.start, across.end, down.end)
    size = (across.out_px, down.out_px)
    return np.asarray(Image.fromarray(padded).resize(size, Image.Resampling.BILINEAR, box=box))
