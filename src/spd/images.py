"""Reading photos, and resampling them to the model's own pixels per radian."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from spd.errors import InputError

if TYPE_CHECKING:  # at run time this would import torch, which reading a photo has no use for
    from spd.geometry import Size

RGBImage = UInt8[np.ndarray, "h w 3"]
ImageLike = str | os.PathLike[str] | Image.Image | np.ndarray


def read_image(image: ImageLike) -> RGBImage:
    """An upright 8-bit RGB array from a path, a PIL image or an array.

    EXIF orientation is applied, so points are asked in the upright image. Arrays are uint8 RGB
    `[H, W, 3]`, or grey `[H, W]`.

    Raises:
        InputError: if the file is missing, empty, truncated or no image; if an array has another
            shape or dtype.
    """
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if isinstance(image, Image.Image):
        return _from_pil(image, "the image")
    path = Path(image)
    if not path.is_file():
        raise InputError(f"no image file {path}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    try:
        with Image.open(path) as opened:
            return _from_pil(opened, str(path))
    except UnidentifiedImageError:
        raise InputError(f"{path} is not an image that can be read") from None
    except Image.DecompressionBombError:
        raise InputError(f"{path} has too many pixels to be opened safely") from None


def _from_pil(image: Image.Image, name: str) -> RGBImage:
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("I;16", "I;16B", "I;16L", "I"):  # 16-bit grey; PIL would clip it
            grey = np.asarray(upright, dtype=np.float64) / 257.0
            return np.repeat(grey.clip(0, 255).round().astype(np.uint8)[..., None], 3, axis=2)
        return np.asarray(upright.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{name} is damaged or truncated ({error})") from None


def _from_array(image: np.ndarray) -> RGBImage:
    if image.dtype != np.uint8:
        raise InputError(f"image arrays must be uint8 in 0..255, got {image.dtype}")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"image arrays must be [H, W, 3] RGB or [H, W] grey, got {image.shape}")
    return image


def resample(
    image: RGBImage, scale: float, out_size: "Size", *, left: float = 0.0, top: float = 0.0
) -> RGBImage:
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
    x0, y0 = left / scale, top / scale
    x1, y1 = x0 + width / scale, y0 + height / scale
    margin = int(np.ceil(2 / min(scale, 1.0)))  # of the resampling filter
    before_x, before_y = max(0, int(np.ceil(-x0))) + margin, max(0, int(np.ceil(-y0))) + margin
    after_x = max(0, int(np.ceil(x1 - image.shape[1]))) + margin
    after_y = max(0, int(np.ceil(y1 - image.shape[0]))) + margin
    padded = np.pad(image, ((before_y, after_y), (before_x, after_x), (0, 0)), mode="edge")
    box = (x0 + before_x, y0 + before_y, x1 + before_x, y1 + before_y)
    resized = Image.fromarray(padded).resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)
