"""RGB-D folders: `frames.json`, images, and 16-bit PNG depth (`docs/data.md`)."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError

from spd.data.sample import RGBDSample, valid_depth
from spd.errors import DataError, InputError
from spd.files import atomic_path, write_text
from spd.geometry import Intrinsics, Size
from spd.images import read_image

INDEX = "frames.json"
UNIT = "millimetre, 0 = no reading"
# NYU's frames carry a white border; readings outside these rows and columns are not trusted.
NYU_ROWS, NYU_COLUMNS, NYU_SIZE = slice(7, 474), slice(7, 632), (480, 640)


class RGBDFolder(Sequence[RGBDSample]):
    """The frames of a folder, or of one of its splits, read from disk when asked for.

    Raises:
        DataError: at once, if the index is missing or malformed or any file it names is missing.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = Path(path)
        self.split = split
        entries = _read_index(self.path)
        known = sorted({str(entry["split"]) for entry in entries if entry.get("split")})
        self.entries = [e for e in entries if split is None or e.get("split") == split]
        if not self.entries:
            raise DataError(
                f"{self.path / INDEX} has no frame of split {split!r}; it has {known or 'none'}"
            )
        self._check_files()

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[RGBDSample]:
        return (self[n] for n in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> RGBDSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RGBDSample]: ...
    def __getitem__(self, index: int | slice) -> RGBDSample | Sequence[RGBDSample]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return self._read(self.entries[index])

    def __repr__(self) -> str:
        return f"RGBDFolder({str(self.path)!r}, split={self.split!r}, {len(self)} frames)"

    def _check_files(self) -> None:
        missing = [
            entry[key]
            for entry in self.entries
            for key in ("image", "depth")
            if not (self.path / entry[key]).is_file()
        ]
        if missing:
            listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise DataError(f"{self.path} lacks {len(missing)} file(s) of its index: {listed}")

    def _read(self, entry: dict[str, Any]) -> RGBDSample:
        name = str(entry["image"])
        try:
            image = read_image(self.path / name)
        except InputError as error:
            raise DataError(str(error)) from None
        depth_m = read_depth_png(self.path / entry["depth"])
        _check_shape(name, image.shape[:2], depth_m.shape, entry)
        valid = valid_depth(depth_m)
        if str(entry.get("dataset", "")).startswith("NYU") and depth_m.shape == NYU_SIZE:
            inside = np.zeros_like(valid)
            inside[NYU_ROWS, NYU_COLUMNS] = True
            valid &= inside
        if not valid.any():
            raise DataError(
                f"{self.path / entry['depth']} has no reading between 1 mm and 10 m; "
                "remove the frame or check the unit (16-bit millimetres)"
            )
        return RGBDSample(image, depth_m, valid, entry_intrinsics(entry), name)


def entry_intrinsics(entry: dict[str, Any]) -> Intrinsics | None:
    """The camera of one entry of `frames.json`, None where it is not known.

    A negative focal length, as ICL-NUIM gives it, turns an axis of the camera's frame around; the
    image is the same, so its magnitude counts.
    """
    camera = entry.get("intrinsics")
    if camera is None:
        return None
    return Intrinsics(abs(camera["fx"]), abs(camera["fy"]), camera["cx"], camera["cy"])


def read_depth_png(path: Path) -> Float[np.ndarray, "h w"]:
    """Metres, float32, from a 16-bit PNG in millimetres where 0 is no reading.

    Raises:
        DataError: if the file is missing, damaged, or not 16-bit grey.
    """
    if not path.is_file():
        raise DataError(f"no depth file {path}")
    try:
        with Image.open(path) as opened:
            mode = opened.mode
            millimetres = np.asarray(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise DataError(f"{path} is not a PNG that can be read; is it complete?") from None
    if not mode.startswith("I") or millimetres.ndim != 2:
        raise DataError(
            f"{path} is {_describe(mode)}, expected 16-bit grey in millimetres; "
            "8-bit depth has lost its metres"
        )
    return (millimetres.astype(np.float32) / np.float32(1000.0)).astype(np.float32)


def write_depth_png(depth_m: Float[np.ndarray, "h w"], path: Path) -> None:
    """Write metres as a 16-bit PNG in millimetres, rounded; not finite or negative becomes 0.

    Raises:
        DataError: if a depth is beyond 65.535 m, which 16 bits cannot hold.
    """
    millimetres = np.nan_to_num(depth_m, nan=0.0, posinf=0.0, neginf=0.0).clip(min=0) * 1000.0
    if millimetres.max(initial=0) > np.iinfo(np.uint16).max:
        raise DataError(f"{path}: depth {depth_m.max():g} m does not fit 16-bit millimetres")
    with atomic_path(path) as temporary:
        Image.fromarray(millimetres.round().astype(np.uint16)).save(temporary)


def write_frame(sample: RGBDSample, folder: Path) -> None:
    """Write one sample's image and depth under the names that `frame_entry` gives them."""
    with atomic_path(folder / f"{sample.name}.png") as temporary:
        Image.fromarray(sample.image).save(temporary)
    write_depth_png(np.where(sample.valid, sample.depth_m, 0), folder / f"{sample.name}.depth.png")


def frame_entry(
    name: str, size: Size, intrinsics: Intrinsics | None, split: str, **about: Any
) -> dict[str, Any]:
    """One frame's line in `frames.json`; depth has the image's size."""
    camera = intrinsics and dataclasses.asdict(intrinsics)
    return {
        "image": f"{name}.png",
        "depth": f"{name}.depth.png",
        "depth_unit": UNIT,
        "intrinsics": camera,
        "split": split,
        "image_size": list(size),
        "depth_size": list(size),
        **about,
    }


def write_index(entries: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write `frames.json`, last, so that an index only ever names files that are there."""
    write_text(folder / INDEX, json.dumps(list(entries), indent=1) + "\n")


def _read_index(path: Path) -> list[dict[str, Any]]:
    index = path / INDEX
    if not index.is_file():
        raise DataError(f"{path} is not an RGB-D folder: it has no {INDEX}")
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{index} is not valid JSON ({error})") from None
    if not isinstance(entries, list):
        raise DataError(f"{index} must be a list of frames, got {type(entries).__name__}")
    for number, entry in enumerate(entries):
        _check_entry(index, number, entry)
    return entries


def _check_entry(index: Path, number: int, entry: Any) -> None:
    if not isinstance(entry, dict) or not {"image", "depth"} <= entry.keys():
        raise DataError(f"{index}: frame {number} must be an object with 'image' and 'depth'")
    unit = entry.get("depth_unit", UNIT)
    if unit != UNIT:
        raise DataError(f"{index}: frame {number} has depth_unit {unit!r}, expected {UNIT!r}")
    camera = entry.get("intrinsics")
    if camera is not None and (
        not isinstance(camera, dict)
        or camera.keys() != {"fx", "fy", "cx", "cy"}
        or not all(isinstance(value, int | float) for value in camera.values())
    ):
        raise DataError(f"{index}: frame {number}: intrinsics need numbers fx, fy, cx, cy, or null")
    try:
        entry_intrinsics(entry)
    except InputError as error:
        raise DataError(f"{index}: frame {number}: {error}") from None


def _check_shape(
    name: str, image: tuple[int, ...], depth: tuple[int, ...], entry: dict[str, Any]
) -> None:
    """The files must be as large as the index says, and show the same field of view."""
    for what, shape in (("image", image), ("depth", depth)):
        declared = entry.get(f"{what}_size")
        if declared is not None and tuple(declared) != tuple(shape):
            raise DataError(
                f"{name}: the {what} is {shape[0]}x{shape[1]}, "
                f"the index says {declared[0]}x{declared[1]}"
            )
    if abs(image[0] * depth[1] / (image[1] * depth[0]) - 1) > 0.02:
        raise DataError(
            f"{name}: image {image[0]}x{image[1]} and depth {depth[0]}x{depth[1]} differ in shape "
            "by more than 2 %; they must show the same field of view"
        )


def _describe(mode: str) -> str:
    return {"L": "8-bit grey", "P": "8-bit palette", "RGB": "8-bit colour"}.get(
        mode, f"mode {mode}"
    )
