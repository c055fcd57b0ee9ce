"""Questions of `spd query`: points, regions, distances, a line; one kind per command.

A question names the points to query, and turns their depths into rows of a table and into what a
picture shows. Each depth is queried once.
"""

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spd.cli.points import (
    PhotoPoint,
    as_array,
    check_points,
    parse_box,
    parse_grid,
    parse_point,
    read_points,
)
from spd.errors import InputError, PointError
from spd.outputs.tables import AnswerRow
from spd.pixels import Size
from spd.scenes import Box, Distortion, Line, grid, read_mask
from spd.scenes.regions import Region, RegionStatistics, centre_of
from spd.scenes.scene import PhotoScene
from spd.scenes.space import apart_m, camera_of, lift

Arrays = list[np.ndarray]
"""One array for each part of a question."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows of a table, and what a picture shows: points with their depth, lines, a sentence."""

    rows: list[AnswerRow]
    points: np.ndarray
    """`[N, 2]` of `(u, v)`."""
    depth_m: np.ndarray
    """`[N]` metres."""
    lines: Sequence[np.ndarray] = ()
    sentence: str = ""


class Question(abc.ABC):
    """A question about one photo."""

    noun = "point"
    needs_camera_for: str | None = None
    """Answer that needs the focal length, in words; None where none does."""

    @abc.abstractmethod
    def points(self, size: Size) -> Arrays:
        """Points to query, `[N, 2]` each part; refuses what a photo of `size` does not have."""

    @abc.abstractmethod
    def answer(self, depth_m: Arrays, scene: PhotoScene, distortion: Distortion | None) -> Answer:
        """The answer, given the depths `[N]` of each part of the points."""


@dataclasses.dataclass(frozen=True, slots=True)
class PointsQuestion(Question):
    """Depth of points; also range and position where the camera is known."""

    asked: list[PhotoPoint]

    def points(self, size: Size) -> Arrays:
        """The points, in one part."""
        check_points(self.asked, size)
        return [as_array(self.asked)]

    def answer(self, depth_m: Arrays, scene: PhotoScene, distortion: Distortion | None) -> Answer:
        """One row per point."""
        (uv,), (depth,) = self.points(scene.size), depth_m
        columns = {"u": uv[:, 0], "v": uv[:, 1], "depth_m": depth}
        if scene.intrinsics is not None:
            xyz = lift(uv, depth, scene.intrinsics, distortion)
            range_m = np.linalg.norm(xyz.astype(np.float64), axis=1).astype(np.float32)
            columns |= {"range_m": range_m, "x_m": xyz[:, 0], "y_m": xyz[:, 1]}
        values = zip(*(column.tolist() for column in columns.values()), strict=True)
        rows: list[AnswerRow] = [dict(zip(columns, row, strict=True)) for row in values]
        return Answer(rows=rows, points=uv, depth_m=depth)


@dataclasses.dataclass(frozen=True, slots=True)
class GridQuestion(PointsQuestion):
    """Depth at the centres of a grid of cells over the photo."""

    columns: int
    rows: int

    def points(self, size: Size) -> Arrays:
        """Centres of the cells, in one part."""
        return [grid(size, self.columns, self.rows)]


@dataclasses.dataclass(frozen=True, slots=True)
class RegionsQuestion(Question):
    """Depth quantiles of boxes and masks."""

    regions: list[tuple[str, Region]]
    """Regions with the names that the table gives them."""
    noun = "region"

    def points(self, size: Size) -> Arrays:
        """One part per region."""
        return [self._sample(name, region, size) for name, region in self.regions]

    def answer(self, depth_m: Arrays, scene: PhotoScene, distortion: Distortion | None) -> Answer:
        """One row per region."""
        found = [RegionStatistics.of(depth) for depth in depth_m]
        regions = [region for _, region in self.regions]
        return Answer(
            rows=[_row(name, one) for (name, _), one in zip(self.regions, found, strict=True)],
            points=np.array([centre_of(region, scene.size) for region in regions]),
            depth_m=np.array([one.median_m for one in found]),
            lines=[_outline(region) for region in regions if isinstance(region, Box)],
            sentence="region depths are medians",
        )

    @staticmethod
    def _sample(name: str, region: Region, size: Size) -> np.ndarray:
        try:
            return region.sample(size)
        except InputError as error:
            raise type(error)(f"{name}: {error}") from None


@dataclasses.dataclass(frozen=True, slots=True)
class DistancesQuestion(Question):
    """Distances in space between pairs of pixels."""

    ends: list[PhotoPoint]
    noun = "distance"
    needs_camera_for = "a 3D distance"

    def points(self, size: Size) -> Arrays:
        """Both ends of every pair, in one part."""
        if len(self.ends) % 2:
            raise PointError(
                f"--distance needs an even number of points (two per pair), got {len(self.ends)}"
            )
        check_points(self.ends, size)
        return [as_array(self.ends)]

    def answer(self, depth_m: Arrays, scene: PhotoScene, distortion: Distortion | None) -> Answer:
        """One row per pair."""
        ends, (depth,) = as_array(self.ends), depth_m
        xyz = lift(ends, depth, camera_of(scene), distortion)
        metres = apart_m(xyz[::2], xyz[1::2]).tolist()
        names = ("u0", "v0", "depth0_m", "u1", "v1", "depth1_m")
        parts = np.concatenate([ends, depth[:, None]], axis=1).reshape(-1, 6).tolist()
        rows: list[AnswerRow] = [
            {"distance_m": apart, **dict(zip(names, part, strict=True))}
            for apart, part in zip(metres, parts, strict=True)
        ]
        shown = [f"{apart:.3f} m" for apart in metres[:3]] + ["..."] * (len(metres) > 3)
        return Answer(
            rows=rows,
            points=ends,
            depth_m=depth,
            lines=list(ends.reshape(-1, 2, 2)),
            sentence=f"3D distance {', '.join(shown)}",
        )


@dataclasses.dataclass(frozen=True, slots=True)
class LineQuestion(Question):
    """Depth quantiles along a polyline, and its length in space where the camera is known."""

    vertices: list[PhotoPoint]
    noun = "line"

    def points(self, size: Size) -> Arrays:
        """Samples along the line, both ends included; then the vertices between the ends."""
        line = Line.through(as_array(self.vertices))
        check_points(self.vertices, size)
        return [line.sample(size), line.points[1:-1]]

    def answer(self, depth_m: Arrays, scene: PhotoScene, distortion: Distortion | None) -> Answer:
        """One row."""
        along_m, inner_m = depth_m
        vertices = as_array(self.vertices)
        vertices_m = np.concatenate([along_m[:1], inner_m, along_m[-1:]])
        row = dict(_row(f"line of {len(vertices)} points", RegionStatistics.of(along_m)))
        sentence = ""
        if scene.intrinsics is not None:
            xyz = lift(vertices, vertices_m, scene.intrinsics, distortion)
            metres = float(apart_m(xyz[:-1], xyz[1:]).sum())
            row["length_m"] = metres
            sentence = f"3D length {metres:.3f} m"
        return Answer(
            rows=[row], points=vertices, depth_m=vertices_m, lines=[vertices], sentence=sentence
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class QueryOptions:
    """Options of `spd query` that name its question; at most one kind."""

    points: Sequence[str] = ()
    points_file: Path | None = None
    grid: str | None = None
    boxes: Sequence[str] = ()
    masks: Sequence[Path] = ()
    distance: Sequence[str] = ()
    line: Sequence[str] = ()

    def question(self) -> Question | None:
        """The question; None where there is none.

        Raises:
            PointError: on a malformed point or box.
            InputError: on a malformed grid, two kinds of question, or an unreadable file.
        """
        kinds = (
            {
                "--points": bool(self.points),
                "--points-file": self.points_file is not None,
            },
            {"--grid": self.grid is not None},
            {"--box": bool(self.boxes), "--mask": bool(self.masks)},
            {"--distance": bool(self.distance)},
            {"--line": bool(self.line)},
        )
        given = [
            [name for name, is_given in kind.items() if is_given]
            for kind in kinds
            if any(kind.values())
        ]
        if len(given) > 1:
            raise InputError(
                "expected one type of question per command, got "
                + " and ".join(name for names in given for name in names)
            )
        if self.grid is not None:
            return GridQuestion([], *parse_grid(self.grid))
        if self.boxes or self.masks:
            boxes: list[tuple[str, Region]] = [(text, parse_box(text)) for text in self.boxes]
            return RegionsQuestion([*boxes, *((str(path), read_mask(path)) for path in self.masks)])
        if self.distance:
            return DistancesQuestion(_parsed(self.distance))
        if self.line:
            return LineQuestion(_parsed(self.line))
        points = _parsed(self.points)
        if self.points_file is not None:
            points += read_points(self.points_file)
        return PointsQuestion(points) if points else None


def _parsed(texts: Sequence[str]) -> list[PhotoPoint]:
    return [PhotoPoint(*parse_point(text)) for text in texts]


def _row(name: str, found: RegionStatistics) -> AnswerRow:
    values = dataclasses.asdict(found)
    return {"region": name, "points": values.pop("count"), **values}


def _outline(box: Box) -> np.ndarray:
    corners = [(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]
    return np.array([*corners, corners[0]])
