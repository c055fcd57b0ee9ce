"""What every source of frames is: named frames that are known before they are read.

A source is asked for as `PATH`, `PATH:SPLIT` or `PATH:SPLIT,key=value,...`; the keys are those of
:class:`SourceOptions`. `spd.data.sources.open_samples` opens them, whatever their form.
"""

import abc
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from spd.config import Frozen
from spd.data.sample import SampleSequence
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
            raise DataError(f"{text}: {error}") from None
        scheme = HUB if head.startswith(HUB) else ""
        path, colon, split = head.removeprefix(scheme).rpartition(":")
        if not colon or Path(head).exists():
            return cls(head, None, options)
        return cls(scheme + path, split, options)


def _assignment(text: str) -> tuple[str, Any]:
    key, _, value = text.partition("=")
    try:
        return key, float(value)
    except ValueError:
        return key, value


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """What is known of one frame before it is read."""

    name: str
    """Unique within its source; what messages and tables call it."""
    split: str | None = None
    """The part of the data it belongs to."""
    scene: str | None = None
    """The room or sequence it was taken in, where the source says so."""
    official_number: int | None = None
    """Its place, from 0, among the 1,449 labelled frames of NYU Depth V2, where that is known."""
    has_focal: bool = True
    """Whether its focal length is known; without one it is neither trained on nor scored."""


class Source(SampleSequence):
    """Frames of one file or folder; reading one gives an `RGBDSample`.

    A subclass is one form that RGB-D data comes in. Its constructor takes `(path, split, options)`;
    it finds all frames of the split and names every file that is missing, so that a long run does
    not find out later, and raises `DataError` where the split is not there, a file is unreadable
    or an option does not apply. `read` must work in another process: keep no open files in
    attributes.
    """

    form: ClassVar[str]
    """What this form is called in tables, and in `form=`."""
    frames: Sequence[Frame]
    """Set by the constructor of a subclass."""

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        self.path = Path(path)
        self.split = split
        self.options = options or SourceOptions()

    @classmethod
    @abc.abstractmethod
    def recognise(cls, path: Path) -> str | None:
        """What about this path shows that it is of this form, in a few words; None if nothing.

        Looks at content: names of entries, first bytes, keys of a file. Reads no frame.
        """

    @property
    @abc.abstractmethod
    def stored(self) -> str:
        """How depth is stored and what unit it is read in, such as `16-bit PNG, millimetres`."""

    @property
    def is_nyu(self) -> bool:
        """Whether these are frames of NYU Depth V2."""
        return False

    def image_file(self, number: int) -> Path | None:
        """The file that frame's image is, as `spd.images.read_image` takes it; None if in none.

        Converting copies it unchanged instead of encoding the image anew.
        """
        return None

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({str(self.path)!r}, split={self.split!r}, {len(self)} frames)"
        )


def refuse_options(form: str, options: SourceOptions, allowed: Sequence[str]) -> None:
    """Refuse options that a form has no use for; an option that does nothing misleads.

    Raises:
        DataError: naming the options there are.
    """
    given = {name for name, value in options.to_dict().items() if value is not None} - {"form"}
    for name in sorted(given - set(allowed)):
        known = ", ".join(allowed) or "none"
        raise DataError(f"{form} has no use for {name}=; its options are: {known}")


def no_such_split(path: Path | str, split: str | None, known: Sequence[str | None]) -> DataError:
    """The error for a split without a frame, naming those there are."""
    there_are = ", ".join(sorted({name for name in known if name is not None})) or "none"
    wanted = "" if split is None else f" of split {split!r}; its splits are {there_are}"
    return DataError(f"{path} has no frame{wanted}")


def missing_files(path: Path, missing: Sequence[str]) -> DataError:
    """The error for files that an index names and that are not there, all counted."""
    listed = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
    return DataError(f"{path} lacks {len(missing)} file(s) of its index: {listed}")
