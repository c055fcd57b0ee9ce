"""Camera and depth unit from files beside images and depth maps."""

import dataclasses
import re
from pathlib import Path

from spd.data.frame_index import CameraEntry
from spd.errors import DataError, reason_of, shortened
from spd.files import read_text
from spd.photos.camera_matrix import parse_intrinsics

CAMERA_FILES = (
    *("intrinsic/intrinsic_color.txt", "intrinsics_color.txt", "intrinsic_color.txt"),  # ScanNet
    *("camera-intrinsics.txt", "camera_intrinsics.txt", "intrinsics.txt"),  # 3DMatch and others
)
"""Text files with the camera matrix of the images, 3x3, 3x4 or 4x4."""


def camera_file(folder: Path, root: Path) -> Path | None:
    """The nearest camera file in `folder` or a folder above it, up to `root`."""
    for place in (folder, *folder.parents):
        for name in CAMERA_FILES:
            if (place / name).is_file():
                return place / name
        if place == root:
            break
    return None


def read_camera(file: Path) -> CameraEntry:
    """Camera from the matrix in a text file.

    Raises:
        DataError: if the file contains no such matrix.
    """
    try:
        found = parse_intrinsics(" ".join(read_text(file).split()), "the camera matrix")
    except (OSError, ValueError) as error:  # InputError is a ValueError
        raise DataError(
            f"{file} is not readable as a camera: {reason_of(error)}; correct the file, or pass "
            "focal_px="
        ) from None
    return CameraEntry(**dataclasses.asdict(found))


def yaml_unit(path: Path) -> float | None:
    """Stored units per metre from `depth_scale:` in a YAML file in the folder `path`.

    Raises:
        DataError: if a value is no scale, or two differ.
    """
    found: dict[float, Path] = {}
    for file in sorted((*path.glob("*.yaml"), *path.glob("*.yml"))):
        if not file.is_file():  # reading a named pipe would wait forever
            continue
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise DataError(f"cannot read {file}: {reason_of(error)}") from None
        for value in re.findall(r"(?m)^depth_scale[ \t]*:[ \t]*([^#\r\n]*)", text):
            found[_scale(value.strip(), file)] = file
    if len(found) > 1:
        values = ", ".join(f"{file.name} {scale:g}" for scale, file in found.items())
        raise DataError(f"{path} has conflicting values of depth_scale: {values}; pass unit=")
    return next(iter(found), None)


def _scale(text: str, file: Path) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise DataError(
            f"{file}: depth_scale is {shortened(text)!r}; expected units per metre, such as 1000"
        )
    return scale
