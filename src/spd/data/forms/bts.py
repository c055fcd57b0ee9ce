"""NYU as BTS unpacked it, which most later work trains and tests on: folders and lists."""

import dataclasses
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from spd.data import nyu_dataset as nyu
from spd.data.folder import read_depth_png
from spd.data.forms.nyu_source import NyuSource, unit_words
from spd.data.sample import RGBDSample
from spd.data.source import Frame, missing_files, no_such_split, refuse_options
from spd.data.source_name import SourceOptions
from spd.errors import DataError, InputError
from spd.geometry import Intrinsics
from spd.photos.reading import read_image

IMAGE = re.compile(r"rgb_(\d+)\.(?:jpg|jpeg|png)")
DEPTH = re.compile(r"(?:sync_)?depth\w*_(\d+)\.png")
SCENE_TYPE = re.compile(r"[a-z]+(?:_[a-z]+)*")  # a raw scene has a number behind it
SPLITS = {"train": "train", "sync": "train", "test": "test"}
PLACES = ("sync", "official_splits/test", "official_splits/train")


@dataclasses.dataclass(frozen=True, slots=True)
class _Pair:
    """One frame's files, from the root, and the focal length a list gives it."""

    image: str
    depth: str
    focal: float | None = None


class BTS(NyuSource):
    """Frames of BTS's folders, of one of them, or of one of its lists.

    The path is the folder that holds `sync` or `official_splits`, either of these, a split's
    folder, or a list of lines `IMAGE DEPTH [FOCAL]`. `train` is `sync` where there is one, else
    `official_splits/train`; `test` is `official_splits/test`. The number in the file names of
    `official_splits`, whose folders are types of rooms, is the official one. Paths in a list start
    from `root=`, or else from the first folder around the list in which its first image lies.
    """

    form: ClassVar[str] = "bts"

    def __init__(
        self, path: str | Path, split: str | None = None, options: SourceOptions | None = None
    ) -> None:
        super().__init__(path, split, options)
        listed = not self.path.is_dir()
        allowed = ("unit", "focal_px", "border", *(["root"] if listed else []))
        refuse_options(self.form, self.options, allowed)
        self.unit = "millimetre" if self.options.unit is None else self.options.unit
        parts = self._listed() if listed else list(_scan(self.path))
        chosen = [part for part in parts if split is None or part[1] == split]
        self.pairs = [(root, pair) for root, _, pairs in chosen for pair in pairs]
        if not self.pairs:
            raise no_such_split(self.path, split, [name for _, name, pairs in parts if pairs])
        self._check_files()
        names = (
            pair.image if listed else (root / pair.image).relative_to(self.path).as_posix()
            for root, pair in self.pairs
        )
        splits = [name for _, name, pairs in chosen for _ in pairs]
        self.frames = [
            _frame(name, split_name, pair)
            for name, split_name, (_, pair) in zip(_unique(names), splits, self.pairs, strict=True)
        ]

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """Folders with `rgb_NUMBER.jpg`, or a text file that names such images and their depth."""
        if path.is_file():
            first = _first_line(path) if path.suffix == ".txt" else ""
            return f"it lists {first.split()[0]}" if _is_pair(first.split()[:2]) else None
        for folder, _ in _split_folders(path) if path.is_dir() else ():
            for scene in _folders(folder)[:3]:
                for name in sorted(os.listdir(scene)):
                    if IMAGE.fullmatch(name):
                        return f"it holds {(scene / name).relative_to(path).as_posix()}"
        return None

    @property
    def stored(self) -> str:
        """16-bit PNG; BTS wrote millimetres."""
        return f"16-bit PNG, {unit_words(self.unit)}"

    def read(self, number: int) -> RGBDSample:
        """The sample of that number, read from disk."""
        root, pair = self.pairs[number]
        path = root / pair.image
        try:
            image = read_image(path)
        except InputError as error:
            raise DataError(str(error)) from None
        depth_m = read_depth_png(root / pair.depth, self.unit)
        camera = None
        if pair.focal is not None and self.options.focal_px is None:
            camera = _camera(pair.focal, (image.shape[0], image.shape[1]), path)
        return self.sample(image, depth_m, self.frames[number].name, where=str(path), camera=camera)

    def image_file(self, number: int) -> Path:
        """The photo of the pair."""
        root, pair = self.pairs[number]
        return root / pair.image

    def _listed(self) -> list[tuple[Path, str | None, list[_Pair]]]:
        pairs = _read_list(self.path)
        root = self._root(pairs[0]) if pairs else self.path.parent
        return [(root, SPLITS.get(root.absolute().name), pairs)]

    def _root(self, first: _Pair) -> Path:
        """Where the paths of a list start."""
        if self.options.root is not None:
            root = Path(self.options.root)
            if not root.is_dir():
                raise DataError(f"{self.path}: no folder root={root}")
            return root
        around = [self.path.absolute().parent, *self.path.absolute().parent.parents][:3]
        tried = [around[0], *(folder / place for folder in around for place in PLACES)]
        for root in tried:
            if (root / first.image).is_file():
                return root
        raise DataError(
            f"{self.path}: no {first.image} in {around[0]}, nor in {', '.join(PLACES)} of "
            f"{', '.join(map(str, around))}; say where the paths start with root="
        )

    def _check_files(self) -> None:
        named = [root / name for root, pair in self.pairs for name in (pair.image, pair.depth)]
        missing = [str(path) for path in named if not path.is_file()]
        if missing:
            raise missing_files(self.path, missing)


def _frame(name: str, split: str | None, pair: _Pair) -> Frame:
    folder = PurePosixPath(pair.image).parent.name
    match = IMAGE.fullmatch(PurePosixPath(pair.image).name)
    number = int(match[1]) if match else nyu.LABELLED_FRAMES
    of_type = SCENE_TYPE.fullmatch(folder) is not None and folder not in SPLITS
    official = number if of_type and number < nyu.LABELLED_FRAMES else None
    return Frame(name, split, None if of_type or not folder else folder, official)


def _unique(names: Iterator[str]) -> Iterator[str]:
    """Number what a list names again: `x.jpg`, `x.jpg#2`."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}"


def _camera(focal: float, size: tuple[int, int], path: Path) -> Intrinsics | None:
    """What the focal column says; None is NYU's own camera."""
    if focal == 0 and size != nyu.SIZE:
        raise DataError(
            f"{path} is {size[0]}x{size[1]} and its list gives it focal length 0, which stands for "
            "NYU's only at 480x640; say the true one with focal_px="
        )
    if focal == 0 or math.isclose(focal, nyu.CAMERA.fx, abs_tol=0.01):
        return None
    return Intrinsics.centred(focal, size)


def _split_folders(path: Path) -> list[tuple[Path, str | None]]:
    """The folders of scenes in this one, and the splits they are."""
    sync, official = path / "sync", path / "official_splits"
    found: list[tuple[Path, str | None]]
    if sync.is_dir() or official.is_dir():
        train = sync if sync.is_dir() else official / "train"
        found = [(train, "train"), (official / "test", "test")]
    elif (path / "train").is_dir() or (path / "test").is_dir():
        found = [(path / "train", "train"), (path / "test", "test")]
    else:
        found = [(path, SPLITS.get(path.absolute().name))]
    return [(folder, split) for folder, split in found if folder.is_dir()]


def _folders(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir())


def _scan(path: Path) -> Iterator[tuple[Path, str | None, list[_Pair]]]:
    """All pairs of each split's folder, by the images or the depth that are there."""
    for folder, split in _split_folders(path):
        pairs = []
        for scene in _folders(folder):
            images: dict[str, str] = {}
            for name in os.listdir(scene):
                if match := IMAGE.fullmatch(name):
                    images[match[1]] = name
                elif match := re.fullmatch(r"sync_depth_(\d+)\.png", name):
                    images.setdefault(match[1], f"rgb_{match[1]}.jpg")
            pairs += [
                _Pair(f"{scene.name}/{images[n]}", f"{scene.name}/sync_depth_{n}.png")
                for n in sorted(images)
            ]
        yield folder, split, pairs


def _first_line(path: Path) -> str:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return file.read(4096).strip().partition("\n")[0]


def _is_pair(columns: Sequence[str]) -> bool:
    """Whether these are names that BTS gives to NYU's frames; its lists for KITTI have others."""
    names = [PurePosixPath(column).name for column in columns]
    return (
        len(names) == 2
        and IMAGE.fullmatch(names[0]) is not None
        and (DEPTH.fullmatch(names[1]) is not None or names[1] == "None")
    )


def _read_list(path: Path) -> list[_Pair]:
    if not path.is_file():
        raise DataError(f"no file or folder {path}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file ({error})") from None
    rows = [(place, line.split()) for place, line in enumerate(lines, 1) if line.strip()]
    without = [place for place, columns in rows if columns[1:2] == ["None"]]
    if without:
        raise DataError(
            f"{path}: {len(without)} line(s) have no depth (None), the first is line {without[0]}; "
            "take them out"
        )
    return [_pair(f"{path}: line {place}", columns) for place, columns in rows]


def _pair(where: str, columns: Sequence[str]) -> _Pair:
    """One line; what follows the focal length is other people's."""
    if not _is_pair(columns[:2]):
        raise DataError(
            f"{where} is {' '.join(columns[:3])!r}, expected NYU's rgb_NUMBER.jpg "
            "sync_depth_NUMBER.png FOCAL; other data goes into a table (docs/data.md)"
        )
    image, depth = (column.lstrip("/") for column in columns[:2])
    if len(columns) < 3:
        return _Pair(image, depth)
    try:
        focal = float(columns[2])
    except ValueError:
        focal = math.nan
    if not 0 <= focal < math.inf:
        raise DataError(f"{where}: focal length {columns[2]!r} is no positive number of pixels")
    return _Pair(image, depth, focal)
