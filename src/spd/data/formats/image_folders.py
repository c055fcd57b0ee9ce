"""Images and depth maps in folders, recognised and paired by their names.

Examples are the NYU of Ultralytics (`images/train`, `depth/train`), ScanNet (`SCENE/color`,
`SCENE/depth`), 7-Scenes (`frame-000001.color.png`, `frame-000001.depth.png`) and TUM RGB-D (`rgb`,
`depth`), whose file names are the times of capture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from spd.data.formats.beside import camera_file, read_camera, yaml_unit
from spd.data.formats.file_pairs import FilePair, FilePairSource
from spd.data.formats.general import SPLITS, canonical_split
from spd.data.formats.layout import csv_advice, parts, top_evidence
from spd.data.formats.pair_names import ROLES, pair
from spd.data.frame_index import INDEX
from spd.data.sample import RGBDSample
from spd.data.source import Frame, no_such_split
from spd.errors import DataError, listed
from spd.photos.camera_warnings import intrinsics_warnings


class ImageDepthFolders(FilePairSource):
    """Images and depth maps that are paired by name, or by time.

    They lie in folders beside each other, such as `rgb` and `depth`, or in one folder under names
    such as `rgb_1` and `depth_1`, each at any depth below the path (`layout.parts`). A first
    folder called train, val, validation or test is the split, any folder below it the scene.
    `pair_names.pair` pairs the names. Images without a depth map within 0.02 s, where names are
    times, are left out and listed in `left_over`.

    Raises:
        DataError: at once, with the number of files that have no partner.
    """

    format: ClassVar[str] = "image-depth-folders"
    camera_files: dict[int, Path]
    """Text files that give the camera, by the number of the frame."""

    def _open(self) -> None:
        found = list(parts(self.path)) if self.path.is_dir() else []
        if not found:
            raise DataError(
                f"{self.path} must contain exactly one folder named {listed(ROLES['image'], 6)} "
                f"and one named {' or '.join(ROLES['depth'][:2])}, or files named so, got none"
            )
        images = _by_stem([(part.scene, part.image_folder, part.images) for part in found])
        depths = _by_stem([(part.scene, part.depth_folder, part.depths) for part in found])
        known = [_split_of(stem) for stem in images]
        wanted = canonical_split(self.split)
        images, depths = (
            {s: f for s, f in files.items() if wanted is None or _split_of(s) == wanted}
            for files in (images, depths)
        )
        if not images:
            raise no_such_split(self.path, self.split, known)

        def advice(image: str, depth: str) -> str:
            files = images[image], depths.get(depth, self.path / "DEPTH_MAP")
            return csv_advice(self.path, *(f.relative_to(self.path).as_posix() for f in files))

        stems, self.left_over = pair(str(self.path), list(images), list(depths), advice)
        unit = self.options.unit if self.options.unit is not None else yaml_unit(self.path)
        files = [self._camera_file(images[stem].parent) for stem, _ in stems]
        cameras = {
            file: None if file is None else read_camera(file) for file in dict.fromkeys(files)
        }
        self.camera_files = {n: file for n, file in enumerate(files) if file is not None}
        self._set_pairs(
            [
                FilePair(
                    _frame(stem, self.has_focal(cameras[file])),
                    images[stem],
                    depths[depth_stem],
                    unit,
                    cameras[file],
                )
                for (stem, depth_stem), file in zip(stems, files, strict=True)
            ]
        )

    def _camera_file(self, folder: Path) -> Path | None:
        """Camera file of the images in a folder, unless the user gives the camera."""
        return None if self.has_focal(None) else camera_file(folder, self.path)

    @classmethod
    def recognise(cls, path: Path) -> str | None:
        """A folder of images beside a folder of depth maps, without an index of frames."""
        if not path.is_dir() or (path / INDEX).is_file():
            return None
        return top_evidence(path)

    @classmethod
    def recognise_below(cls, path: Path) -> str | None:
        """Such folders, or files of such names, at any depth: weaker than any other format."""
        if not path.is_dir() or (path / INDEX).is_file():
            return None
        return next((part.evidence(path) for part in parts(path)), None)

    @property
    def notes(self) -> list[str]:
        """The files that give the camera."""
        files = sorted({str(file.relative_to(self.path)) for file in self.camera_files.values()})
        return [f"camera from {listed(files)}"] if files else []

    def read(self, number: int) -> RGBDSample:
        """Read a sample from disk."""
        sample = super().read(number)
        file = self.camera_files.get(number)
        if file is not None:
            assert sample.intrinsics is not None
            for text in intrinsics_warnings(sample.intrinsics, sample.image_size):
                raise DataError(
                    f"{self.pairs[number].image} does not suit its camera file {file}: {text}; "
                    "correct the file, or pass the focal length of the images with focal_px="
                )
        return sample


def _frame(stem: str, known_focal: bool) -> Frame:
    split = _split_of(stem)
    folders = stem.split("/")[:-1]
    scene = "/".join(folders if split is None else folders[1:])
    return Frame(stem, split, scene or None, has_focal=known_focal)


def _split_of(stem: str) -> str | None:
    first, slash, _ = stem.partition("/")
    return canonical_split(first) if slash and first in SPLITS else None


def _by_stem(folders: Sequence[tuple[str, Path, Sequence[str]]]) -> dict[str, Path]:
    """Files by their place and path below the folder, without the ending."""
    files: dict[str, Path] = {}
    for scene, folder, names in folders:
        for name in sorted(names):
            stem = scene + name.rpartition(".")[0]
            if stem in files:
                other = files[stem].name
                raise DataError(
                    f"{folder / name} and {other} differ only in the file extension; keep one of "
                    "them"
                )
            files[stem] = folder / name
    return files
