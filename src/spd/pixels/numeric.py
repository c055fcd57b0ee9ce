"""Numbers, masks and counts from whatever a user gives: lists, arrays, tensors, data frames."""

import contextlib
import dataclasses
import itertools
import numbers
import operator
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from spd.errors import InputError, SPDError, shown

_TEXT = (str, bytes, bytearray)
_NOT_NUMBERS = (*_TEXT, bool, np.bool_)  # though Python and NumPy make numbers of them
_PLAIN = (list, tuple, numbers.Number, type(None))
_DEEPEST = 4  # a number in a point in a pair in a list


def is_tensor(value: object) -> bool:
    """True for a torch tensor; does not import torch."""
    return any(
        kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(value).__mro__
    )


def as_numbers(
    values: Any, expected: str, error: type[SPDError] = InputError
) -> Float[np.ndarray, "..."]:
    """Convert numbers to a float64 array of their shape.

    Lists, arrays of any real type, masked arrays (NaN where masked), data frames, and tensors of
    any real type and device, also such that require gradients. None becomes NaN, as does NA of
    pandas.

    Raises:
        SPDError: `error`, if they are something else, such as text, booleans or ragged lists; it
            begins with `expected`.
    """
    try:
        with np.errstate(all="ignore"):  # too large for float64 is infinite
            return _real_array(values).astype(np.float64)
    except MemoryError:
        raise
    except Exception:  # whatever the given object raises
        raise error(f"{expected}, got {shown(values)}") from None


def parse_numbers(text: str) -> list[float]:
    """Numbers separated by commas, semicolons or spaces; empty if the text holds anything else.

    Brackets are ignored, so that a printed list or matrix can be pasted.
    """
    plain = text.translate(str.maketrans("[]()", " " * 4)).strip()
    try:
        return [float(part) for part in re.split(r"\s*[,;]\s*|\s+", plain)]
    except ValueError:
        return []


def as_number(value: Any, expected: str, error: type[SPDError] = InputError) -> float:
    """Convert one number from anywhere to a float; it may be infinite or NaN.

    Raises:
        SPDError: `error` with a message that begins with `expected`, for everything else.
    """
    number = value if type(value) is float else as_numbers(value, expected, error)
    if value is None or np.ndim(number) != 0:
        raise error(f"{expected}, got {shown(value)}")
    return float(number)


def convert_fields(record: Any, what: str, error: type[SPDError] = InputError) -> None:
    """Convert all fields of a frozen dataclass to floats, while it is made.

    Raises:
        SPDError: `error`, naming the field and `what` it is of, if it is not a number.
    """
    for field in dataclasses.fields(record):
        expected = f"{field.name} of {what} must be a number"
        number = as_number(getattr(record, field.name), expected, error)
        object.__setattr__(record, field.name, number)


def as_mask(values: Any) -> Bool[np.ndarray, "h w"] | None:
    """A boolean array `[H, W]` from an array, a tensor or lists; None if it is something else."""
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = values.filled(0)  # what is missing is not inside
        array = _tensor_data(values) if is_tensor(values) else np.asarray(values)
    except Exception:  # whatever the given object raises
        return None
    return array if array.dtype == bool and array.ndim == 2 else None


def as_map(values: Any) -> Float[np.ndarray, "h w"]:
    """A depth map `[H, W]` of at least one pixel; arrays of floating-point numbers are not copied.

    Raises:
        InputError: if it is something else.
    """
    expected = "a depth map must be [H, W] numbers of metres"
    plain = type(values) is np.ndarray and values.dtype.kind == "f"
    depth_m: np.ndarray = values if plain else as_numbers(values, expected)
    if depth_m.ndim != 2 or not depth_m.size:
        raise InputError(f"{expected}, got {shown(values)}")
    return depth_m


def as_count(value: Any, name: str, error: type[SPDError] = InputError) -> int:
    """Convert a whole number from 1 to two billion.

    Raises:
        SPDError: `error`, if it is something else.
    """
    try:
        count = 0 if isinstance(value, _NOT_NUMBERS) else operator.index(value)
    except Exception:  # whatever the given object raises
        count = 0
    if not 1 <= count < 2**31:
        raise error(f"{name} must be a whole number of at least 1, got {shown(value)}")
    return count


def _real_array(values: Any) -> np.ndarray:
    """An array of real numbers; whatever is raised tells that some are none."""
    if isinstance(values, _TEXT):  # NumPy makes numbers of the bytes of some
        raise TypeError
    if is_tensor(values):
        values = _tensor_data(values)
    elif isinstance(values, np.ma.MaskedArray):
        kind = np.float64 if values.dtype.kind in "iuf" else object
        values = np.ma.filled(values.astype(kind), np.nan)
    elif isinstance(values, Sequence) and not isinstance(values, memoryview):
        if not _is_plain(values):  # NumPy would lose masks, and make numbers of booleans
            return np.asarray([_real_array(one) for one in values])
    elif hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray):
        with contextlib.suppress(Exception):  # whatever cannot be shared is converted below
            values = np.from_dlpack(values, device="cpu")
    array = np.asarray(values)
    if array.dtype.names or (array.size and array.dtype.kind not in "iufOV"):
        raise TypeError
    if array.dtype.kind == "O":
        array = np.array([_real(one) for one in array.flat]).reshape(array.shape)
    return array


def _is_plain(values: Sequence[Any]) -> bool:
    """Whether nested lists hold only lists and numbers; it takes half as long as NumPy does."""
    for _ in range(_DEEPEST):
        kinds = set(map(type, values))
        if bool in kinds or not all(issubclass(kind, _PLAIN) for kind in kinds):
            return False
        inner = [one for one in values if isinstance(one, list | tuple)]
        if not inner:
            break
        values = list(itertools.chain.from_iterable(inner))
    return True


def _real(value: Any) -> float:
    if isinstance(value, _NOT_NUMBERS):
        raise TypeError
    missing = value is None or type(value).__name__ == "NAType"
    return float("nan") if missing else float(value)


def _tensor_data(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        raise TypeError
    data = tensor.double() if tensor.is_floating_point() else tensor
    return np.asarray(data.resolve_neg())
