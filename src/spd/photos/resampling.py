"""Resampling photos to the model's own pixels per radian."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image

if TYPE_CHECKING:  # at run time this would import torch, which reading a photo has no use for
    from spd.geometry import Size

_MOST_PADDING = 4  # padded pixels for each that is there; more only for very oblong images
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
    `u` of the image lands at `(u + 0.5) * scale - 0.5 - left`. What lies outside the image
    repeats its border. Shrinking averages over the pixels that fall together (antialiasing).

    Args:
        image: the image.
        scale: pixels of the output per pixel of the image.
        out_size: (height, width) of the output.
        left: columns of the scaled image that lie left of the window; negative pads.
        top: rows above it, likewise.
    """
    height, width = out_size
    across = _Side.of(image.shape[1], scale, left, width)
    down = _Side.of(image.shape[0], scale, top, height)
    padded_px = across.padded_px * down.padded_px
    if padded_px > _FREE_PADDING_PX + _MOST_PADDING * image.shape[0] * image.shape[1]:
        return _longer_side_first(image, across, down)
    padded = np.pad(image, (down.padding, across.padding, (0, 0)), mode="edge")
    box = (across.start, down.start, across.end, down.end)
    return _resized(padded, (width, height), box)


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


def _longer_side_first(image: np.ndarray, across: _Side, down: _Side) -> np.ndarray:
    """Resample the longer side first: less padding, but rounded to 8 bits once more."""
    if image.shape[1] >= image.shape[0]:
        return _down(_across(image, across), down)
    return _across(_down(image, down), across)


def _across(image: np.ndarray, side: _Side) -> np.ndarray:
    padded = np.pad(image, ((0, 0), side.padding, (0, 0)), mode="edge")
    rows = image.shape[0]
    return _resized(padded, (side.out_px, rows), (side.start, 0, side.end, rows))


def _down(image: np.ndarray, side: _Side) -> np.ndarray:
    padded = np.pad(image, (side.padding, (0, 0), (0, 0)), mode="edge")
    columns = image.shape[1]
    return _resized(padded, (columns, side.out_px), (0, side.start, columns, side.end))


def _resized(
    image: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float]
) -> np.ndarray:
    resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)
