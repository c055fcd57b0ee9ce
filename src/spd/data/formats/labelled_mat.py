"""`nyu_depth_v2_labeled.mat`: NYU's 1,449 labelled frames as their authors published them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from spd.data import nyu_dataset as nyu
from spd.data.depth_units import to_metres
from spd.data.formats.hdf5 import dataset, keys_of, open_hdf5
from spd.data.formats.nyu_source import NyuSource
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split
from spd.errors import DataError, reason_of

if TYPE_CHECKING:
    import h5py

FILE = "nyu_depth_v2_labeled.mat"
SPLITS = "splits.mat"
KEYS = {"raw": "rawDepths", "filled": "depths"}


class LabelledMat(NyuSource):
    """Frames of the labelled .mat file, or of its split `train` or `test`.

    The path is the file, or a folder that holds it. `depth=raw`, the default, is the sensor's depth
    with holes, on which published results are scored; `depth=filled` has the holes filled in.
    Splits come from `splits.mat` beside the file, which counts from 1. Without it, a file of all
    1,449 frames has the official splits, and any other file has none.
    """

    format: ClassVar[str] = "nyu-labelled-mat"
    allowed_options = ("depth", "focal_px", "border")
    allowed_depths = ("raw", "filled")

    def _open(self) -> None:
        self.file = self.path / FILE if self.path.is_dir() else self.path
        if not self.file.is_file():
            raise DataError(f"file {self.file} does not exist")
        self.depth_key = KEYS[self.options.depth or "raw"]
        with open_hdf5(self.file, str(self.file)) as opened:
            count = self._count(opened)
            scenes = _scenes(opened, count, str(self.file))
        split, splits = self.split, _splits(self.file, count)
        if split is not None and not splits:
            raise DataError(
                f"{self.file} contains {count} of the {nyu.LABELLED_FRAMES} labelled frames, so "
                f"split {split!r} needs a {SPLITS} in the same folder, with frame numbers that "
                "refer to this file"
            )
        self.held = count
        self.numbers = [n for n in range(count) if split is None or splits.get(n) == split]
        """Index in the file of each frame, from 0."""
        if not self.numbers:
            raise no_such_split(self.file, split, list(splits.values()))
        whole = count == nyu.LABELLED_FRAMES
        self.frames = [
            Frame(f"labelled/{n:05d}", splits.get(n), scenes[n], n if whole else None)
            for n in self.numbers
        ]

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """An HDF5 file with arrays of images and depths, or the published file name."""
        file = path / FILE if path.is_dir() else path
        if file.suffix != ".mat" or not file.is_file():
            return None
        keys = keys_of(file)
        found = next((key for key in KEYS.values() if key in keys), None)
        if found and "images" in keys:
            return f"{file.name} contains images and {found}"
        return f"the file is named {FILE}" if file.name == FILE else None

    @property
    def stored(self) -> str:
        """Type and unit of the stored depth, and which of the two depths is read."""
        holes = "holes filled" if self.depth_key == "depths" else "0 = missing"
        return f"float32 {self.depth_key}, metres, {holes}"

    @property
    def notes(self) -> list[str]:
        """Effect of a missing `splits.mat`."""
        if self.file.with_name(SPLITS).is_file():
            return []
        if self.held == nyu.LABELLED_FRAMES:
            train = nyu.LABELLED_FRAMES - nyu.TEST_FRAMES
            return [
                f"there is no {SPLITS} next to the file, but it contains all {self.held:,} frames, "
                f"so the official split is used: train {train}, test {nyu.TEST_FRAMES}"
            ]
        return [
            f"the file contains {self.held} of the {nyu.LABELLED_FRAMES:,} labelled frames and has "
            f"no {SPLITS} next to it, so it has no splits, and frame numbers do not identify test "
            f"frames; add a {SPLITS} with frame numbers that refer to this file, or pass a test "
            "set with --against"
        ]

    def files_of(self, number: int) -> tuple[Path, ...]:
        """The one file of all frames."""
        return (self.file,)

    def read(self, number: int) -> RGBDSample:
        """Read a sample; the other frames of the file are not read."""
        place, name = self.numbers[number], self.frames[number].name
        where = f"{self.file}: frame {place}"
        with open_hdf5(self.file, where) as opened:
            # MATLAB stores columns first, so the axes of each array are reversed.
            image = dataset(opened, "images", str(self.file))[place].transpose(2, 1, 0)
            stored = dataset(opened, self.depth_key, str(self.file))[place].T
        return self.sample(image, to_metres(stored, "metre", where), name, where=where)

    def _count(self, opened: "h5py.File") -> int:
        """Number of frames, after a check of the arrays' shapes and types."""
        images = dataset(opened, "images", str(self.file))
        depths = dataset(opened, self.depth_key, str(self.file))
        count = images.shape[0] if images.ndim else 0
        width, height = nyu.SIZE[1], nyu.SIZE[0]
        for key, found, shape, kind in (
            ("images", images, (count, 3, width, height), "uint8"),
            (self.depth_key, depths, (count, width, height), "float32"),
        ):
            if found.shape != shape or found.dtype != kind:
                raise DataError(
                    f"{self.file}: {key} is {found.dtype} {found.shape}; expected {kind} {shape}"
                )
        return count


def _scenes(opened: "h5py.File", count: int, name: str) -> list[str | None]:
    """Scene of every frame, stored as references to arrays of 16-bit characters."""
    if "scenes" not in opened:
        return [None] * count
    references = dataset(opened, "scenes", name)[()].ravel()
    if len(references) != count:
        raise DataError(f"{name}: scenes has {len(references)} frames, but images has {count}")
    try:
        return ["".join(map(chr, opened[reference][()].ravel())) for reference in references]
    except (ValueError, TypeError, AttributeError, KeyError):
        raise DataError(
            f"{name}: scenes must contain references to scene names; is the file complete?"
        ) from None


def _splits(file: Path, count: int) -> dict[int, str]:
    """Split by index in the file: from `splits.mat`, else the official one of a complete file."""
    beside = file.with_name(SPLITS)
    if beside.is_file():
        return _read_splits(beside, file, count)
    if count != nyu.LABELLED_FRAMES:
        return {}
    test = nyu.official_test_frames()
    return {n: "test" if n in test else "train" for n in range(count)}


def _read_splits(path: Path, file: Path, count: int) -> dict[int, str]:
    contents = _load_mat(path)
    splits: dict[int, str] = {}
    for split, key in (("train", "trainNdxs"), ("test", "testNdxs")):
        if key not in contents:
            raise DataError(f"{path} has no {key}; expected trainNdxs and testNdxs, counted from 1")
        for number in contents[key].ravel().tolist():
            if not 1 <= number <= count:
                raise DataError(
                    f"{path}: {key} has {number}, but {file.name} has frames 1 to {count}"
                )
            if splits.setdefault(int(number) - 1, split) != split:
                raise DataError(f"{path}: frame {number} is in both trainNdxs and testNdxs")
    return splits


def _load_mat(path: Path) -> dict[str, Any]:
    """Arrays of a .mat file before version 7.3, which is not HDF5."""
    from scipy.io import loadmat

    try:
        return loadmat(path)
    except Exception as error:  # a damaged file raises many types
        raise DataError(
            f"{path} is damaged, or not a MATLAB file older than version 7.3 ({reason_of(error)})"
        ) from None
