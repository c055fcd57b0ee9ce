"""NYU as unpacked by BTS, which most later work trains and tests on: folders and lists."""

import dataclasses
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

from spd.data import nyu_dataset as nyu
from spd.data.depth_png import read_depth_png
from spd.data.depth_units import unit_words
from spd.data.formats.decoding import read_image_file
from spd.data.formats.nyu_source import NyuSource
from spd.data.formats.pair_names import role_of
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split, refuse_missing_files, refuse_options
from spd.data.turned import orientation_of
from spd.errors import DataError, reason_of
from spd.pixels import Intrinsics

IMAGE = re.compile(r"rgb_(\d+)\.(?:jpg|jpeg|png)")
DEPTH = re.compile(r"(?:sync_)?depth\w*_(\d+)\.png")
SCENE_TYPE = re.compile(r"[a-z]+(?:_[a-z]+)*")  # the name of a raw scene ends in a number
SPLITS = {"train": "train", "sync": "train", "test": "test"}
LIST_ENDINGS = (".txt", ".lst", ".list")
LIST_HEAD = 4096  # characters in which the first line of a list is looked for
ROOTS = ("sync", "official_splits/test", "official_splits/train")


@dataclasses.dataclass(frozen=True, slots=True)
class _Pair:
    """Files of one frame, and the split of their folder."""

    root: Path
    """Folder that the paths of image and depth map are relative to."""
    split: str | None
    image: str
    depth: str
    focal_px: float | None = None
    """Focal length in the list; 0: NYU's own; None: not given."""
    has_dense: bool = False
    """Whether the list names a filled-in depth map as well."""


class BTS(NyuSource):
    """Frames of BTS's folders, of one of them, or of one of its lists.

    The path is the folder that holds `sync` or `official_splits`, either of these, the folder of a
    split, or a list of lines `IMAGE DEPTH [FOCAL]`, or `IMAGE DEPTH DENSE_DEPTH [FOCAL]` as
    NeWCRFs and PixelFormer have them. Their loaders train on the sensor's DEPTH, which is read
    here too; `depth=filled` reads DENSE_DEPTH. `train` is `sync` if it exists, else
    `official_splits/train`; `test` is `official_splits/test`. In `official_splits`, whose folders
    are types of rooms, the number in a file name is the official one. Paths in a list are relative
    to `root=`, else to the first folder around the list in which its first image lies.
    """

    format: ClassVar[str] = "bts"
    allowed_options = ("unit", "focal_px", "border", "root", "depth")
    allowed_depths = ("raw", "filled")

    def _open(self) -> None:
        is_list = not self.path.is_dir()
        if not is_list:
            refuse_options(self.format, self.options, ("unit", "focal_px", "border"))
        self.unit = "millimetre" if self.options.unit is None else self.options.unit
        filled = self.options.depth == "filled"
        if is_list:
            pairs = _read_list(self.path, self.options.root, filled)
        else:
            pairs = list(_scan(self.path))
        split = self.split
        self.pairs = [pair for pair in pairs if split is None or pair.split == split]
        if not self.pairs:
            raise no_such_split(self.path, split, [pair.split for pair in pairs])
        files = (pair.root / name for pair in self.pairs for name in (pair.image, pair.depth))
        refuse_missing_files(self.path, files)
        self.frames = []
        seen: Counter[str] = Counter()  # a list may name an image twice: `x.jpg`, `x.jpg#2`
        for pair in self.pairs:
            file = pair.root / pair.image
            name = pair.image if is_list else file.relative_to(self.path).as_posix()
            seen[name] += 1
            unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
            self.frames.append(_frame(unique, pair))

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """Folders with `rgb_NUMBER.jpg`, or a text file with such names and their depth maps."""
        if path.is_file():
            first = _first_line(path) if path.suffix in LIST_ENDINGS else ""
            columns = _columns(first)
            return f"the list contains {columns[0]}" if _is_pair(columns) else None
        for folder, _ in _split_folders(path) if path.is_dir() else ():
            for scene in _folders(folder)[:3]:
                names = sorted(os.listdir(scene))
                if role_of(scene.name)[0] == "image" or any(map(_is_other_depth, names)):
                    continue  # somebody's own folders: rgb/rgb_1.jpg, or rgb_1.jpg and depth_1.png
                for name in names:
                    if IMAGE.fullmatch(name):
                        return f"contains {(scene / name).relative_to(path).as_posix()}"
        return None

    @property
    def stored(self) -> str:
        """Type and unit of the stored depth; BTS wrote millimetres."""
        return f"16-bit PNG, {unit_words(self.unit)}"

    def read(self, number: int) -> RGBDSample:
        """Read a sample from disk."""
        pair, path = self.pairs[number], self.image_file(number)
        image = read_image_file(path)
        depth_m = read_depth_png(pair.root / pair.depth, self.unit)
        camera = None
        if pair.focal_px is not None and self.options.focal_px is None:
            camera = _camera(pair.focal_px, (image.shape[0], image.shape[1]), path)
        return self.sample(
            image,
            depth_m,
            self.frames[number].name,
            where=str(path),
            camera=camera,
            orientation=orientation_of(path),
        )

    @property
    def notes(self) -> list[str]:
        """Note on which depth map is read, if the list names two."""
        both = sum(pair.has_dense for pair in self.pairs)
        if not both:
            return []
        if self.options.depth == "filled":
            read, other = "filled-in depth (third column)", "depth=raw reads the sensor's"
        else:
            read, other = "the sensor's depth (second column)", "depth=filled reads the filled-in"
        return [f"{both:,} lines name two depth maps; {read} is read, {other}"]

    def image_file(self, number: int) -> Path:
        """Image file of a frame."""
        return self.pairs[number].root / self.pairs[number].image

    def files_of(self, number: int) -> tuple[Path, ...]:
        """Image and depth map of a frame."""
        return self.image_file(number), self.pairs[number].root / self.pairs[number].depth

    def settings_of(self, number: int) -> str:
        """Focal length of a frame in the list."""
        return repr(self.pairs[number].focal_px)


def _is_other_depth(name: str) -> bool:
    return role_of(PurePosixPath(name).stem)[0] == "depth" and not name.startswith("sync_depth")


def _frame(name: str, pair: _Pair) -> Frame:
    image = PurePosixPath(pair.image)
    folder, match = image.parent.name, IMAGE.fullmatch(image.name)
    number = int(match[1]) if match else nyu.LABELLED_FRAMES
    is_type = SCENE_TYPE.fullmatch(folder) is not None and folder not in SPLITS
    official = number if is_type and number < nyu.LABELLED_FRAMES else None
    return Frame(name, pair.split, None if is_type or not folder else folder, official)


def _camera(focal_px: float, size: tuple[int, int], path: Path) -> Intrinsics | None:
    """Camera from the focal length in the list; None: NYU's own."""
    if focal_px == 0 and size != nyu.SIZE:
        raise DataError(
            f"{path} is {size[0]}x{size[1]} and its list gives focal length 0, which stands for "
            "NYU's focal length at 480x640 only; pass the correct focal length with focal_px="
        )
    if focal_px == 0 or math.isclose(focal_px, nyu.CAMERA.fx, abs_tol=0.01):
        return None
    return Intrinsics.centred(focal_px, size)


def _split_folders(path: Path) -> list[tuple[Path, str | None]]:
    """Folders of scenes in this folder, each with its split."""
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


def _scan(path: Path) -> Iterator[_Pair]:
    """Pairs of each split's folder; a frame counts if its image or its depth map exists."""
    for folder, split in _split_folders(path):
        for scene in _folders(folder):
            images: dict[str, str] = {}
            for name in os.listdir(scene):
                if match := IMAGE.fullmatch(name):
                    images[match[1]] = name
                elif match := re.fullmatch(r"sync_depth_(\d+)\.png", name):
                    images.setdefault(match[1], f"rgb_{match[1]}.jpg")
            for n in sorted(images):
                image, depth = f"{scene.name}/{images[n]}", f"{scene.name}/sync_depth_{n}.png"
                yield _Pair(folder, split, image, depth)


def _first_line(path: Path) -> str:
    """The first line that is neither empty nor a comment."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        lines = file.read(LIST_HEAD).splitlines()
    return next((line for line in lines if _columns(line)), "")


def _columns(line: str) -> list[str]:
    """Columns of a line, separated by white space or commas; [] for a comment."""
    columns = line.replace("\\", "/").replace(",", " ").split()
    return [] if columns and columns[0].startswith("#") else columns


def _is_pair(columns: Sequence[str]) -> bool:
    """Whether these are BTS's names for NYU's frames; its lists for KITTI have others."""
    names = [PurePosixPath(column).name for column in columns[:2]]
    return len(names) == 2 and IMAGE.fullmatch(names[0]) is not None and _is_depth(names[1])


def _is_depth(name: str) -> bool:
    return name == "None" or DEPTH.fullmatch(PurePosixPath(name).name) is not None


def _number_of(name: str) -> int:
    return int(PurePosixPath(name).stem.rpartition("_")[2])


def _read_list(path: Path, root: str | None, filled: bool) -> list[_Pair]:
    """Pairs in a list; text after the focal length is ignored."""
    if not path.is_file():
        raise DataError(f"no file or folder {path}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable text file ({reason_of(error)})") from None
    split_lines = ((number, _columns(line)) for number, line in enumerate(lines, 1))
    rows = [(number, columns) for number, columns in split_lines if columns]
    found = [_parse(f"{path}: line {number}", columns, filled) for number, columns in rows]
    without = [row[0] for row, pair in zip(rows, found, strict=True) if pair.depth == "None"]
    if without:
        raise DataError(
            f"{path}: {len(without)} line(s) have no depth (None), starting with line "
            f"{without[0]}; remove these lines"
        )
    if not found:
        return []
    folder, prefix = _find_root(path, root, found[0].image)
    pairs = []
    for pair in found:
        image, depth = _below(pair.image, prefix), _below(pair.depth, prefix)
        split = SPLITS.get((folder.absolute() / image).parent.parent.name)
        pairs.append(dataclasses.replace(pair, root=folder, split=split, image=image, depth=depth))
    return pairs


def _below(name: str, prefix: str) -> str:
    """Path of a file below the folder of the list; one that is elsewhere stays as it is."""
    if prefix == "/" or name.startswith(prefix):
        return name.removeprefix(prefix).lstrip("/")
    return name


def _find_root(path: Path, root: str | None, image: str) -> tuple[Path, str]:
    """Base folder of the paths in a list, and the prefix to remove from them.

    Both are derived from the first image. Absolute paths, even from another computer, end in scene
    and file; what stands before them is the prefix.
    """
    around = [path.absolute().parent, *path.absolute().parent.parents][:3]
    folders = [around[0], *(above / name for above in around for name in ROOTS)]
    if root is not None:
        if not Path(root).is_dir():
            raise DataError(f"{path}: the folder root={root} does not exist")
        folders = [Path(root)]
    elif image.startswith("/") and Path(image).is_file():
        folder = Path(image).parent.parent
        return folder, f"{folder.as_posix().rstrip('/')}/"
    parts = image.lstrip("/").split("/")
    for dropped in range(max(1, len(parts) - 1)):
        for folder in folders:
            if folder.joinpath(*parts[dropped:]).is_file():
                prefix = image.removesuffix("/".join(parts[dropped:])) if dropped else "/"
                return folder, prefix
    if root is not None:  # the missing files are listed
        return Path(root), "/"
    raise DataError(
        f"{path}: {image.lstrip('/')} is not in {around[0]}, nor in the subfolders "
        f"{', '.join(ROOTS)} of {', '.join(map(str, around))}; pass the base folder of the paths "
        "in the list with root="
    )


def _parse(where: str, columns: Sequence[str], filled: bool) -> _Pair:
    """Pair of one line, with the paths as written; its folder and split are not known yet."""
    if not _is_pair(columns):
        raise DataError(
            f"{where} is {' '.join(columns[:3])!r}; expected NYU's rgb_NUMBER.jpg "
            "sync_depth_NUMBER.png FOCAL. For other data, use a CSV table (docs/formats.md)"
        )
    image, depth, *rest = columns
    has_dense = bool(rest) and _is_depth(rest[0])
    dense = rest.pop(0) if has_dense else None
    for other in (depth, dense):
        if other not in (None, "None") and _number_of(image) != _number_of(other):
            raise DataError(
                f"{where} pairs {image} with {other}, which is the depth of another image; the "
                "numbers in both names must agree"
            )
    if filled:
        if dense is None:
            raise DataError(
                f"{where} names no second depth map, which depth=filled reads; remove that option"
            )
        depth = dense
    if not rest:
        return _Pair(Path(), None, image, depth, None, has_dense)
    try:
        focal_px = float(rest[0])
    except ValueError:
        focal_px = math.nan
    if not 0 <= focal_px < math.inf:
        raise DataError(f"{where}: focal length {rest[0]!r} is not a positive number of pixels")
    return _Pair(Path(), None, image, depth, focal_px, has_dense)
