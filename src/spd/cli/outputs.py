"""Outputs of `spd query`: a table, a picture, maps and point clouds of the whole photo."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from spd.cli.photo import focal_text, note, tell
from spd.cli.questions import Answer
from spd.errors import InputError, counted
from spd.files import check_writable
from spd.outputs.cloud import EDGE_RATIO, PointCloud, cloud_of
from spd.outputs.glb import write_glb
from spd.outputs.maps import MAP_FORMS, write_npy, write_png
from spd.outputs.ply import write_ply
from spd.outputs.steps import STEPS_PER_METRE
from spd.outputs.tables import TABLE_FORMS, TEXT_OF, write_table
from spd.photos.reading import Photo
from spd.scenes import Distortion
from spd.scenes.scene import PhotoScene
from spd.scenes.space import camera_of

_TEXT_ENDINGS = ("", ".txt", ".log", ".md")
_SHEETS = (".xlsx", ".xls", ".ods", ".tsv")  # no format of these may have another content
_CLOUDS: dict[str, Callable[[PointCloud, Path], None]] = {".ply": write_ply, ".glb": write_glb}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Options of `spd query` that name tables, pictures and maps to write."""

    form: Literal["json", "csv"] | None = None
    """Format of the table; None: by the ending of `out`, else plain text."""
    out: Path | None = None
    overlay: Path | None = None
    maps: tuple[Path, ...] = ()
    every_pixel: bool = False
    edge_ratio: float = EDGE_RATIO
    png_unit: float = STEPS_PER_METRE

    def check(self) -> None:
        """Refuse paths and formats that could not be written later.

        Raises:
            DataError: if a path cannot be written.
            InputError: if formats contradict each other or are unknown, or a number is impossible.
        """
        if self.out is not None:
            check_writable(self.out)
        if self.overlay is not None:
            check_writable(self.overlay, ".png")
        self.table_form()
        for path in self.maps:
            if path.suffix.lower() not in MAP_FORMS:
                raise InputError(
                    f"--map {path}: the file extension must be one of {', '.join(MAP_FORMS)}"
                )
            check_writable(path)
        if not self.edge_ratio > 1:
            raise InputError(
                f"--edge-ratio must be above 1 (inf keeps all points), got {self.edge_ratio}"
            )
        if not (np.isfinite(self.png_unit) and self.png_unit > 0):
            raise InputError(f"--png-unit must be a positive number, got {self.png_unit}")

    def table_form(self) -> str:
        """Format of the table: `table`, `csv`, `json` or `parquet`.

        Raises:
            InputError: if the ending of the file contradicts `form`, or is of another format.
        """
        suffix = "" if self.out is None else self.out.suffix.lower()
        ending = TABLE_FORMS.get(suffix)
        plain = self.form is not None or suffix in _TEXT_ENDINGS
        if self.out is not None and ending is None and (suffix in _SHEETS or not plain):
            raise InputError(
                f"-o {self.out}: the file extension must be one of {', '.join(TABLE_FORMS)}, or "
                ".txt for text"
            )
        if ending is not None and self.form not in (None, ending):
            raise InputError(
                f"-o {self.out} selects {ending}, but --{self.form} was also given; omit one"
            )
        return ending or self.form or "table"

    @property
    def needs_camera_for(self) -> str | None:
        """Output that needs the focal length, in words; None where none does."""
        clouds = [path for path in self.maps if path.suffix.lower() in _CLOUDS]
        return f"a point cloud ({clouds[0]})" if clouds else None

    @property
    def of_the_whole_photo(self) -> bool:
        """True if a map or picture is written, which needs no question."""
        return bool(self.maps) or self.overlay is not None

    def write_table(self, answer: Answer, noun: str) -> None:
        """Print or write the rows."""
        if self.out is None:
            print(TEXT_OF[self.table_form()](answer.rows))
            return
        write_table(answer.rows, self.out, self.table_form())
        tell(f"wrote {counted(len(answer.rows), noun)} to {self.out}", self.out)

    def write_pictures(
        self,
        answer: Answer | None,
        scene: PhotoScene,
        photo: Photo,
        name: str,
        distortion: Distortion | None,
    ) -> None:
        """Draw the picture and write the maps."""
        if not self.of_the_whole_photo:
            return
        depth_m = scene.depth_map(fast=not self.every_pixel)
        if self.overlay is not None:
            from spd.figures import point_overlay

            shown = answer or Answer(rows=[], points=np.empty((0, 2)), depth_m=np.empty(0))
            title = [name, shown.sentence, focal_text(scene)]
            point_overlay(
                photo.pixels,
                shown.points,
                shown.depth_m,
                self.overlay,
                depth_map_m=depth_m,
                lines_uv=shown.lines,
                title=", ".join(part for part in title if part),
            )
            note(f"wrote the picture to {self.overlay}")
        for path in self.maps:
            self._write(path, depth_m, scene, photo, distortion)

    def _write(
        self,
        path: Path,
        depth_m: np.ndarray,
        scene: PhotoScene,
        photo: Photo,
        distortion: Distortion | None,
    ) -> None:
        ending = path.suffix.lower()
        if ending == ".npy":
            write_npy(depth_m, path)
            size = f"{depth_m.shape[1]}x{depth_m.shape[0]} pixels"
            note(f"wrote float32 depth in metres, {size}, to {path}")
        elif ending == ".png":
            write_png(depth_m, path, self.png_unit)
            note(f"wrote 16-bit depth ({self.png_unit:g} steps per metre, 0: no depth) to {path}")
        else:
            cloud = cloud_of(
                depth_m, photo.pixels, camera_of(scene), distortion, edge_ratio=self.edge_ratio
            )
            _CLOUDS[ending](cloud, path)
            left_out = 1 - len(cloud.xyz_m) / depth_m.size
            note(
                f"wrote {counted(len(cloud.xyz_m), 'point')} to {path}; "
                f"omitted {left_out:.1%} of the pixels, which lie at depth edges"
            )
