"""Photos from numpy arrays and torch tensors, without importing torch."""

from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import UInt8

from spd.errors import InputError, shown

Channels = Literal["rgb", "bgr"]
_ROUNDING = 1e-3  # tolerance around 0..1, for resampled floats


def check_channels(channels: str) -> None:
    """Refuse an unknown channel order."""
    if not isinstance(channels, str) or channels not in get_args(Channels):
        raise InputError(f"channels must be 'rgb' or 'bgr' (OpenCV's order), got {shown(channels)}")


def from_array(image: np.ndarray, channels: str = "rgb") -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a uint8 array: `[H, W, 3]` in the given channel order, or grey `[H, W]`.

    Raises:
        InputError: on another shape or dtype.
    """
    image = np.asarray(image)  # a matrix has two dimensions, whatever is done to it
    if image.dtype != np.uint8:
        raise InputError(
            f"image arrays must be uint8 in 0..255, got {image.dtype}{_conversion(image)}"
        )
    given = image.shape
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(
            f"image arrays must be [H, W, 3] RGB or [H, W] grey, got {given}{_reshaping(given)}"
        )
    return np.ascontiguousarray(image[..., ::-1]) if channels == "bgr" else image


def from_tensor(image: Any, channels: str = "rgb") -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a tensor `[3, H, W]` or `[H, W, 3]`, or grey; uint8 or floating in 0..1.

    If both the first and the last side are 3, the first is the channels, as in torch.

    Raises:
        InputError: on another shape, dtype or range.
    """
    try:
        shape = tuple(image.shape)
    except Exception:  # a nested one has none
        raise InputError(
            f"image tensors must be [3, H, W] or [H, W, 3], got {shown(image)}"
        ) from None
    if len(shape) == 3 and shape[0] in (1, 3):
        image = image.permute(1, 2, 0)
    elif not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
        raise InputError(
            f"image tensors must be [3, H, W] or [H, W, 3], got {shape}{_reshaping(shape)}"
        )
    try:
        image = image.detach().cpu().resolve_neg()
        values = (image.float() if image.is_floating_point() else image).numpy()
    except Exception:  # one that is sparse, quantised or without data raises many types
        raise InputError(
            f"image tensors must be dense and hold data, got {shown(image)} on {image.device}"
        ) from None
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if np.issubdtype(values.dtype, np.floating):
        values = _from_unit(values)
    if values.dtype != np.uint8:
        hint = "; if 255 is white, pass image.to(torch.uint8)" if values.dtype.kind in "iu" else ""
        hint = "; pass image.float()" if values.dtype == bool else hint
        raise InputError(
            f"image tensors must be uint8, or floats in 0..1, got {values.dtype}{hint}"
        )
    return from_array(values, channels)


def _conversion(image: np.ndarray) -> str:
    """How to make uint8 of an array of another type, by the range of its values."""
    if image.dtype == bool:
        return "; pass image.astype(np.uint8) * 255"
    if image.dtype.kind not in "iuf" or not image.size:
        return ""
    low, high = image.min(), image.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        return ", with values that are not finite"
    found = f", from {low:g} to {high:g}"
    is_float = image.dtype.kind == "f"
    if low < -_ROUNDING * is_float:
        return f"{found}; undo the normalisation first: the model normalises itself"
    if is_float and high <= 1 + _ROUNDING:
        return f"{found}; if 1 is white, pass (image * 255).round().clip(0, 255).astype(np.uint8)"
    if high <= 255:
        rounded = "image.round()" if is_float else "image"
        return f"{found}; if 255 is white, pass {rounded}.astype(np.uint8)"
    return f"{found}; if 65535 is white, pass (image / 257).round().astype(np.uint8)"


def _reshaping(shape: tuple[int, ...]) -> str:
    """How to make an image of an array of another shape."""
    if len(shape) == 4:
        return "; encode one image at a time, such as image[0]"
    if len(shape) != 3 or 0 in shape:
        return ""
    if shape[2] == 4:
        return "; drop the alpha channel: image[..., :3] (of OpenCV's BGRA, with channels='bgr')"
    if shape[0] == 3:
        return "; put the channels last: image.transpose(1, 2, 0)"
    if shape[0] == 4:
        return "; drop the alpha channel: image[:3]"
    if 1 in (shape[0], shape[2]):
        return "; drop the channel of grey: image.squeeze()"
    return ""


def _from_unit(values: np.ndarray) -> np.ndarray:
    """Floats in 0..1 as 0..255; refuses normalised values instead of clipping them."""
    if values.size and not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):
        raise InputError(
            "floating-point image tensors must lie in 0..1, got "
            f"{values.min():g}..{values.max():g}; "
            "divide 0..255 by 255, and do not normalise: the model does"
        )
    return (values * 255).round().clip(0, 255).astype(np.uint8)
