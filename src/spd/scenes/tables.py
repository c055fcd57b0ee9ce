"""A table of (image, point): every photo is encoded once, in any order of rows.

For very many photos use `spd batch`, which resumes after an interruption.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, PointError, shown
from spd.pixels import as_points, check_outside, inside_image, outside_error
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.scene import PhotoScene
from spd.scenes.space import Outside


def ask_table(
    predictor: PhotoPredictor[PhotoScene],
    images: Sequence[str | os.PathLike[str]],
    points: ArrayLike,
    focal_px: Mapping[str, float] | Mapping[Path, float] | float | None = None,
    *,
    outside: Outside = "raise",
) -> Float[np.ndarray, " n"]:
    """Depth in metres of each row of a table, in the table's order; see `depth_at`.

    Args:
        predictor: a predictor from `spd.load`.
        images: the photo of each row; rows of one photo need not follow each other.
        points: `[N, 2]` of `(u, v)`, the point of each row.
        focal_px: focal length of all photos, or by path of the photo (`./a.jpg` and `a.jpg` are
            the same); for a photo without one, see `encode`.
        outside: "nan" returns NaN for points that are not finite or outside their photo, instead
            of raising.

    Raises:
        InputError: if a photo cannot be read, or there are not as many points as images.
        PointError: naming the row whose point is outside its photo.
    """
    asked = as_points(points)
    check_outside(outside)
    try:
        if isinstance(images, str | bytes | Mapping) or not hasattr(images, "__getitem__"):
            raise TypeError
        images = list(images)
    except TypeError:  # as a single number in an array
        raise InputError(f"images must be a list of paths, got {shown(images)}") from None
    if len(asked) != len(images):
        raise InputError(
            f"expected one point per image, got {len(asked)} points for {len(images)} images"
        )
    rows_of: dict[Path, list[int]] = {}
    for row, image in enumerate(images):
        rows_of.setdefault(_path(image, f"image {row}"), []).append(row)
    focal_of = _focals(rows_of, focal_px)
    depth_m = np.empty(len(asked), dtype=np.float32)
    for image, rows in rows_of.items():
        scene = predictor.encode(image, focal_px=focal_of[image])
        if outside == "raise":
            _check_rows(image, asked, rows, scene)
        depth_m[rows] = scene.depth_at(asked[rows], outside=outside)
    return depth_m


def _focals(
    photos: Iterable[Path], focal_px: Mapping[str, float] | Mapping[Path, float] | float | None
) -> dict[Path, float | None]:
    """Focal length of each photo in pixels; None where none is given."""
    if not isinstance(focal_px, Mapping):
        return dict.fromkeys(photos, focal_px)
    known = {_path(path, "a key of focal_px"): focal for path, focal in focal_px.items()}
    return {photo: known.get(photo) for photo in photos}


def _path(path: object, name: str) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{name} must be the path of a photo, got {shown(path)}")
    return Path(path)


def _check_rows(image: Path, asked: np.ndarray, rows: Sequence[int], scene: PhotoScene) -> None:
    inside = inside_image(asked[rows, 0], asked[rows, 1], scene.size)
    if not inside.all():
        row = rows[int(np.argmin(inside))]
        u, v = asked[row].tolist()
        raise PointError(f"row {row}, {image}: {outside_error(row, u, v, scene.size)}")
