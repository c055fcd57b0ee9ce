"""Answer queries: from a parsed body to JSON; everything here runs in a worker thread."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from pydantic_core import to_json

from spd.errors import InputError, counted
from spd.memory import reserved
from spd.photos.distortion import ray_lengths, rays_at
from spd.pixels import Intrinsics, check_inside
from spd.scenes import Box, Line, Mask, RegionStatistics, distances_m, grid, length_m, region
from spd.scenes.scene import PhotoScene
from spd.serve.cache import EncodedPhoto
from spd.serve.config import ServeConfig
from spd.serve.parsing import parse_grid, parse_query
from spd.serve.refusals import from_error, too_large, too_slow
from spd.serve.schemas import (
    BoxesAnswer,
    BoxesQuery,
    DistancesQuery,
    LineAnswer,
    LinesAnswer,
    LinesQuery,
    PointsQuery,
    RegionAnswer,
)

T = TypeVar("T")
R = TypeVar("R")

_VALUES_A_PIECE = 65_536  # of JSON; other threads get a turn in between
_POINTS_A_PIECE = 16_384
_BYTES_A_POINT = 450  # of a query: Python's lists of its numbers, and the answer in pieces
_FEW_POINTS = 10_000  # for fewer points, a reservation would take longer than the query


def points(photo: EncodedPhoto, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """Depth, range and 3D coordinates of points as JSON, and the number of points.

    Raises:
        RefusalError: if the body is wrong or too long, or 3D points need an unknown camera.
        PointError: naming the first point outside the photo.
    """
    with _memory_for(_points_in(body)):
        query = parse_query(PointsQuery, body, config.max_points)
        uv, xyz = np.asarray(query.points, dtype=np.float64).reshape(-1, 2), query.xyz
        del query  # its lists take seven times the memory of the array
        return b"{%b}" % _metres(photo, uv, config, xyz=xyz), len(uv)


def grid_points(photo: EncodedPhoto, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """`points` at the centres of a grid's cells, with these centres.

    Raises:
        RefusalError: as in `points`.
    """
    query = parse_grid(body, config.max_points)
    with _memory_for(query.columns * query.rows):
        uv = grid(photo.scene.size, query.columns, query.rows)
        parts = (json_numbers(uv), _metres(photo, uv, config, xyz=query.xyz))
        return b'{"points":%b,%b}' % parts, len(uv)


def boxes(photo: EncodedPhoto, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """Depth statistics of boxes as JSON, and 0: regions do not count as points.

    Raises:
        RefusalError: if the body is wrong or too long, or a box is invalid or outside the photo.
    """
    corners = parse_query(BoxesQuery, body, config.max_boxes).boxes
    found = _each("box", corners, lambda box: _statistics(region(photo.scene, Box(*box))), config)
    return BoxesAnswer(boxes=found).model_dump_json().encode(), 0


def lines(photo: EncodedPhoto, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """Depth statistics along polylines and their lengths as JSON, and 0.

    Raises:
        RefusalError: if the body is wrong or too long, or a line is invalid or outside the photo.
    """
    with _memory_for(_points_in(body)):
        polylines = parse_query(LinesQuery, body, config.max_points).lines
        found = _each("line", polylines, lambda uv: _line(photo, Line.through(uv)), config)
    return LinesAnswer(lines=found).model_dump_json().encode(), 0


def mask(photo: EncodedPhoto, where: Mask) -> bytes:
    """Depth statistics of a mask as JSON.

    Raises:
        InputError: if the mask is empty or has another size than the photo.
    """
    return _statistics(region(photo.scene, where)).model_dump_json().encode()


def distances(photo: EncodedPhoto, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """Metres between the two points of each pair as JSON, and 0.

    Raises:
        RefusalError: if the body is wrong or too long, or the camera is unknown.
        PointError: naming the first point outside the photo.
    """
    with _memory_for(_points_in(body)):
        query = parse_query(DistancesQuery, body, config.max_pairs)
        pairs = np.asarray(query.pairs, dtype=np.float64).reshape(-1, 2, 2)
        del query  # as in `points`
        _known_camera(photo.scene, "a distance")
        metres = distances_m(photo.scene, pairs, distortion=photo.distortion)
    return b'{"distance_m":%b}' % json_numbers(metres), 0


def _points_in(body: bytearray) -> int:
    """Number of points of a query, estimated from its commas."""
    return body.count(b",") // 2 + 1


def _memory_for(points: int) -> contextlib.AbstractContextManager[None]:
    """Reserve the memory of answering a query.

    Raises:
        OutOfMemoryError: if it is more than is left.
    """
    if points <= _FEW_POINTS:
        return contextlib.nullcontext()
    what = f"a query for {counted(points, 'point')}"
    return reserved(_BYTES_A_POINT * points, what, "query fewer points at once")


def json_numbers(values: np.ndarray) -> bytes:
    """A JSON list of numbers `[N]` or of rows `[N, C]`; null where a number is not finite."""
    pieces = (
        to_json(values[start : start + _VALUES_A_PIECE].tolist(), inf_nan_mode="null")[1:-1]
        for start in range(0, len(values), _VALUES_A_PIECE)
    )
    return b"[" + b",".join(pieces) + b"]"


def _metres(photo: EncodedPhoto, uv: np.ndarray, config: ServeConfig, *, xyz: bool) -> bytes:
    """`depth_m`, `range_m` and `xyz_m` of points as members of a JSON object."""
    scene, lens = photo.scene, photo.distortion
    camera = _known_camera(scene, "xyz") if xyz else scene.intrinsics
    check_inside(uv, scene.size)
    range_m, xyz_m = b"null", b"null"
    rays = None if camera is None else rays_at(uv, camera, lens)  # which may raise
    depth_m = _depths(scene, uv, config.request_seconds)
    if rays is not None:
        range_m = json_numbers((depth_m * ray_lengths(rays)).astype(np.float32))
    if xyz and rays is not None:
        directions = np.concatenate([rays, np.ones((len(uv), 1))], axis=1).astype(np.float32)
        xyz_m = json_numbers(directions * depth_m[:, None])
    parts = (json_numbers(depth_m), range_m, xyz_m)
    return b'"depth_m":%b,"range_m":%b,"xyz_m":%b' % parts


def _each(noun: str, items: Sequence[T], answer: Callable[[T], R], config: ServeConfig) -> list[R]:
    """Answer each item within the time limit; an error names the item's number."""
    if len(items) > config.max_boxes:
        raise too_large(f"{len(items):,} {noun}s in one request; the limit is {config.max_boxes:,}")
    end = time.monotonic() + config.request_seconds
    found = []
    for number, item in enumerate(items):
        if time.monotonic() > end:
            raise too_slow(config.request_seconds)
        try:
            found.append(answer(item))
        except InputError as error:
            raise from_error(type(error)(f"{noun} {number}: {error}")) from None
    return found


def _statistics(found: RegionStatistics) -> RegionAnswer:
    return RegionAnswer(**dataclasses.asdict(found))


def _line(photo: EncodedPhoto, line: Line) -> LineAnswer:
    found = region(photo.scene, line)
    known = photo.scene.intrinsics is not None
    metres = length_m(photo.scene, line.points, distortion=photo.distortion) if known else None
    return LineAnswer(**dataclasses.asdict(found), length_m=metres)


def _depths(scene: PhotoScene, uv: np.ndarray, seconds: float) -> np.ndarray:
    """Depth in pieces, so that the work ends soon after its client got status 503."""
    end = time.monotonic() + seconds
    depth_m = np.empty(len(uv), dtype=np.float32)
    for start in range(0, len(uv), _POINTS_A_PIECE):
        if time.monotonic() > end:
            raise too_slow(seconds)
        piece = slice(start, start + _POINTS_A_PIECE)
        depth_m[piece] = scene.depth_at(uv[piece])
    return depth_m


def _known_camera(scene: PhotoScene, purpose: str) -> Intrinsics:
    if scene.intrinsics is None:
        raise from_error(
            InputError(
                f"{purpose} needs the photo's focal length, but neither the request nor the "
                "photo's file gave one; post the photo again with focal_px, fov_deg, or fx, fy, cx "
                "and cy"
            ),
            "unknown_camera",
        )
    return scene.intrinsics
