"""Name of a source as the user writes it: `PATH`, `PATH:SPLIT` or `PATH:SPLIT,key=value,...`.

Needs no reader, so a command refuses a mistyped name before torch is loaded.
"""

import dataclasses
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from spd.config import Frozen
from spd.errors import ConfigError, DataError

HUB = "hf://datasets/"  # prefix of a data set on the Hugging Face hub, as its own clients write it


class SourceOptions(Frozen):
    """Facts that the user states because the files do not contain them, or contain them wrongly."""

    format: str | None = None
    """Name of the reader to use, where several would fit."""
    depth: Literal["raw", "filled", "range"] | None = None
    """`raw`: sensor readings with holes; `filled`: depth with the holes filled in; `range`: the
    stored values are distances along the rays, to be converted to camera z."""
    unit: Literal["millimetre", "metre"] | Annotated[float, Field(gt=0)] | None = None
    """Unit of the stored depth; a number is the count of stored units per metre (TUM: 5000)."""
    max_depth_m: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Largest depth to train on and to score, in metres; None: 10 m."""
    focal_px: float | None = Field(None, gt=0)
    """Focal length in pixels of the stored images."""
    camera: Literal["nyu"] | None = None
    """`nyu`: NYU Depth V2's colour camera, for 640x480 frames and frames downscaled from them
    at the same aspect ratio."""
    border: Literal["nyu", "none"] | None = None
    """`nyu`: mask the white border of NYU's 640x480 frames; `none`: mask nothing."""
    root: str | None = None
    """Folder that the paths in a list or table are relative to."""


@dataclasses.dataclass(frozen=True, slots=True)
class SourceName:
    """A source as the user writes it, split into its parts."""

    path: str
    """File, folder, or `hf://datasets/NAME`."""
    split: str | None
    """Part of the data; None: all of it."""
    options: SourceOptions
    """Options after the path and split."""

    @classmethod
    def parse(cls, text: str) -> "SourceName":
        """Parse `PATH[:SPLIT][,key=value]...`.

        Raises:
            DataError: on an unknown key or a value of another type.
        """
        if Path(text).exists():
            return cls(text, None, SourceOptions())
        head, *assignments = re.split(r",(?=\w+=)", text)
        try:
            options = SourceOptions(**dict(_assignment(item) for item in assignments))
        except ConfigError as error:
            keys = ", ".join(SourceOptions.model_fields)
            raise DataError(f"{text}: {error}; the options of a source are {keys}") from None
        scheme = HUB if head.startswith(HUB) else ""
        path, colon, split = head.removeprefix(scheme).rpartition(":")
        if not colon or Path(head).exists():
            return cls(head, None, options)
        return cls(scheme + path, split, options)

    def check_exists(self) -> None:
        """Refuse a path that does not exist, as far as that shows without opening it.

        Raises:
            DataError: if the path does not exist. With `format=` the reader itself refuses it.
        """
        checked_by_reader = self.options.format is not None or self.path.startswith(HUB)
        if not checked_by_reader and not Path(self.path).exists():
            raise DataError(f"no file or folder {self.path}")


def _assignment(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        return key, float(value)
    except ValueError:
        return key, value
