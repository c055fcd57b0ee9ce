"""From a question to an answer's bytes; everything here runs in a worker thread."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from pydantic_core import to_json

from spd.errors import InputError
from spd.pixels import Intrinsics, check_inside
from spd.scenes import Box, Line, Mask, RegionStatistics, distances_m, grid, length_m, region
from spd.scenes.cameras import ray_lengths, rays_at
from spd.scenes.scene import PhotoScene
from spd.serve.cache import Kept
from spd.serve.config import ServeConfig
from spd.serve.parsing import parsed, parsed_grid
from spd.serve.refusals import of_input, too_large, too_slow
from spd.serve.schemas import (
    BoxesAnswer,
    BoxesAsked,
    DistancesAsked,
    LineAnswer,
    LinesAnswer,
    LinesAsked,
    PointsAsked,
    RegionAnswer,
)

T = TypeVar("T")
R = TypeVar("R")

_VALUES_A_PIECE = 65_536  # of JSON; other threads get a turn in between
_POINTS_A_PIECE = 16_384


def points(kept: Kept, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """Depth, range and places of points, as JSON, and how many there were.

    Raises:
        RefusalError: if the body is another, there are too many, or places need a camera.
        PointError: naming the first point outside the photo.
    """
    asked = parsed(PointsAsked, body, config.max_points)
    uv, xyz = np.asarray(asked.points, dtype=np.float64).reshape(-1, 2), asked.xyz
    del asked  # its lists take seven times the memory of the array
    return b"{%b}" % _metres(kept, uv, config, xyz=xyz), len(uv)


def grid_points(kept: Kept, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """What `points` answers, at the centres of equal fields, with the centres.

    Raises:
        RefusalError: as `points`.
    """
    asked = parsed_grid(body, config.max_points)
    uv = grid(kept.scene.size, asked.columns, asked.rows)
    parts = (json_numbers(uv), _metres(kept, uv, config, xyz=asked.xyz))
    return b'{"points":%b,%b}' % parts, len(uv)


def boxes(kept: Kept, body: bytearray, config: ServeConfig) -> bytes:
    """Statistics of boxes, as JSON.

    Raises:
        RefusalError: if the body is another, there are too many, or one is no box of this photo.
    """
    asked = parsed(BoxesAsked, body, config.max_boxes).boxes
    found = _each(
        "box", asked, lambda corners: _answered(region(kept.scene, Box(*corners))), config
    )
    return BoxesAnswer(boxes=found).model_dump_json().encode()


def lines(kept: Kept, body: bytearray, config: ServeConfig) -> bytes:
    """Statistics of polylines and their lengths, as JSON.

    Raises:
        RefusalError: if the body is another, there are too many, or one is no line of this photo.
    """
    asked = parsed(LinesAsked, body, config.max_points).lines
    found = _each("line", asked, lambda uv: _line(kept, Line.through(uv)), config)
    return LinesAnswer(lines=found).model_dump_json().encode()


def mask(kept: Kept, where: Mask) -> bytes:
    """Statistics of a mask, as JSON.

    Raises:
        InputError: if it has another size than the photo, or nothing is inside.
    """
    return _answered(region(kept.scene, where)).model_dump_json().encode()


def distances(kept: Kept, body: bytearray, config: ServeConfig) -> bytes:
    """Metres between the two points of each pair, as JSON.

    Raises:
        RefusalError: if the body is another, there are too many, or no camera is known.
        PointError: naming the first point outside the photo.
    """
    asked = parsed(DistancesAsked, body, config.max_pairs)
    pairs = np.asarray(asked.pairs, dtype=np.float64).reshape(-1, 2, 2)
    del asked  # as with points
    _camera(kept.scene, "a distance")
    metres = distances_m(kept.scene, pairs, distortion=kept.distortion)
    return b'{"distance_m":%b}' % json_numbers(metres)


def json_numbers(values: np.ndarray) -> bytes:
    """A JSON list of numbers, or of rows of them; null where one is not finite."""
    pieces = (
        to_json(values[start : start + _VALUES_A_PIECE].tolist(), inf_nan_mode="null")[1:-1]
        for start in range(0, len(values), _VALUES_A_PIECE)
    )
    return b"[" + b",".join(pieces) + b"]"


def _metres(kept: Kept, uv: np.ndarray, config: ServeConfig, *, xyz: bool) -> bytes:
    """The members of an answer that every point has."""
    scene, lens = kept.scene, kept.distortion
    camera = _camera(scene, "xyz") if xyz else scene.intrinsics
    check_inside(uv, scene.size)
    range_m, xyz_m = b"null", b"null"
    rays = None if camera is None else rays_at(uv, camera, lens)  # which may refuse
    depth_m = _depths(scene, uv, config.request_seconds)
    if rays is not None:
        range_m = json_numbers((depth_m * ray_lengths(rays)).astype(np.float32))
    if xyz and rays is not None:
        directions = np.concatenate([rays, np.ones((len(uv), 1))], axis=1).astype(np.float32)
        xyz_m = json_numbers(directions * depth_m[:, None])
    parts = (json_numbers(depth_m), range_m, xyz_m)
    return b'"depth_m":%b,"range_m":%b,"xyz_m":%b' % parts


def _each(noun: str, asked: Sequence[T], answer: Callable[[T], R], config: ServeConfig) -> list[R]:
    """An answer to each, in time; what is wrong with one is said with its number."""
    if len(asked) > config.max_boxes:
        raise too_large(
            f"{len(asked):,} {noun}s in one request; ask at most {config.max_boxes:,} at a time"
        )
    end = time.monotonic() + config.request_seconds
    found = []
    for number, one in enumerate(asked):
        if time.monotonic() > end:
            raise too_slow(config.request_seconds)
        try:
            found.append(answer(one))
        except InputError as error:
            raise of_input(type(error)(f"{noun} {number}: {error}")) from None
    return found


def _answered(found: RegionStatistics) -> RegionAnswer:
    return RegionAnswer(**dataclasses.asdict(found))


def _line(kept: Kept, line: Line) -> LineAnswer:
    found = region(kept.scene, line)
    known = kept.scene.intrinsics is not None
    metres = length_m(kept.scene, line.points, distortion=kept.distortion) if known else None
    return LineAnswer(**dataclasses.asdict(found), length_m=metres)


def _depths(scene: PhotoScene, uv: np.ndarray, seconds: float) -> np.ndarray:
    """Depth in pieces, so that work whose client was told 503 ends soon after it."""
    end = time.monotonic() + seconds
    depth_m = np.empty(len(uv), dtype=np.float32)
    for start in range(0, len(uv), _POINTS_A_PIECE):
        if time.monotonic() > end:
            raise too_slow(seconds)
        piece = slice(start, start + _POINTS_A_PIECE)
        depth_m[piece] = scene.depth_at(uv[piece])
    return depth_m


def _camera(scene: PhotoScene, what: str) -> Intrinsics:
    if scene.intrinsics is None:
        raise of_input(
            InputError(
                f"{what} needs the photo's focal length, which neither the request nor the file "
                "said; post the photo with focal_px, fov_deg, or fx, fy, cx and cy"
            ),
            "unknown_camera",
        )
    return scene.intrinsics
