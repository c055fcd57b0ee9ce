"""From a body to an answer's bytes; everything here runs in a worker thread."""

import dataclasses
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic_core import to_json

from spd.errors import InputError
from spd.focal import SOURCE_WORDS
from spd.outputs.maps import write_png
from spd.pixels import Intrinsics
from spd.questions import Box, distances_m, rays_at, region
from spd.scenes import PhotoScene, check_inside
from spd.serve.cache import Kept
from spd.serve.config import ServeConfig
from spd.serve.parsing import parsed
from spd.serve.refusals import of_input, too_slow
from spd.serve.schemas import BoxAnswer, BoxesAnswer, BoxesAsked, DistancesAsked, PointsAsked

_VALUES_A_PIECE = 65_536  # of JSON; other threads get a turn in between
_POINTS_A_PIECE = 16_384


def points(scene: PhotoScene, body: bytearray, config: ServeConfig) -> tuple[bytes, int]:
    """Depth, range and places of points, as JSON, and how many there were.

    Raises:
        RefusalError: if the body is another, there are too many, or places need a camera.
        PointError: naming the first point outside the photo.
    """
    asked = parsed(PointsAsked, body, config.max_points)
    uv, xyz = np.asarray(asked.points, dtype=np.float64).reshape(-1, 2), asked.xyz
    del asked  # its lists take seven times the memory of the array
    camera = _camera(scene, "xyz") if xyz else scene.intrinsics
    depth_m = _depths(scene, uv, config.request_seconds)
    range_m, xyz_m = b"null", b"null"
    if camera is not None:
        range_m = json_numbers((depth_m * camera.ray_lengths(uv)).astype(np.float32))
    if xyz and camera is not None:
        rays = np.concatenate([rays_at(uv, camera), np.ones((len(uv), 1))], axis=1)
        xyz_m = json_numbers(rays.astype(np.float32) * depth_m[:, None])
    parts = (json_numbers(depth_m), range_m, xyz_m)
    return b'{"depth_m":%b,"range_m":%b,"xyz_m":%b}' % parts, len(uv)


def boxes(scene: PhotoScene, body: bytearray, config: ServeConfig) -> bytes:
    """Statistics of boxes, as JSON.

    Raises:
        RefusalError: if the body is another, there are too many, or one is no box of this photo.
    """
    asked = parsed(BoxesAsked, body, config.max_boxes)
    found = []
    for number, corners in enumerate(asked.boxes):
        try:
            statistics = region(scene, Box(*corners))
        except InputError as error:
            raise of_input(type(error)(f"box {number}: {error}")) from None
        found.append(BoxAnswer(**dataclasses.asdict(statistics)))
    return BoxesAnswer(boxes=found).model_dump_json().encode()


def distances(scene: PhotoScene, body: bytearray, config: ServeConfig) -> bytes:
    """Metres between the two points of each pair, as JSON.

    Raises:
        RefusalError: if the body is another, there are too many, or no camera is known.
        PointError: naming the first point outside the photo.
    """
    asked = parsed(DistancesAsked, body, config.max_pairs)
    pairs = np.asarray(asked.pairs, dtype=np.float64).reshape(-1, 2, 2)
    del asked  # as with points
    _camera(scene, "a distance")
    return b'{"distance_m":%b}' % json_numbers(distances_m(scene, pairs))


def depth_npy(kept: Kept) -> bytes:
    """float32 `[H, W]` metres as `numpy.load` reads them."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(kept.scene.depth_map(fast=True), dtype=np.float32))
    return file.getvalue()


def depth_png(kept: Kept) -> bytes:
    """16-bit millimetres.

    Raises:
        RefusalError: if a depth is too far for them, or too near.
    """
    depth_m = kept.scene.depth_map(fast=True)
    try:
        return _file("depth.png", lambda path: write_png(depth_m, path))
    except InputError:
        raise of_input(
            InputError(
                f"depths from {depth_m.min():.4g} to {depth_m.max():.4g} m do not fit 16 bits of "
                "millimetres; take depth.npy"
            )
        ) from None


def overlay(kept: Kept, texts: Sequence[str]) -> bytes:
    """The picture that `spd query --overlay` draws, of points `u,v`.

    Raises:
        RefusalError: if a text is no point.
        PointError: naming the first point outside the photo.
    """
    from spd.figures import point_overlay  # matplotlib takes a second to load

    uv = np.array([_point(text) for text in texts], dtype=np.float64).reshape(-1, 2)
    scene, small = kept.scene, kept.small
    depth_m = scene.depth_at(uv)
    shrunk = np.array(small.shape[1::-1]) / scene.size[::-1]
    rows, columns = (
        ((np.arange(shown) + 0.5) * (whole / shown)).astype(np.int64)
        for shown, whole in zip(small.shape[:2], scene.size, strict=True)
    )
    shown_m = scene.depth_map(fast=True)[rows[:, None], columns]
    return _file(
        "overlay.png",
        lambda path: point_overlay(
            small,
            (uv + 0.5) * shrunk - 0.5,
            depth_m,
            path,
            depth_map_m=shown_m,
            title=_focal_words(scene),
        ),
    )


def json_numbers(values: np.ndarray) -> bytes:
    """A JSON list of numbers, or of rows of them; null where one is not finite."""
    pieces = (
        to_json(values[start : start + _VALUES_A_PIECE].tolist(), inf_nan_mode="null")[1:-1]
        for start in range(0, len(values), _VALUES_A_PIECE)
    )
    return b"[" + b",".join(pieces) + b"]"


def _depths(scene: PhotoScene, uv: np.ndarray, seconds: float) -> np.ndarray:
    """Depth in pieces, so that work whose client was told 503 ends soon after it."""
    check_inside(uv, scene.size)
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


def _point(text: str) -> tuple[float, float]:
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise of_input(
            InputError(f"points={text[:40]} is no point; write points=u,v"), "bad_point"
        ) from None
    return u, v


def _focal_words(scene: PhotoScene) -> str:
    if scene.focal is None:
        return "focal length not asked for by this model"
    return f"focal length {scene.focal.px:.1f} px, {SOURCE_WORDS[scene.focal.source]}"


def _file(name: str, write: Callable[[Path], object]) -> bytes:
    """The bytes of a file that can only be written to a folder."""
    with tempfile.TemporaryDirectory(prefix="spd-") as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
