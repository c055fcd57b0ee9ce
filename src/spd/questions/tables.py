"""A table of (image, point): every photo is encoded once, whatever the order of its rows.

For more photos than fit an afternoon there is `spd batch`, which goes on after an interruption.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError
from spd.pixels import inside_image, outside_error
from spd.scenes import PhotoScene, as_points


class Encoder(Protocol):
    """What `spd.load` gives."""

    def encode(self, image: Any, *, focal_px: float | None = None) -> PhotoScene:
        """The encoded photo."""


def ask_table(
    predictor: Encoder,
    images: Sequence[str | os.PathLike[str]],
    points: ArrayLike,
    focal_px: Mapping[str, float] | float | None = None,
) -> Float[np.ndarray, " n"]:
    """Depth in metres of each row of a table, in the table's order.

    Args:
        predictor: what `spd.load` gives.
        images: the photo of each row; rows of one photo need not follow each other.
        points: `[N, 2]` of `(u, v)`, the point of each row.
        focal_px: of all photos, or by the photo's path; where neither says it, see `encode`.

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
    depth_m = np.empty(len(asked), dtype=np.float32)
    for image, rows in rows_of.items():
        focal = focal_px.get(str(image)) if isinstance(focal_px, Mapping) else focal_px
        scene = predictor.encode(image, focal_px=focal)
        _check_rows(image, asked, rows, scene)
        depth_m[rows] = scene.depth_at(asked[rows])
    return depth_m


def _check_rows(image: Path, asked: np.ndarray, rows: Sequence[int], scene: PhotoScene) -> None:
    inside = inside_image(asked[rows, 0], asked[rows, 1], scene.size)
    if not inside.all():
        row = rows[int(np.argmin(inside))]
        u, v = asked[row].tolist()
        raise PointError(f"row {row}, {image}: {outside_error(row, u, v, scene.size)}")
