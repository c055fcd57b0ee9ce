"""How a source is asked for: `PATH`, `PATH:SPLIT` or `PATH:SPLIT,key=value,...`.

Knows nothing of frames, so that a command refuses a mistyped name before torch is loaded.
"""

import dataclasses
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from spd.config import Frozen
from spd.errors import ConfigError, DataError

HUB = "hf://datasets/"  # how the hub's own clients write a data set that is not on this machine


class SourceOptions(Frozen):
    """What a user says about a source where its files do not say it, or say it wrongly."""

    form: str | None = None
    """Which reader to take, by its name, where several would fit."""
    depth: Literal["raw", "filled"] | None = None
    """`raw`: the sensor's readings with holes; `filled`: holes painted over."""
    unit: Literal["millimetre", "metre"] | Annotated[float, Field(gt=0)] | None = None
    """Of stored depth; a number is how many stored units make a metre (TUM: 5000)."""
    focal_px: float | None = Field(None, gt=0)
    """Focal length in pixels of the images as they are stored."""
    camera: Literal["nyu"] | None = None
    """`nyu`: NYU Depth V2's colour camera, for frames of 640x480 and their exact reductions."""
    border: Literal["nyu", "none"] | None = None
    """`nyu`: leave out the white border of NYU's 640x480 frames; `none`: there is none."""
    root: str | None = None
    """Folder that the paths in a list or table start from."""


@dataclasses.dataclass(frozen=True, slots=True)
class SourceName:
    """A source as a user writes it, taken apart."""

    path: str
    """A file, a folder, or `hf://datasets/NAME`."""
    split: str | None
    """One part of the data; None is all of it."""
    options: SourceOptions
    """What was said behind it."""

    @classmethod
    def parse(cls, text: str) -> "SourceName":
        """Take `PATH[:SPLIT][,key=value]...` apart.

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

    def check_there(self) -> None:
        """Refuse a path that is not there, as far as that shows without opening it.

        Raises:
            DataError: if nothing is there; a form that was named says so itself, and better.
        """
        named = self.options.form is not None or self.path.startswith(HUB)
        if not named and not Path(self.path).exists():
            raise DataError(f"no file or folder {self.path}")


def _assignment(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        return key, float(value)
    except ValueError:
        return key, value
