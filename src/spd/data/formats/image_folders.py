"""Two folders side by side: images in one, depth maps of the same names in the other.

Examples are the NYU of Ultralytics (`images/train`, `depth/train`) and TUM RGB-D (`rgb`, `depth`),
whose file names are the times of capture.
"""

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from spd.data.formats.file_pairs import FilePair, FilePairSource
from spd.data.formats.general import SPLITS, canonical_split
from spd.data.formats.timestamps import FURTHEST_PAIR_US, nearest, timestamp_us
from spd.data.frame_index import INDEX
from spd.data.source import Frame, no_such_split
from spd.errors import DataError, listed, reason_of, shortened

IMAGE_FOLDERS = ("image", "images", "rgb", "color", "colour")
DEPTH_FOLDERS = ("depth", "depths")
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
DEPTH_ENDINGS = (".png", ".tif", ".tiff", ".npy")
MAX_UNPAIRED_SHARE = 0.05
"""Largest share of images without a depth map near in time; above it the folders do not match."""


class ImageDepthFolders(FilePairSource):
    """Images and depth maps that are paired by name, or by time.

    Both files of a pair have the same path below their folder except for the ending, such as
    `train/00001`. A first folder called train, val, validation or test is the split, any folder
    below it the scene. Where all names are times and differ, each image takes the nearest depth
    map of its folder. Images without one within 0.02 s are left out and listed in `left_over`.

    Raises:
        DataError: at once, with the number of files that have no partner.
    """

    format: ClassVar[str] = "image-depth-folders"

    def _open(self) -> None:
        images = _by_stem(_only_folder(self.path, IMAGE_FOLDERS), IMAGE_ENDINGS)
        depths = _by_stem(_only_folder(self.path, DEPTH_FOLDERS), DEPTH_ENDINGS)
        known = [_split_of(stem) for stem in images]
        wanted = canonical_split(self.split)
        images, depths = (
            {s: f for s, f in files.items() if wanted is None or _split_of(s) == wanted}
            for files in (images, depths)
        )
        if not images:
            raise no_such_split(self.path, self.split, known)
        stems, self.left_over = _pair(self.path, images, depths)
        unit = self.options.unit if self.options.unit is not None else _yaml_unit(self.path)
        known_focal = self.has_focal(None)
        self._set_pairs(
            [
                FilePair(_frame(stem, known_focal), images[stem], depths[depth_stem], unit)
                for stem, depth_stem in stems
            ]
        )

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """A folder of images beside a folder of depth maps, without an index of frames."""
        if not path.is_dir() or (path / INDEX).is_file():
            return None
        found = []
        for names, endings in ((IMAGE_FOLDERS, IMAGE_ENDINGS), (DEPTH_FOLDERS, DEPTH_ENDINGS)):
            holding = [f for f in _folders(path, names) if next(_files(f, endings), None)]
            if not holding:
                return None
            found.append(f"{holding[0].name}/")
        return f"contains {' and '.join(found)}"


def _frame(stem: str, known_focal: bool) -> Frame:
    split = _split_of(stem)
    folders = stem.split("/")[:-1]
    scene = "/".join(folders if split is None else folders[1:])
    return Frame(stem, split, scene or None, has_focal=known_focal)


def _split_of(stem: str) -> str | None:
    first, slash, _ = stem.partition("/")
    return canonical_split(first) if slash and first in SPLITS else None


def _folders(path: Path, names: Sequence[str]) -> list[Path]:
    with os.scandir(path) as entries:
        return sorted(Path(e.path) for e in entries if e.name.lower() in names and e.is_dir())


def _only_folder(path: Path, names: Sequence[str]) -> Path:
    found = _folders(path, names) if path.is_dir() else []
    if len(found) != 1:
        held = ", ".join(folder.name for folder in found) or "none"
        raise DataError(
            f"{path} must contain exactly one folder named {' or '.join(names)}, got {held}"
        )
    return found[0]


def _files(folder: Path, endings: Sequence[str]) -> Iterator[str]:
    """Paths below a folder, at any depth, without hidden files."""
    for parent, _, names in os.walk(folder, followlinks=True):
        below = Path(parent).relative_to(folder).as_posix()
        before = "" if below == "." else f"{below}/"
        for name in names:
            if name.lower().endswith(tuple(endings)) and not name.startswith("."):
                yield before + name


def _by_stem(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """Files by their path below the folder, without the ending."""
    files: dict[str, Path] = {}
    for name in sorted(_files(folder, endings)):
        stem = name.rpartition(".")[0]
        if stem in files:
            other = files[stem].name
            raise DataError(
                f"{folder / name} and {other} differ only in the file extension; keep one of them"
            )
        files[stem] = folder / name
    return files


def _pair(
    path: Path, images: Mapping[str, Path], depths: Mapping[str, Path]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Stems of paired images and depth maps, and stems of the images that are left over."""
    if images.keys() == depths.keys():
        return [(stem, stem) for stem in images], []
    if all(_time(stem) >= 0 for stem in (*images, *depths)):
        return _pair_in_time(path, list(images), list(depths))
    alone = (
        ("image(s) without depth", sorted(images.keys() - depths.keys())),
        ("depth map(s) without image", sorted(depths.keys() - images.keys())),
    )
    unpaired = [f"{len(stems)} {what}: {listed(stems, 5)}" for what, stems in alone if stems]
    raise DataError(
        f"{path} has {' and '.join(unpaired)}; both files of a pair must have the same name, apart "
        "from the file extension. Add the missing files, remove the unpaired ones, or list the "
        "pairs in a CSV file (docs/formats.md)"
    )


def _pair_in_time(
    path: Path, images: Sequence[str], depths: Sequence[str]
) -> tuple[list[tuple[str, str]], list[str]]:
    by_folder: dict[str, dict[int, str]] = defaultdict(dict)
    for stem in sorted(depths, key=_time):
        by_folder[_folder(stem)][_time(stem)] = stem
    times_us = {folder: list(by_time) for folder, by_time in by_folder.items()}
    pairs: list[tuple[str, str]] = []
    gaps: dict[str, float] = {}
    for stem in images:
        place = nearest(_time(stem), times_us.get(_folder(stem), ()))
        gap_us = math.inf if place is None else abs(place - _time(stem))
        if place is not None and gap_us <= FURTHEST_PAIR_US:
            pairs.append((stem, by_folder[_folder(stem)][place]))
        else:
            gaps[stem] = gap_us
    if not pairs or len(gaps) > MAX_UNPAIRED_SHARE * len(images):
        worst = max(gaps, key=lambda stem: gaps[stem])
        raise DataError(
            f"{path}: {len(gaps)} of {len(images)} images have no depth map within "
            f"{FURTHEST_PAIR_US / 1e6:g} s; the largest gap is {gaps[worst] / 1e6:g} s, at "
            f"{worst}. Check that both folders come from the same recording, or list the pairs in "
            "a CSV file (docs/formats.md)"
        )
    return pairs, list(gaps)


def _folder(stem: str) -> str:
    return stem.rpartition("/")[0]


def _time(stem: str) -> int:
    """Time in microseconds; -1 for a name that is not a time."""
    time_us = timestamp_us(stem.rpartition("/")[2])
    return -1 if time_us is None else time_us


def _yaml_unit(path: Path) -> float | None:
    """Stored units per metre from `depth_scale:` in a YAML file beside the folders."""
    found: dict[float, Path] = {}
    for file in sorted((*path.glob("*.yaml"), *path.glob("*.yml"))):
        if not file.is_file():  # reading a named pipe would wait forever
            continue
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise DataError(f"cannot read {file}: {reason_of(error)}") from None
        for value in re.findall(r"(?m)^depth_scale[ \t]*:[ \t]*([^#\r\n]*)", text):
            found[_scale(value.strip(), file)] = file
    if len(found) > 1:
        values = ", ".join(f"{file.name} {scale:g}" for scale, file in found.items())
        raise DataError(f"{path} has conflicting values of depth_scale: {values}; pass unit=")
    return next(iter(found), None)


def _scale(text: str, file: Path) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise DataError(
            f"{file}: depth_scale is {shortened(text)!r}; expected units per metre, such as 1000"
        )
    return scale
