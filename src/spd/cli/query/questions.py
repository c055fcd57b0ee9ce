"""The kinds of question there are: points, regions, distances, a line; one kind a command.

Each refuses what cannot be asked of a photo before a model is loaded, and then answers with rows
for a table and with what a picture shows of them.
"""

import abc
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from spd.cli.query.points import AskedPoint, check_points, parse_point, read_points
from spd.errors import InputError, PointError
from spd.outputs.tables import AnswerRow
from spd.pixels import Size
from spd.scenes import Box, Distortion, Line, grid, read_mask
from spd.scenes.regions import Region, RegionStatistics, centre_of, region
from spd.scenes.scene import PhotoScene
from spd.scenes.space import distances_m, length_m, points_3d

MOST_GRID_POINTS = 1_000_000
Lines: TypeAlias = Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Rows of a table, and what a picture shows: points with their depth, lines, a sentence."""

    rows: list[AnswerRow]
    points: np.ndarray
    depth_m: np.ndarray
    lines: Lines = ()
    sentence: str = ""


class Question(abc.ABC):
    """Something to ask of one photo."""

    noun = "points"
    needs_camera = False

    @abc.abstractmethod
    def check(self, size: Size) -> None:
        """Refuse what cannot be asked of a photo of this size."""

    @abc.abstractmethod
    def ask(self, scene: PhotoScene, distortion: Distortion | None) -> Answered:
        """The answer."""


@dataclasses.dataclass(slots=True)
class PointsQuestion(Question):
    """How far is each; where the camera is known also where in space it is."""

    points: list[AskedPoint]
    fields: tuple[int, int] | None = None
    """(columns, rows) of a grid over the photo."""

    def check(self, size: Size) -> None:
        """The grid's points are added here, where the size is known."""
        if self.fields is not None:
            self.points = [AskedPoint(u, v) for u, v in grid(size, *self.fields).tolist()]
        check_points(self.points, size)

    def ask(self, scene: PhotoScene, distortion: Distortion | None) -> Answered:
        """A row a point."""
        asked = np.array([(point.u, point.v) for point in self.points]).reshape(-1, 2)
        depth_m = scene.depth_at(asked)
        columns = {"u": asked[:, 0], "v": asked[:, 1], "depth_m": depth_m}
        if scene.intrinsics is not None:
            xyz = points_3d(scene, asked, distortion=distortion)
            range_m = np.linalg.norm(xyz.astype(np.float64), axis=1).astype(np.float32)
            columns |= {"range_m": range_m, "x_m": xyz[:, 0], "y_m": xyz[:, 1]}
        values = {name: column.tolist() for name, column in columns.items()}
        rows: list[AnswerRow] = [
            dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)
        ]
        return Answered(rows=rows, points=asked, depth_m=depth_m)


@dataclasses.dataclass(slots=True)
class RegionsQuestion(Question):
    """How far are boxes and masks: quantiles of each."""

    regions: list[tuple[str, Region]]
    noun = "regions"

    def check(self, size: Size) -> None:
        """Each has a point in the photo, or it says which has not."""
        for name, where in self.regions:
            try:
                where.sample(size)
            except InputError as error:
                raise type(error)(f"{name}: {error}") from None

    def ask(self, scene: PhotoScene, distortion: Distortion | None) -> Answered:
        """A row a region."""
        found = [(name, region(scene, where)) for name, where in self.regions]
        return Answered(
            rows=[_statistics_row(name, statistics) for name, statistics in found],
            points=np.array([centre_of(where, scene.size) for _, where in self.regions]),
            depth_m=np.array([statistics.median_m for _, statistics in found]),
            lines=[_outline(where) for _, where in self.regions if isinstance(where, Box)],
            sentence="depth at a region is its median",
        )


@dataclasses.dataclass(slots=True)
class DistancesQuestion(Question):
    """How far apart are two pixels, in space."""

    ends: list[AskedPoint]
    noun = "distances"
    needs_camera = True

    def check(self, size: Size) -> None:
        """Points come in pairs."""
        if len(self.ends) % 2:
            raise PointError(
                f"--distance takes points in pairs, u,v u,v of each two ends, got {len(self.ends)}"
            )
        check_points(self.ends, size)

    def ask(self, scene: PhotoScene, distortion: Distortion | None) -> Answered:
        """A row a pair."""
        ends = np.array([(point.u, point.v) for point in self.ends]).reshape(-1, 2)
        pairs = ends.reshape(-1, 2, 2)
        metres = distances_m(scene, pairs, distortion=distortion)
        depth_m = scene.depth_at(ends)
        names = ("u0", "v0", "depth0_m", "u1", "v1", "depth1_m")
        parts = np.concatenate([ends, depth_m[:, None]], axis=1).reshape(-1, 6)
        rows: list[AnswerRow] = [
            {"distance_m": apart, **dict(zip(names, row, strict=True))}
            for apart, row in zip(metres.tolist(), parts.tolist(), strict=True)
        ]
        apart_text = ", ".join(f"{apart:.3f} m" for apart in metres[:3]) + (
            ", ..." if len(metres) > 3 else ""
        )
        return Answered(
            rows=rows,
            points=ends,
            depth_m=depth_m,
            lines=list(pairs),
            sentence=f"{apart_text} in space",
        )


@dataclasses.dataclass(slots=True)
class LineQuestion(Question):
    """How far is what a line runs over, and how long it is in space where that can be known."""

    points: list[AskedPoint]
    noun = "lines"

    def check(self, size: Size) -> None:
        """A line has two points or more, in the photo."""
        self._line()
        check_points(self.points, size)

    def ask(self, scene: PhotoScene, distortion: Distortion | None) -> Answered:
        """One row."""
        line = self._line()
        name = f"line of {len(line.points)} points"
        row = dict(_statistics_row(name, region(scene, line)))
        sentence = ""
        if scene.intrinsics is not None:
            metres = length_m(scene, line.points, distortion=distortion)
            row["length_m"] = metres
            sentence = f"{metres:.3f} m long in space"
        return Answered(
            rows=[row],
            points=line.points,
            depth_m=scene.depth_at(line.points),
            lines=[line.points],
            sentence=sentence,
        )

    def _line(self) -> Line:
        return Line.through([(point.u, point.v) for point in self.points])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """Questions as they were typed."""

    points: Sequence[str] = ()
    points_file: Path | None = None
    grid: str | None = None
    boxes: Sequence[str] = ()
    masks: Sequence[Path] = ()
    distance: Sequence[str] = ()
    line: Sequence[str] = ()

    def question(self) -> Question | None:
        """What is asked; None where nothing is.

        Raises:
            PointError: on what is no point, box or grid.
            InputError: if more than one kind is asked, or a file cannot be read.
        """
        kinds = {
            "--points, --points-file": bool(self.points) or self.points_file is not None,
            "--grid": self.grid is not None,
            "--box, --mask": bool(self.boxes or self.masks),
            "--distance": bool(self.distance),
            "--line": bool(self.line),
        }
        asked = [name for name, given in kinds.items() if given]
        if len(asked) > 1:
            raise InputError(f"one kind of question a command, got {' and '.join(asked)}")
        if self.grid is not None:
            return PointsQuestion([], parse_fields(self.grid))
        if self.boxes or self.masks:
            boxes: list[tuple[str, Region]] = [(text, parse_box(text)) for text in self.boxes]
            return RegionsQuestion([*boxes, *((str(path), read_mask(path)) for path in self.masks)])
        if self.distance:
            return DistancesQuestion(_points(self.distance))
        if self.line:
            return LineQuestion(_points(self.line))
        points = _points(self.points)
        if self.points_file is not None:
            points += read_points(self.points_file)
        return PointsQuestion(points) if points else None


def parse_box(text: str) -> Box:
    """`x0,y0,x1,y1` as a box.

    Raises:
        PointError: if it is none.
    """
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise PointError(
            f"box {text!r} is not x0,y0,x1,y1 with four numbers, such as 100,50,220,310"
        ) from None
    return Box(x0, y0, x1, y1)


def parse_fields(text: str) -> tuple[int, int]:
    """`COLUMNSxROWS` as two numbers.

    Raises:
        PointError: if it is none, or has too many points.
    """
    columns, cross, rows = text.lower().partition("x")
    if not (cross and columns.isdecimal() and rows.isdecimal() and int(columns) and int(rows)):
        raise PointError(f"--grid {text}: write COLUMNSxROWS, such as 8x6")
    if int(columns) * int(rows) > MOST_GRID_POINTS:
        raise PointError(
            f"--grid {text} has more than {MOST_GRID_POINTS:,} points; for every pixel write a map"
        )
    return int(columns), int(rows)


def _points(texts: Sequence[str]) -> list[AskedPoint]:
    return [AskedPoint(*parse_point(text)) for text in texts]


def _statistics_row(name: str, found: RegionStatistics) -> AnswerRow:
    values = dataclasses.asdict(found)
    return {"region": name, "points": values.pop("count"), **values}


def _outline(box: Box) -> np.ndarray:
    corners = [(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)]
    return np.array([*corners, corners[0]])
