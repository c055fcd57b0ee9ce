"""What every source of frames is: named frames that are known before they are read.

How a source is asked for is in `spd.data.source_name`; `spd.data.sources.open_samples` opens one,
whatever its form.
"""

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from spd.data.sample import SampleSequence
from spd.data.source_name import SourceOptions
from spd.errors import DataError


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

    @property
    def notes(self) -> list[str]:
        """What this form has to say of what it found, and no reason to refuse it."""
        return []

    def image_file(self, number: int) -> Path | None:
        """The image file of a frame, for `spd.photos.reading.read_image`; None if it has none.

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
    return DataError(
        f"{path} lacks {len(missing)} file(s) of its index: {listed}; bring them back, or take "
        "their frames out of the index"
    )
