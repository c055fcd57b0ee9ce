"""`frames.json`, the index of an RGB-D folder (`docs/data.md`)."""

from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, model_validator

from spd.config import Frozen, Int
from spd.errors import ConfigError, DataError
from spd.files import LISTED_BYTES, read_json
from spd.pixels import Intrinsics

INDEX = "frames.json"
UNIT: Literal["millimetre, 0 = no reading"] = "millimetre, 0 = no reading"


class CameraEntry(Frozen):
    """Intrinsics of a frame in pixels of its image; integers are pixel centres."""

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
        """Convert to `Intrinsics` with positive focal lengths.

        A negative focal length, as in ICL-NUIM, flips an axis of the camera frame. The image is
        unchanged by that, so only the magnitude counts.
        """
        return Intrinsics(abs(self.fx), abs(self.fy), self.cx, self.cy)


class FrameEntry(Frozen):
    """One frame of `frames.json`; other keys are allowed and ignored."""

    model_config = ConfigDict(extra="allow")

    image: str
    """Path of the image, relative to the folder."""
    depth: str
    """Path of the 16-bit PNG depth map, relative to the folder."""
    depth_unit: Literal["millimetre, 0 = no reading"] = UNIT
    """Unit of the depth map; only this one is supported."""
    intrinsics: CameraEntry | None = None
    """Camera; None: unknown, so the frame is neither trained on nor scored."""
    split: str | None = None
    """Part of the data, such as `train`."""
    image_size: tuple[Int, Int] | None = None
    """(height, width) in pixels; checked against the image file."""
    depth_size: tuple[Int, Int] | None = None
    """(height, width) of the depth map, which may have another resolution; checked as well."""
    dataset: str = ""
    """Name of the data set; `NYU...` masks the white border of 640x480 frames."""
    scene: str | None = None
    """Room or sequence; training refuses scenes of the validation data."""
    official_number: Int | None = None
    """Index, from 0, among NYU's 1,449 labelled frames."""
    points: str | None = None
    """Path of exact points: `.npy`, float32 [n, 3] of (u, v, depth in metres) on the image."""


def read_index(folder: Path) -> list[FrameEntry]:
    """Read the index of an RGB-D folder.

    Raises:
        DataError: if the index is missing or malformed, with the number of the frame.
    """
    index = folder / INDEX
    if not index.is_file():
        raise DataError(f"{folder} is not an RGB-D folder: it contains no {INDEX}")
    try:
        entries = read_json(index, LISTED_BYTES)
    except (OSError, ValueError) as error:
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
