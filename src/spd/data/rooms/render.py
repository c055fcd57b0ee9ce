"""One frame of a random room: picture, exact depth, surfaces and normals."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from spd.data.rooms.camera_choice import FARTHEST_M, NEAREST_M, camera_candidates
from spd.data.rooms.exposure import photograph
from spd.data.rooms.layout import FurnishedRoom, furnish
from spd.data.rooms.light_grid import light_on_grid
from spd.data.rooms.lighting import dot
from spd.data.rooms.scene import Camera, Hits, Scene
from spd.data.rooms.surfels import Surfels, surfels
from spd.data.sample import RGBDSample, valid_depth
from spd.errors import InputError, PointError
from spd.pixels import Intrinsics, Size, lattice

NYU_FOCAL_SHARE = 518.8579 / 640
"""Focal length over image width of NYU Depth v2's colour camera (fx of its calibration)."""

_ROOMS_TRIED = 50
_LOOKS = ((-0.35, -0.2), (0.35, -0.1), (0.0, 0.3))  # sub-pixel places of an edge pixel
_BRIGHTEST = 6.0  # radiance limit inside a mixed pixel, so that lamps keep smooth outlines


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class RoomFrame:
    """A picture of a synthetic room with everything known about its geometry."""

    image: UInt8[np.ndarray, "h w 3"]
    """RGB, 0..255."""
    depth_m: Float[np.ndarray, "h w"]
    """Camera z in metres at pixel centres, float32 of an exact value."""
    surface_id: Int[np.ndarray, "h w"]
    """One id per object part: all faces of a box share one, a table's leg and top do not; int32."""
    normal: Float[np.ndarray, "h w 3"]
    """Unit normal in the camera frame (x right, y down, z forward), facing the camera, float32.

    Of the triangle that was hit, so consistent with the depth (curved objects are facetted).
    """
    intrinsics: Intrinsics
    scene: Scene
    camera: Camera

    def depth_at(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
        """Exact camera z in metres, float64, at any `(u, v)`; integers are pixel centres.

        Raises:
            PointError: points are not `[N, 2]`, not finite, or outside the image.
        """
        points = self._checked(points)
        return self.scene.depth(self.camera, self.scene.view(self.camera, points))

    def surface_at(self, points: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "n"]:
        """Surface id at any `(u, v)`, int32.

        Raises:
            PointError: points are not `[N, 2]`, not finite, or outside the image.
        """
        points = self._checked(points)
        return self.scene.mesh.surface[self.scene.view(self.camera, points).triangle]

    def sample(self, name: str) -> RGBDSample:
        """The frame as the sample type of every data source."""
        return RGBDSample(
            self.image, self.depth_m, valid_depth(self.depth_m), self.intrinsics, name
        )

    def _checked(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != 2:
            raise PointError(f"points must be [N, 2] of (u, v), got shape {points.shape}")
        limit = np.array(self.depth_m.shape[::-1]) - 0.5
        bad = ~((points >= -0.5) & (points <= limit)).all(axis=1)
        if bad.any():
            index = int(bad.argmax())
            u, v = points[index]
            raise PointError(
                f"point {index} is ({u:g}, {v:g}), outside the image: u must be in "
                f"[-0.5, {limit[0]}] and v in [-0.5, {limit[1]}]"
            )
        return points


def render_room(
    seed: int,
    *,
    size: Size = (480, 640),
    focal_px: float | None = None,
    chosen_at_px: float | None = None,
) -> RoomFrame:
    """Render one random furnished room, the same for the same arguments.

    Args:
        seed: any non-negative integer; another seed is another room and another view.
        size: (height, width) of the image in pixels.
        focal_px: focal length in pixels; by default NYU's field of view, 518.8579 px at a width
            of 640. The principal point is the image's centre.
        chosen_at_px: focal length through which the view is the best of its room; by default
            `focal_px`. With one for all, other lenses show the room from the same place; only
            where a wider one stands too close to something, from the next best.

    Raises:
        InputError: a negative seed, a size below 2x2, or a focal length that is not positive.
    """
    height, width = size
    if seed < 0 or min(height, width) < 2:
        raise InputError(
            f"render_room needs seed >= 0 and a size of at least 2x2, got seed {seed}, size {size}"
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
            hits = furnished.scene.view(camera, points)
            depth = furnished.scene.depth(camera, hits)
            if _is_usable(depth):
                return _frame(furnished, camera, size, hits, depth, rng)
    raise InputError(
        f"no usable view in {_ROOMS_TRIED} rooms at focal length {focal_px:g} px and size {size}; "
        "use a field of view between about 20 and 120 degrees"
    )


def _is_usable(depth: Float[np.ndarray, "n"]) -> bool:
    """Every pixel sees something, nearly all of it at indoor distances."""
    if not np.isfinite(depth).all() or depth.min() <= 0.05:
        return False
    return bool(((depth < NEAREST_M) | (depth > FARTHEST_M)).mean() < 1e-3)


def _frame(
    furnished: FurnishedRoom,
    camera: Camera,
    size: Size,
    hits: Hits,
    depth: Float[np.ndarray, "n"],
    rng: np.random.Generator,
) -> RoomFrame:
    room, scene = furnished.room, furnished.scene
    surface = scene.mesh.surface[hits.triangle].reshape(size)
    normal = scene.facing_normal(camera, hits.triangle).reshape(*size, 3)
    visible = surfels(scene, camera, hits, depth)
    light = light_on_grid(scene, room.lights, room.sun, visible, camera, size, rng)
    radiance = visible.radiance(light).reshape(3, *size)
    _refine_edges(radiance, _edges(surface, normal), scene, camera, visible, light)
    return RoomFrame(
        image=photograph(radiance, rng),
        depth_m=depth.astype(np.float32).reshape(size),
        surface_id=surface,
        normal=normal,
        intrinsics=camera.intrinsics,
        scene=scene,
        camera=camera,
    )


def _edges(
    surface: Int[np.ndarray, "h w"], normal: Float[np.ndarray, "h w 3"]
) -> Bool[np.ndarray, "h w"]:
    """Pixels beside a change of surface or a crease."""
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
    scene: Scene,
    camera: Camera,
    visible: Surfels,
    light: Float[np.ndarray, "6 n"],
) -> None:
    """Replace edge pixels by the mean of a few sub-pixel looks (anti-aliasing), in place.

    Each look takes its light from the nearby pixel whose position is nearest to what it sees.
    """
    height, width = edge.shape
    rows, columns = (np.tile(index, len(_LOOKS)) for index in np.nonzero(edge))
    du, dv = np.repeat(np.array(_LOOKS), int(edge.sum()), axis=0).T
    hits = scene.view(camera, np.stack([columns + du, rows + dv], axis=-1))
    look = surfels(scene, camera, hits, scene.depth(camera, hits))
    best, nearest = np.zeros(len(rows), np.int64), np.full(len(rows), np.inf, np.float32)
    for toward_row in (0, 1):
        for toward_column in (0, 1):
            row = np.clip(rows + toward_row * np.sign(dv).astype(int), 0, height - 1)
            column = np.clip(columns + toward_column * np.sign(du).astype(int), 0, width - 1)
            pixel = row * width + column
            apart = np.take(visible.position, pixel, axis=1) - look.position
            gap = dot(apart, apart)
            gap -= 0.04 * dot(np.take(visible.normal, pixel, axis=1), look.normal)
            closer = gap < nearest
            best[closer], nearest[closer] = pixel[closer], gap[closer]
    looks = np.minimum(look.radiance(np.take(light, best, axis=1)), _BRIGHTEST)
    radiance[:, edge] = looks.reshape(3, len(_LOOKS), -1).mean(axis=1)
