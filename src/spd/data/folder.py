"""RGB-D folders: `frames.json`, images, and 16-bit PNG depth (`docs/data.md`)."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError
from pydantic import ConfigDict, model_validator

from spd.config import Frozen, Int
from spd.data import nyu_dataset as nyu
from spd.data.depth_units import Unit, to_metres
from spd.data.sample import RGBDSample, check_exact_points, valid_depth
from spd.data.source import Frame, Source, missing_files, no_such_split, refuse_options
from spd.data.source_name import SourceOptions
from spd.errors import ConfigError, DataError, InputError
from spd.files import atomic_path, write_text
from spd.geometry import Intrinsics, Size
from spd.photos.reading import read_image

INDEX = "frames.json"
UNIT: Literal["millimetre, 0 = no reading"] = "millimetre, 0 = no reading"


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
    scene: str | None = None
    """Room or sequence it was taken in; training refuses scenes of the validation data."""
    official_number: Int | None = None
    """Of frames of NYU's labelled set: the place among its 1,449, from 0."""
    points: str | None = None
    """Path of exact points: `.npy`, float32 [n, 3] of (u, v, depth in metres) on the image."""


class RGBDFolder(Source):
    """The frames of a folder, or of one of its splits, read from disk when asked for.

    Raises:
        DataError: at once, if the index is missing or malformed or any file it names is missing.
    """

    form: ClassVar[str] = "rgbd-folder"

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        super().__init__(path, split, options)
        refuse_options(self.form, self.options, ())
        entries = _read_index(self.path)
        self.entries = [e for e in entries if split is None or e.split == split]
        if not self.entries:
            raise no_such_split(self.path / INDEX, split, [e.split for e in entries])
        self.frames = [_frame(entry) for entry in self.entries]
        self._check_files()

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """An index of frames lies in the folder."""
        return f"it holds {INDEX}" if (path / INDEX).is_file() else None

    @property
    def stored(self) -> str:
        """16-bit PNG; the format knows no other unit."""
        return "16-bit PNG, millimetres"

    @property
    def is_nyu(self) -> bool:
        """Whether every frame says so."""
        return all(entry.dataset.startswith("NYU") for entry in self.entries)

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, read from disk."""
        return self._read(self.entries[number])

    def image_file(self, number: int) -> Path:
        """The file that the index names."""
        return self.path / self.entries[number].image

    def _check_files(self) -> None:
        named = [
            name for entry in self.entries for name in (entry.image, entry.depth, entry.points)
        ]
        missing = [name for name in named if name and not (self.path / name).is_file()]
        if missing:
            raise missing_files(self.path, missing)

    def _read(self, entry: FrameEntry) -> RGBDSample:
        try:
            image = read_image(self.path / entry.image)
        except InputError as error:
            raise DataError(str(error)) from None
        depth_m = read_depth_png(self.path / entry.depth)
        _check_sizes(self.path / entry.image, entry, image.shape[:2], depth_m.shape)
        valid = valid_depth(depth_m)
        if entry.dataset.startswith("NYU") and depth_m.shape == nyu.SIZE:
            valid &= nyu.inside_border(nyu.SIZE)
        camera = entry.intrinsics.intrinsics() if entry.intrinsics else None
        points = None
        if entry.points is not None:
            points = read_exact_points(self.path / entry.points, (image.shape[0], image.shape[1]))
        return RGBDSample(image, depth_m, valid, camera, entry.image, points)


def _frame(entry: FrameEntry) -> Frame:
    return Frame(
        name=entry.image,
        split=entry.split,
        scene=entry.scene,
        official_number=entry.official_number,
        has_focal=entry.intrinsics is not None,
    )


def read_depth_png(path: Path, unit: Unit = "millimetre") -> Float[np.ndarray, "h w"]:
    """Metres, float32, from a 16-bit PNG where 0 is no reading.

    Args:
        path: the file.
        unit: of its whole numbers; millimetres unless somebody says otherwise.

    Raises:
        DataError: if the file is missing, damaged, or not 16-bit grey.
    """
    if not path.is_file():
        raise DataError(f"no depth file {path}")
    try:
        with Image.open(path) as opened:
            mode = opened.mode
            stored = np.asarray(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise DataError(f"{path} is not a PNG that can be read; is it complete?") from None
    if not mode.startswith("I") or stored.ndim != 2:
        raise DataError(
            f"{path} is {_describe(mode)}, expected 16-bit grey in millimetres; "
            "8-bit depth has lost its metres"
        )
    return to_metres(stored, unit, str(path))


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


def read_exact_points(path: Path, size: Size) -> Float[np.ndarray, "n 3"]:
    """`(u, v, depth_m)` on an image of `size` = (height, width), float32, from a `.npy` file.

    Raises:
        DataError: if the file is missing or damaged, or a point is not finite, outside the image
            or without depth.
    """
    try:
        with path.open("rb") as file:
            points = np.load(file, allow_pickle=False)
    except (OSError, EOFError, ValueError):
        raise DataError(f"{path} is not an .npy array that can be read; is it complete?") from None
    if not isinstance(points, np.ndarray):
        raise DataError(f"{path} holds several arrays, expected one .npy array of exact points")
    check_exact_points(points, size, str(path))
    return points


def write_frame(sample: RGBDSample, folder: Path) -> None:
    """Write one sample's files: `NAME.png`, `NAME.depth.png`, `NAME.points.npy`.

    `frame_entry` gives image and depth these names; the last is there where the sample has exact
    points, and is named by `frame_entry(..., points=...)`.
    """
    if sample.exact_points is not None:
        path = folder / f"{sample.name}.points.npy"
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, sample.exact_points)
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


def _check_sizes(
    path: Path, entry: FrameEntry, image: tuple[int, ...], depth: tuple[int, ...]
) -> None:
    """The files must be as large as the index says."""
    for what, shape, declared in (
        ("image", image, entry.image_size),
        ("depth", depth, entry.depth_size),
    ):
        if declared is not None and declared != tuple(shape):
            raise DataError(
                f"{path}: the {what} is {shape[0]}x{shape[1]}, "
                f"the index says {declared[0]}x{declared[1]}"
            )


def _describe(mode: str) -> str:
    return {"L": "8-bit grey", "P": "8-bit palette", "RGB": "8-bit colour"}.get(
        mode, f"mode {mode}"
    )
