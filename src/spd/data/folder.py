"""RGB-D folders: `frames.json`, images, and 16-bit PNG depth (`docs/data.md`)."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from pydantic import ConfigDict, model_validator

from spd.config import Frozen, Int
from spd.data.sample import RGBDSample, SampleSequence, valid_depth
from spd.errors import ConfigError, DataError, InputError
from spd.files import atomic_path, write_text
from spd.geometry import Intrinsics, Size
from spd.images import read_image

INDEX = "frames.json"
UNIT: Literal["millimetre, 0 = no reading"] = "millimetre, 0 = no reading"
# NYU's frames carry a white border; readings outside these rows and columns are not trusted.
NYU_ROWS, NYU_COLUMNS, NYU_SIZE = slice(7, 474), slice(7, 632), (480, 640)


class CameraEntry(Frozen):
    """`intrinsics` of a frame: pixels of its image, integers at pixel centres."""

    fx: float
    fy: float
    cx: float
    cy: float

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.fx == 0 or self.fy == 0:
            raise ValueError("fx and fy must not be 0")
        return self

    def intrinsics(self) -> Intrinsics:
        """The camera.

        A negative focal length, as ICL-NUIM gives it, turns an axis of the camera's frame around;
        the image is the same, so its magnitude counts.
        """
        return Intrinsics(abs(self.fx), abs(self.fy), self.cx, self.cy)


class FrameEntry(Frozen):
    """One frame of `frames.json`; keys besides these are kept and mean nothing here."""

    model_config = ConfigDict(extra="allow")

    image: str
    """Path of the image, from the folder."""
    depth: str
    """Path of its 16-bit PNG depth."""
    depth_unit: Literal["millimetre, 0 = no reading"] = UNIT
    """The one unit there is, spelt out."""
    intrinsics: CameraEntry | None = None
    """None where the focal length is not known: such a frame is neither trained on nor scored."""
    split: str | None = None
    """What part of the data the frame belongs to."""
    image_size: tuple[Int, Int] | None = None
    """(height, width); checked against the file."""
    depth_size: tuple[Int, Int] | None = None
    """Likewise; depth may have another resolution than the image."""
    dataset: str = ""
    """`NYU...` masks the white border of 480x640 frames."""


class RGBDFolder(SampleSequence):
    """The frames of a folder, or of one of its splits, read from disk when asked for.

    Raises:
        DataError: at once, if the index is missing or malformed or any file it names is missing.
    """

    def __init__(self, path: str | Path, split: str | None = None) -> None:
        self.path = Path(path)
        self.split = split
        entries = _read_index(self.path)
        self.entries = [e for e in entries if split is None or e.split == split]
        if not self.entries:
            known = sorted({e.split for e in entries if e.split is not None})
            wanted = (
                ""
                if split is None
                else f" of split {split!r}; its splits are {', '.join(known) or 'none'}"
            )
            raise DataError(f"{self.path / INDEX} has no frame{wanted}")
        self._check_files()

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, read from disk."""
        return self._read(self.entries[number])

    def __repr__(self) -> str:
        return f"RGBDFolder({str(self.path)!r}, split={self.split!r}, {len(self)} frames)"

    def _check_files(self) -> None:
        named = [name for entry in self.entries for name in (entry.image, entry.depth)]
        missing = [name for name in named if not (self.path / name).is_file()]
        if missing:
            listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise DataError(f"{self.path} lacks {len(missing)} file(s) of its index: {listed}")

    def _read(self, entry: FrameEntry) -> RGBDSample:
        try:
            image = read_image(self.path / entry.image)
        except InputError as error:
            raise DataError(str(error)) from None
        depth_m = read_depth_png(self.path / entry.depth)
        _check_shape(self.path / entry.image, entry, image.shape[:2], depth_m.shape)
        valid = valid_depth(depth_m)
        if entry.dataset.startswith("NYU") and depth_m.shape == NYU_SIZE:
            inside = np.zeros_like(valid)
            inside[NYU_ROWS, NYU_COLUMNS] = True
            valid &= inside
        camera = entry.intrinsics.intrinsics() if entry.intrinsics else None
        return RGBDSample(image, depth_m, valid, camera, entry.image)


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


def _read_index(path: Path) -> list[FrameEntry]:
    index = path / INDEX
    if not index.is_file():
        raise DataError(f"{path} is not an RGB-D folder: it has no {INDEX}")
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{index} is not valid JSON ({error})") from None
    if not isinstance(entries, list):
        raise DataError(f"{index} must be a list of frames, got {type(entries).__name__}")
    frames = []
    for number, entry in enumerate(entries):
        try:
            frames.append(FrameEntry.from_dict(entry))
        except ConfigError as error:
            raise DataError(f"{index}: frame {number}: {error}") from None
    return frames


def _check_shape(
    path: Path, entry: FrameEntry, image: tuple[int, ...], depth: tuple[int, ...]
) -> None:
    """The files must be as large as the index says, and show the same field of view."""
    for what, shape, declared in (
        ("image", image, entry.image_size),
        ("depth", depth, entry.depth_size),
    ):
        if declared is not None and declared != tuple(shape):
            raise DataError(
                f"{path}: the {what} is {shape[0]}x{shape[1]}, "
                f"the index says {declared[0]}x{declared[1]}"
            )
    if abs(image[0] * depth[1] / (image[1] * depth[0]) - 1) > 0.02:
        raise DataError(
            f"{path}: image {image[0]}x{image[1]} and depth {depth[0]}x{depth[1]} differ in "
            "shape by more than 2 %; they must show the same field of view"
        )


def _describe(mode: str) -> str:
    return {"L": "8-bit grey", "P": "8-bit palette", "RGB": "8-bit colour"}.get(
        mode, f"mode {mode}"
    )
