"""A table of (image, point): every photo is encoded once, whatever the order of its rows.

For more photos than fit an afternoon there is `spd batch`, which goes on after an interruption.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.pixels import as_points, inside_image, outside_error
from spd.scenes.scene import PhotoScene


class Encoder(Protocol):
    """A predictor, as `spd.load` returns it."""

    def encode(self, image: Any, *, focal_px: float | None = None) -> PhotoScene:
        """The encoded photo."""


def ask_table(
    predictor: Encoder,
    images: Sequence[str | os.PathLike[str]],
    points: ArrayLike,
    focal_px: Mapping[str, float] | Mapping[Path, float] | float | None = None,
) -> Float[np.ndarray, " n"]:
    """Depth in metres of each row of a table, in the table's order.

    Args:
        predictor: what `spd.load` gives.
        images: the photo of each row; rows of one photo need not follow each other.
        points: `[N, 2]` of `(u, v)`, the point of each row.
        focal_px: of all photos, or by the photo's path (`./a.jpg` and `a.jpg` are one); where
            neither says it, see `encode`.

    Raises:
        InputError: if a photo cannot be read, or there are not as many points as images.
        PointError: naming the row whose point is outside its photo.
    """
    asked = as_points(points)
    if len(asked) != len(images):
        raise InputError(f"a table has a point a row, got {len(asked)} for {len(images)} images")
    rows_of: dict[Path, list[int]] = {}
    for row, image in enumerate(images):
        rows_of.setdefault(Path(image), []).append(row)
    focal_of = _focals(rows_of, focal_px)
    depth_m = np.empty(len(asked), dtype=np.float32)
    for image, rows in rows_of.items():
        scene = predictor.encode(image, focal_px=focal_of[image])
        _check_rows(image, asked, rows, scene)
        depth_m[rows] = scene.depth_at(asked[rows])
    return depth_m


def _focals(
    photos: Iterable[Path], focal_px: Mapping[str, float] | Mapping[Path, float] | float | None
) -> dict[Path, float | None]:
    """The focal length of each photo in its pixels; None where it is not said."""
    if not isinstance(focal_px, Mapping):
        return dict.fromkeys(photos, focal_px)
    known = {Path(path): focal for path, focal in focal_px.items()}
    return {photo: known.get(photo) for photo in photos}


def _check_rows(image: Path, asked: np.ndarray, rows: Sequence[int], scene: PhotoScene) -> None:
    inside = inside_image(asked[rows, 0], asked[rows, 1], scene.size)
    if not inside.all():
        row = rows[int(np.argmin(inside))]
        u, v = asked[row].tolist()
        raise PointError(f"row {row}, {image}: {outside_error(row, u, v, scene.size)}")
