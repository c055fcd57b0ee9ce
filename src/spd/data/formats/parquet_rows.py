"""Pixels and metadata of one row of a parquet table.

Rows stay Arrow tables until here, and only this module decodes their images: what the `datasets`
library makes of 16-bit depth depends on its version and on the schema's metadata.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from spd.data.depth_units import Unit, to_metres, unit_of, unit_words
from spd.data.formats.decoding import decode_depth, decode_image, describe_depth, type_words
from spd.data.formats.general import (
    CAMERA_COLUMNS,
    FOCAL_COLUMNS,
    CameraColumns,
    camera_columns,
    canonical_split,
)
from spd.data.turned import orientation_of
from spd.errors import DataError
from spd.photos.reading import RGBImage

IMAGE_COLUMNS = ("image", "rgb")
DEPTH_COLUMNS = ("depth_map", "depth")
NAME_COLUMNS = ("name", "filename", "id")
METADATA_COLUMNS = ("split", "scene", *NAME_COLUMNS, *CAMERA_COLUMNS, *FOCAL_COLUMNS)


def pixel_columns(columns: Sequence[str]) -> tuple[str, str] | None:
    """Names of the image and depth columns; None where either is missing."""
    image = next((name for name in IMAGE_COLUMNS if name in columns), None)
    depth = next((name for name in DEPTH_COLUMNS if name in columns), None)
    return None if image is None or depth is None else (image, depth)


def require_pixel_columns(columns: Sequence[str], address: str) -> tuple[str, str]:
    """Names of the image and depth columns; a table without them is refused."""
    found = pixel_columns(columns)
    if found is None:
        raise DataError(
            f"{address} must have a column image (or rgb) and a column depth_map (or depth); "
            f"it has {', '.join(columns) or 'none'}"
        )
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class RowMetadata:
    """Metadata of a row; None where the table has no such column or the cell is empty."""

    split: str | None
    name: str | None
    scene: str | None
    camera: CameraColumns


def row_metadata(cells: Mapping[str, object], where: str) -> RowMetadata:
    """Metadata in the cells of a row, which `where` names in messages."""
    names = (_text(cells.get(column)) for column in NAME_COLUMNS)
    return RowMetadata(
        split=canonical_split(_text(cells.get("split"))),
        name=next((name for name in names if name is not None), None),
        scene=_text(cells.get("scene")),
        camera=camera_columns(cells, where),
    )


def _text(cell: object) -> str | None:
    is_text = isinstance(cell, str | int) and not isinstance(cell, bool)
    return str(cell) if is_text and cell != "" else None


def row_image(row: Any, column: str, name: str) -> RGBImage:
    """Image in a table of one row, uint8 `[H, W, 3]`.

    Raises:
        DataError: if the cell is empty, damaged, or not an RGB image.
    """
    cell = _cell(row, column, name)
    if isinstance(cell, bytes):
        return decode_image(cell, name)
    shape = cell.shape
    if cell.ndim == 3 and shape[0] == 3 and shape[2] != 3:
        cell = cell.transpose(1, 2, 0)
    if cell.ndim != 3 or cell.shape[2] != 3:
        raise DataError(f"{name} must contain an image as [3, H, W] or [H, W, 3], got {shape}")
    whole = cell.dtype.kind in "ui"
    largest = 255 if whole else 1
    if not (cell.min(initial=0) >= 0 and cell.max(initial=0) <= largest):  # nor NaN
        raise DataError(
            f"{name} contains an image of {cell.dtype} values from {cell.min():g} to "
            f"{cell.max():g}; expected integers in 0..255 or floats in 0..1"
        )
    scaled = cell if whole else (cell.astype(np.float64) * 255).round()
    return np.ascontiguousarray(scaled, dtype=np.uint8)


def row_orientation(row: Any, column: str, name: str) -> int:
    """EXIF orientation, 1 to 8, of the image in a table of one row; 1 for nested lists."""
    cell = _cell(row, column, name)
    return orientation_of(cell) if isinstance(cell, bytes) else 1


def row_depth(row: Any, column: str, unit: Unit | None, name: str) -> Float[np.ndarray, "h w"]:
    """Depth in a table of one row, in metres, float32.

    Raises:
        DataError: if the cell is empty, damaged, 8-bit, or of another shape.
    """
    cell = _cell(row, column, name)
    if isinstance(cell, bytes):
        return decode_depth(cell, unit, name)
    return to_metres(_single_channel(cell), unit, name)


def describe_row_depth(row: Any, column: str, unit: Unit | None, name: str) -> str:
    """Type and unit of a row's depth, such as `float32 array, metres`."""
    cell = _cell(row, column, name)
    if isinstance(cell, bytes):
        return describe_depth(cell, unit, name)
    return f"{type_words(cell.dtype)} array, {unit_words(unit_of(cell.dtype, unit, name))}"


def _single_channel(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        for axis in (0, 2):
            if array.shape[axis] == 1:
                return array.squeeze(axis)
    return array


def _cell(row: Any, column: str, name: str) -> bytes | np.ndarray:
    """Bytes or numbers in the only cell of a column."""
    import pyarrow as pa

    values = row.column(column).combine_chunks()
    values = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    if isinstance(values, pa.ExtensionArray):  # Array2D and Array3D of the datasets library
        values = values.storage
    kind = values.type
    if values.null_count:
        raise DataError(f"{name}: column {column} is empty")
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        data = values.field(kind.get_field_index("bytes"))[0].as_py()
        if not data:
            raise DataError(
                f"{name}: column {column} contains only a file path, not the bytes of the file"
            )
        return data
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return values[0].as_py()
    return _numbers(values, column, name)


def _numbers(values: Any, column: str, name: str) -> np.ndarray:
    """Nested lists of equal lengths as an array, without a Python object for every number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    shape: list[int] = []
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    while any(is_kind(values.type) for is_kind in kinds):
        lengths = pc.list_value_length(values).unique().to_pylist()
        if len(lengths) != 1 or lengths[0] is None:
            raise DataError(f"{name}: the lists in column {column} differ in length")
        shape.append(lengths[0])
        values = values.flatten()
    is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if not shape or not is_number:
        raise DataError(
            f"{name}: column {column} is of type {values.type}; expected the bytes of an image "
            "file, or nested lists of numbers"
        )
    return values.to_numpy(zero_copy_only=False).reshape(shape)
