"""Base class of all data sources: the frames are known before any is read.

`spd.data.source_name` parses how a user names a source; `spd.data.sources.open_samples` opens one
of any format.
"""

import abc
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from spd.data.sample import MAX_DEPTH_M, SampleSequence
from spd.data.source_name import SourceOptions
from spd.errors import DataError, listed


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """Metadata of one frame, known before it is read."""

    name: str
    """Name in messages and tables, unique within its source."""
    split: str | None = None
    """Part of the data, such as `train`."""
    scene: str | None = None
    """Room or sequence it was taken in; None: unknown."""
    official_number: int | None = None
    """Index, from 0, among the 1,449 labelled frames of NYU Depth V2; None: unknown."""
    has_focal: bool = True
    """Whether its focal length is known; without one it is neither trained on nor scored."""


class Source(SampleSequence):
    """Frames of one file or folder; reading one gives an `RGBDSample`.

    A subclass reads one format. Its `_open` finds all frames of the split and names every missing
    file, so that a long run fails at its start. `read` must work in another process, so attributes
    hold no open files.

    Args:
        path: file, folder, or `hf://datasets/NAME`.
        split: part of the data; None: all of it.
        options: facts stated by the user.

    Raises:
        DataError: if an option does not apply, the split does not exist, or files are missing.
    """

    format: ClassVar[str]
    """Name of the format in tables and in `format=`."""
    allowed_options: ClassVar[tuple[str, ...]] = ()
    """Names of the `SourceOptions` that the format takes, besides `format` and `max_depth_m`."""
    allowed_depths: ClassVar[tuple[str, ...]] = ()
    """Values of the option `depth` that the format takes."""
    frames: Sequence[Frame]
    """All frames of the split; `_open` sets them."""

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        self.address = str(path)
        self.path = Path(path)
        self.split = split
        self.options = options or SourceOptions()
        refuse_options(self.format, self.options, self.allowed_options)
        self._refuse_depth()
        self._open()

    @property
    def max_depth_m(self) -> float:
        """Largest depth that is trained on and scored, in metres."""
        return self.options.max_depth_m or MAX_DEPTH_M

    def _refuse_depth(self) -> None:
        depth = self.options.depth
        if depth is not None and depth not in self.allowed_depths:
            known = ", ".join(self.allowed_depths) or "none"
            raise DataError(
                f"format {self.format} does not accept depth={depth}; its values are: {known}"
            )

    @abc.abstractmethod
    def _open(self) -> None:
        """Find the frames and set `frames`."""

    @classmethod
    @abc.abstractmethod
    def recognise(cls, path: Path) -> str | None:
        """Evidence, in a few words, that the path has this format; None without any.

        Looks at names of entries, first bytes and keys of a file. Reads no frame.
        """

    @property
    @abc.abstractmethod
    def stored(self) -> str:
        """Type and unit of the stored depth, such as `16-bit PNG, millimetres`."""

    @property
    def is_nyu(self) -> bool:
        """Whether these are frames of NYU Depth V2."""
        return False

    @property
    def notes(self) -> list[str]:
        """Remarks on this source for the user; none of them is a reason to refuse it."""
        return []

    def image_file(self, number: int) -> Path | None:
        """Image file of a frame; None if the image is stored otherwise.

        Converting copies the file unchanged instead of encoding the image again.
        """
        return None

    def files_of(self, number: int) -> tuple[Path, ...]:
        """Files that `read` takes a frame from; frames may share them. None for data of the hub."""
        image = self.image_file(number)
        return () if image is None else (image,)

    def settings_of(self, number: int) -> str:
        """Settings that determine a frame beside its files, such as its camera, as text."""
        return ""

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({str(self.path)!r}, split={self.split!r}, {len(self)} frames)"
        )


def refuse_options(name: str, options: SourceOptions, allowed: Sequence[str]) -> None:
    """Refuse options that the format `name` does not take, and two cameras at once.

    Raises:
        DataError: with the options that the format takes.
    """
    given = {key for key, value in options.to_dict().items() if value is not None}
    given -= {"format", "max_depth_m"}
    for key in sorted(given - set(allowed)):
        known = ", ".join(allowed) or "none"
        raise DataError(f"format {name} does not accept {key}=; its options are: {known}")
    if options.camera is not None and options.focal_px is not None:
        raise DataError(
            f"camera={options.camera} and focal_px= both set the camera; pass only one of them"
        )


def no_such_split(path: Path | str, split: str | None, known: Sequence[str | None]) -> DataError:
    """Error for a split without frames; lists the splits of the source."""
    splits = ", ".join(sorted({name for name in known if name is not None}))
    splits = splits or "none (a CSV file names them in a column split)"
    wanted = "" if split is None else f" in split {split!r}; its splits are {splits}"
    return DataError(f"{path} has no frames{wanted}")


def refuse_missing_files(path: Path, files: Iterable[Path]) -> None:
    """Refuse a source whose index names files that do not exist.

    Raises:
        DataError: with the number of missing files and the first of them.
    """
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise DataError(
            f"{path}: {len(missing)} file(s) listed in the index are missing: "
            f"{listed(missing, 5)}; restore them, or remove their frames from the index"
        )
