"""One frame of a random room: image, exact depth and normals."""

import dataclasses
import itertools

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from spd.data.rooms.camera_choice import FARTHEST_M, NEAREST_M, camera_candidates
from spd.data.rooms.exposure import photograph
from spd.data.rooms.geometry import Hits, RoomCamera, RoomGeometry
from spd.data.rooms.layout import FurnishedRoom, furnish
from spd.data.rooms.light_grid import light_on_grid
from spd.data.rooms.lighting import dot
from spd.data.rooms.surfels import Surfels, surfels
from spd.data.sample import RGBDSample, valid_depth
from spd.errors import InputError
from spd.pixels import Intrinsics, Size, as_points, check_inside, lattice

NYU_FOCAL_SHARE = 518.8579 / 640
"""Focal length divided by image width of NYU Depth V2's colour camera (fx)."""

_ROOMS_TRIED = 50
_SUBPIXELS = ((-0.35, -0.2), (0.35, -0.1), (0.0, 0.3))  # offsets of the samples of an edge pixel
_MAX_RADIANCE = 6.0  # limit of a sample of an edge pixel, so that lamps keep smooth outlines


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class RoomFrame:
    """Image of a synthetic room with its exact geometry."""

    image: UInt8[np.ndarray, "h w 3"]
    """RGB, 0..255."""
    depth_m: Float[np.ndarray, "h w"]
    """Camera z in metres at pixel centres, exact up to rounding to float32."""
    normal: Float[np.ndarray, "h w 3"]
    """Unit normal in the camera frame (x right, y down, z forward), facing the camera, float32.

    It is the normal of the triangle, as the depth is (curved objects are facetted).
    """
    intrinsics: Intrinsics
    geometry: RoomGeometry
    camera: RoomCamera

    def depth_at(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
        """Exact camera z in metres, float64, at points `(u, v)`; integers are pixel centres.

        Raises:
            PointError: if points are not `[N, 2]`, not finite, or outside the image.
        """
        return self.geometry.depth(self.camera, self._hits(points))

    def surface_at(self, points: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "n"]:
        """Surface id at points `(u, v)`, int32; one id per part of an object.

        All faces of a box share an id, a table's leg and top do not.

        Raises:
            PointError: if points are not `[N, 2]`, not finite, or outside the image.
        """
        return self.geometry.mesh.surface[self._hits(points).triangle]

    def sample(self, name: str) -> RGBDSample:
        """Convert to the sample type of every data source."""
        return RGBDSample(
            self.image, self.depth_m, valid_depth(self.depth_m), self.intrinsics, name
        )

    def _hits(self, points: Float[np.ndarray, "n 2"]) -> Hits:
        points = as_points(points)
        check_inside(points, (self.depth_m.shape[0], self.depth_m.shape[1]))
        return self.geometry.view(self.camera, points)


def render_room(
    seed: int,
    *,
    size: Size = (480, 640),
    focal_px: float | None = None,
    chosen_at_px: float | None = None,
) -> RoomFrame:
    """Render one random furnished room; the same arguments give the same image.

    Args:
        seed: non-negative integer; each seed gives another room and view.
        size: (height, width) of the image in pixels.
        focal_px: focal length in pixels; None: NYU's field of view, 518.8579 px at a width of 640.
            The principal point is the centre of the image.
        chosen_at_px: focal length in pixels at which the best view of the room is chosen; None:
            `focal_px`. A common value shows a room from one place through several lenses, unless
            a wider lens stands too close to something and takes the next best view.

    Raises:
        InputError: if the seed is negative, the size below 2x2, or the focal length not positive.
    """
    height, width = size
    if seed < 0 or min(height, width) < 2:
        raise InputError(
            f"render_room needs seed >= 0 and size of at least 2x2, got seed {seed} and size {size}"
        )
    focal_px = NYU_FOCAL_SHARE * width if focal_px is None else focal_px
    intrinsics = Intrinsics.centred(focal_px, size)
    chosen_at = Intrinsics.centred(focal_px if chosen_at_px is None else chosen_at_px, size)
    points = lattice(np.arange(width), np.arange(height)).astype(np.float64)
    for attempt in range(_ROOMS_TRIED):
        rng = np.random.default_rng([seed, attempt])
        furnished = furnish(rng)
        for candidate in camera_candidates(furnished, chosen_at, size, rng):
            camera = dataclasses.replace(candidate, intrinsics=intrinsics)
            hits = furnished.geometry.view(camera, points)
            depth = furnished.geometry.depth(camera, hits)
            if _is_usable(depth):
                return _frame(furnished, camera, size, hits, depth, rng)
    raise InputError(
        f"no usable view was found in {_ROOMS_TRIED} rooms at focal length {focal_px:g} px and "
        f"size {size}; use a field of view between about 20 and 120 degrees"
    )


def _is_usable(depth: Float[np.ndarray, "n"]) -> bool:
    """Whether every pixel sees a surface, and nearly all of them at indoor distances."""
    if not np.isfinite(depth).all() or depth.min() <= 0.05:
        return False
    return bool(((depth < NEAREST_M) | (depth > FARTHEST_M)).mean() < 1e-3)


def _frame(
    furnished: FurnishedRoom,
    camera: RoomCamera,
    size: Size,
    hits: Hits,
    depth: Float[np.ndarray, "n"],
    rng: np.random.Generator,
) -> RoomFrame:
    room, geometry = furnished.room, furnished.geometry
    surface = geometry.mesh.surface[hits.triangle].reshape(size)
    normal = geometry.facing_normal(camera, hits.triangle).reshape(*size, 3)
    visible = surfels(geometry, camera, hits, depth)
    light = light_on_grid(geometry, room.lights, room.sun, visible, camera, size, rng)
    radiance = visible.radiance(light).reshape(3, *size)
    _refine_edges(radiance, _edges(surface, normal), geometry, camera, visible, light)
    return RoomFrame(
        image=photograph(radiance, rng),
        depth_m=depth.astype(np.float32).reshape(size),
        normal=normal,
        intrinsics=camera.intrinsics,
        geometry=geometry,
        camera=camera,
    )


def _edges(
    surface: Int[np.ndarray, "h w"], normal: Float[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Mask of the pixels beside a change of surface or a crease."""
    edge = np.zeros(surface.shape, bool)
    for a, b in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        crease = sum(normal[a][..., k] * normal[b][..., k] for k in range(3)) < 0.85
        change = (surface[a] != surface[b]) | crease
        edge[a] |= change
        edge[b] |= change
    return edge


def _refine_edges(
    radiance: Float[np.ndarray, "3 h w"],
    edge: Bool[np.ndarray, "h w"],
    geometry: RoomGeometry,
    camera: RoomCamera,
    visible: Surfels,
    light: Float[np.ndarray, "6 n"],
) -> None:
    """Replace edge pixels by the mean of a few sub-pixel samples (anti-aliasing), in place.

    Each sample takes its light from the neighbouring pixel whose surface point is nearest.
    """
    height, width = edge.shape
    rows, columns = (np.tile(index, len(_SUBPIXELS)) for index in np.nonzero(edge))
    du, dv = np.repeat(np.array(_SUBPIXELS), int(edge.sum()), axis=0).T
    hits = geometry.view(camera, np.stack([columns + du, rows + dv], axis=-1))
    sample = surfels(geometry, camera, hits, geometry.depth(camera, hits))
    best, nearest = np.zeros(len(rows), np.int64), np.full(len(rows), np.inf, np.float32)
    for toward_row, toward_column in itertools.product((0, 1), repeat=2):
        row = np.clip(rows + toward_row * np.sign(dv).astype(int), 0, height - 1)
        column = np.clip(columns + toward_column * np.sign(du).astype(int), 0, width - 1)
        pixel = row * width + column
        apart = np.take(visible.position, pixel, axis=1) - sample.position
        gap = dot(apart, apart)
        gap -= 0.04 * dot(np.take(visible.normal, pixel, axis=1), sample.normal)
        closer = gap < nearest
        best[closer], nearest[closer] = pixel[closer], gap[closer]
    samples = np.minimum(sample.radiance(np.take(light, best, axis=1)), _MAX_RADIANCE)
    radiance[:, edge] = samples.reshape(3, len(_SUBPIXELS), -1).mean(axis=1)
