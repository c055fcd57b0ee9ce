"""Choice of the camera: places where a person can stand, eye heights, interesting views."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from spd.data.rooms.geometry import RoomCamera, RoomGeometry
from spd.data.rooms.layout import FurnishedRoom
from spd.data.rooms.materials import Rng
from spd.pixels import Intrinsics, Size, lattice, side_centres

NEAREST_M, FARTHEST_M = 0.4, 10.0
_PREVIEW_ROWS = 18
_CANDIDATES = 12


def camera_candidates(
    furnished: FurnishedRoom, intrinsics: Intrinsics, size: Size, rng: Rng
) -> Iterator[RoomCamera]:
    """Usable cameras in a room, the most interesting view first."""
    places = furnished.plan.standing_places(0.35)
    if not len(places):
        return
    height, width = size
    columns = max(2, round(_PREVIEW_ROWS * width / height))
    points = lattice(side_centres(columns, width), side_centres(_PREVIEW_ROWS, height))
    scored: list[tuple[float, int, RoomCamera]] = []
    for _ in range(_CANDIDATES):
        camera = _random_camera(furnished, places, intrinsics, rng)
        score = _interest(furnished.geometry, camera, points)
        if score > 0:
            scored.append((score, len(scored), camera))
    for _, _, camera in sorted(scored, key=lambda entry: entry[:2], reverse=True):
        yield camera


def _random_camera(
    furnished: FurnishedRoom, places: Float[np.ndarray, "n 2"], intrinsics: Intrinsics, rng: Rng
) -> RoomCamera:
    """Random camera that looks roughly at a random point of the room, often from far away."""
    footprint = furnished.room.footprint
    target = rng.uniform(footprint.min(axis=0), footprint.max(axis=0))
    options = places[rng.integers(len(places), size=int(rng.integers(1, 5)))]
    place = options[np.argmax(((options - target) ** 2).sum(axis=1))]
    top = furnished.room.ceiling_at(*place) - 0.25
    height = min(float(np.clip(rng.normal(1.45, 0.2), 1.0, 1.8)), top)
    towards = target - place
    return RoomCamera.looking(
        np.array([*place, height]),
        yaw=math.atan2(towards[1], towards[0]) + float(rng.normal(0, 0.25)),
        tilt=math.radians(float(np.clip(rng.normal(-9, 8), -25, 10))),
        roll=math.radians(float(np.clip(rng.normal(0, 1.2), -3, 3))),
        intrinsics=intrinsics,
    )


def _interest(
    geometry: RoomGeometry, camera: RoomCamera, points: Float[np.ndarray, "n 2"]
) -> float:
    """Score of a view; 0 rejects it."""
    hits = geometry.view(camera, points)
    depth = geometry.depth(camera, hits)
    if not np.isfinite(depth).all() or depth.min() < NEAREST_M or depth.max() > FARTHEST_M:
        return 0.0
    _, counts = np.unique(geometry.mesh.surface[hits.triangle], return_counts=True)
    seen, largest = int((counts >= 3).sum()), float(counts.max() / counts.sum())
    nearest, near, median = np.quantile(depth, (0.03, 0.2, 0.5))
    if seen < 4 or largest > 0.6 or not 1.2 < median < 5.5 or nearest < 0.65 or near < 1.0:
        return 0.0
    # High for views across the room: depth varies and no surface fills the image.
    return min(seen, 16) / 16 + 0.6 * (1 - largest) + 0.25 * min(float(depth.std()), 1.5)
