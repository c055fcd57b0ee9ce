"""Finding images and depth maps below a folder by the names of its folders and files."""

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from spd.data.formats.general import SPLITS
from spd.data.formats.pair_names import role_of, sides
from spd.errors import DataError, reason_of

IMAGE_ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".ppm", ".pnm", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif"),
)
DEPTH_ENDINGS = (".png", ".tif", ".tiff", ".npy", ".npz", ".pgm", ".pfm", ".exr")
ARRAYS = (".npy", ".npz", ".pfm", ".exr")
"""Extensions of depth maps that no image has."""
MOST_FOLDERS = 4
"""Largest number of folders between a source and the folders of its images."""
FOLDERS_LOOKED_AT = 100
"""Largest number of folders that are searched for an example."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Images and depth maps that belong together: two folders, or one folder with both."""

    scene: str
    """Path below the source, ending in `/`; empty for the source itself."""
    image_folder: Path
    images: Sequence[str]
    """Paths below `image_folder`."""
    depth_folder: Path
    depths: Sequence[str]
    """Paths below `depth_folder`."""

    def evidence(self, path: Path) -> str:
        """Paths of images and depth maps below `path`, in a few words."""
        names = [
            f"{folder.relative_to(path).as_posix()}/{'' if folder != other else files[0]}"
            for folder, files, other in (
                (self.image_folder, self.images, self.depth_folder),
                (self.depth_folder, self.depths, self.image_folder),
            )
        ]
        return f"contains {' and '.join(name.removeprefix('./') for name in names)}"


def parts(folder: Path, scene: str = "") -> Iterator[Part]:
    """All parts of a folder, at up to `MOST_FOLDERS` levels below it.

    Raises:
        DataError: if several folders of one place could contain the images, or the depth maps; if
            a folder cannot be read.
    """
    folders, files = _entries(folder)
    paired = _sides(folder, folders)
    for images, depths in paired:
        image_folder, depth_folder = (_only(folder, names) for names in (images, depths))
        rest = role_of(images[0])[1]
        rest = rest if len(paired) > 1 or rest.lower() in SPLITS else ""
        yield Part(
            scene + (f"{rest}/" if rest else ""),
            image_folder,
            list(below(image_folder, IMAGE_ENDINGS)),
            depth_folder,
            list(below(depth_folder, DEPTH_ENDINGS)),
        )
    if paired:
        return
    mixed = _mixed(files)
    if mixed is not None:
        yield Part(scene, folder, mixed[0], folder, mixed[1])
    if scene.count("/") < MOST_FOLDERS:
        for name in folders:
            yield from parts(folder / name, f"{scene}{name}/")


def top_evidence(path: Path) -> str | None:
    """Folders directly in `path` that contain images and depth maps, in a few words."""
    found = _sides(path, _entries(path)[0])
    return f"contains {found[0][0][0]}/ and {found[0][1][0]}/" if found else None


def below(folder: Path, endings: Sequence[str]) -> Iterator[str]:
    """Paths below a folder, at any depth, without hidden files."""
    for parent, _, names in os.walk(folder, followlinks=True):
        inner = Path(parent).relative_to(folder).as_posix()
        before = "" if inner == "." else f"{inner}/"
        for name in names:
            if name.lower().endswith(tuple(endings)) and not name.startswith("."):
                yield before + name


def csv_advice(path: Path, image: str, depth: str) -> str:
    """Advice to list pairs of files, given by paths below the folder `path`, in a CSV file."""
    table = path / "pairs.csv"
    return (
        f'list the pairs in a CSV file: write {table} with the first line "image,depth" and one '
        f'line for each pair, such as "{image},{depth}", and run spd data check '
        f"{table},focal_px=PIXELS (docs/formats.md); for training, add a column split (train, val)"
    )


def unknown_advice(path: Path) -> str:
    """Advice to write a CSV file for a folder of unknown names; empty if it has no images."""
    if not path.is_dir():
        return ""
    walked = itertools.islice(os.walk(path), FOLDERS_LOOKED_AT)
    files = sorted(
        (Path(parent) / name).relative_to(path).as_posix()
        for parent, _, names in walked
        for name in names
        if not name.startswith(".")
    )
    firsts = {_kind(name): name for name in reversed(files)}.values()
    images = [name for name in firsts if name.lower().endswith(IMAGE_ENDINGS)]
    deep = {_kind(name) for name in images if _is_deep(path / name)}
    order = {ending: place for place, ending in enumerate(IMAGE_ENDINGS)}
    image = min(
        images, key=lambda n: (_kind(n) in deep, order[Path(n).suffix.lower()], n), default=None
    )
    if image is None:
        return ""
    others = [n for n in files if n.lower().endswith(DEPTH_ENDINGS) and _kind(n) != _kind(image)]
    stem = Path(image).stem
    depth = min(
        others,
        key=lambda n: (
            not n.lower().endswith(ARRAYS) and _kind(n) not in deep,
            Path(n).stem != stem,
            n,
        ),
        default="DEPTH_MAP",
    )
    return f"; to read images and depth maps of any name, {csv_advice(path, image, depth)}"


def _is_deep(file: Path) -> bool:
    """True if an image has more than 8 bits per channel, as depth maps do; reads the header."""
    if not file.is_file():  # reading a named pipe would wait forever
        return False
    try:
        with Image.open(file) as opened:
            return opened.mode.startswith(("I", "F"))
    except Exception:  # a damaged file raises many types
        return False


def _kind(name: str) -> tuple[str, str]:
    """Folder and extension, which files of one kind share."""
    folder, _, file = name.rpartition("/")
    return folder, file.rpartition(".")[2].lower()


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in a folder, without hidden ones."""
    try:
        with os.scandir(folder) as entries:
            shown = sorted((e.name, e.is_dir()) for e in entries if not e.name.startswith("."))
    except FileNotFoundError:  # removed in the meantime
        shown = []
    except OSError as error:
        raise DataError(f"cannot read {folder}: {reason_of(error)}") from None
    return [name for name, is_dir in shown if is_dir], [
        name for name, is_dir in shown if not is_dir
    ]


def _sides(folder: Path, names: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Folders of images, each with its folders of depth maps."""
    return sides(name for name in names if _holds(folder / name, role_of(name)[0]))


def _holds(folder: Path, role: str | None) -> bool:
    endings = {"image": IMAGE_ENDINGS, "depth": DEPTH_ENDINGS}.get(role or "", ())
    return bool(endings) and next(below(folder, endings), None) is not None


def _only(folder: Path, names: Sequence[str]) -> Path:
    if len(names) != 1:
        raise DataError(
            f"{folder} must contain exactly one folder named image, images, rgb, color or the "
            f"like, and one named depth, got {', '.join(names)}"
        )
    return folder / names[0]


def _mixed(files: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Images and depth maps in one folder; without names of images, those of unknown role."""
    roles = {name: role_of(name.rpartition(".")[0])[0] for name in files}
    depths = [n for n in files if roles[n] == "depth" and n.lower().endswith(DEPTH_ENDINGS)]
    pictures = [n for n in files if n.lower().endswith(IMAGE_ENDINGS)]
    images = [n for n in pictures if roles[n] == "image"] or [
        n for n in pictures if roles[n] is None
    ]
    return (images, depths) if images and depths else None
