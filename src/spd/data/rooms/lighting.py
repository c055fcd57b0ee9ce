"""Light on surface points: lamps and windows with shadows, sun through panes, one bounce."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms.geometry import RoomGeometry

_NEAR_M2 = 0.2  # added to squared distances, as lamps are not points, so that nothing glares
_LIFT_M = 2e-3  # distance of a shadow ray's start from its surface


@dataclasses.dataclass(frozen=True, slots=True)
class Light:
    """A small glowing ball, or with `half_u` and `half_v` a glowing rectangle."""

    centre: Float[np.ndarray, "3"]
    power: Float[np.ndarray, "3"]
    """Linear RGB irradiance at one metre, straight ahead."""
    radius_m: float = 0.05
    """Radius of the ball in metres; before a rectangle, shadow rays stop at this distance."""
    half_u: Float[np.ndarray, "3"] | None = None
    half_v: Float[np.ndarray, "3"] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Sun:
    """Parallel light that enters through materials with `transmits_sun`."""

    towards: Float[np.ndarray, "3"]
    """Unit vector to the sun."""
    irradiance: Float[np.ndarray, "3"]


@dataclasses.dataclass(frozen=True, slots=True)
class Points:
    """Surface points to be lit, with normal and viewing direction, channels first."""

    position: Float[np.ndarray, "3 n"]
    normal: Float[np.ndarray, "3 n"]
    """Unit normal, facing the viewer."""
    to_eye: Float[np.ndarray, "3 n"] | None = None
    sharpness: Float[np.ndarray, "n"] | None = None
    """Exponent of the highlight; 0 for a matt surface."""

    def lifted(self, rows: Int[np.ndarray, "m"]) -> Float[np.ndarray, "3 m"]:
        """Starts of shadow rays from some of the points, slightly off their surface."""
        return self.position[:, rows] + np.float32(_LIFT_M) * self.normal[:, rows]


def dot(a: Float[np.ndarray, "3 n"], b: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "n"]:
    """Dot products of vectors stored channels first."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def direct(
    geometry: RoomGeometry, light: Light, points: Points, jitter: Float[np.ndarray, "2 n"]
) -> tuple[Float[np.ndarray, "3 n"], Float[np.ndarray, "3 n"]]:
    """Irradiance and highlight of one light, with one jittered shadow ray per point."""
    target, forward = _target(light, jitter)
    towards = target - points.position
    distance2 = dot(towards, towards)
    distance = np.sqrt(np.maximum(distance2, 1e-6))
    towards /= distance
    strength = np.maximum(dot(towards, points.normal), 0) / (distance2 + np.float32(_NEAR_M2))
    if forward is not None:
        strength *= np.maximum(-(forward @ towards), 0)
    lit = np.flatnonzero(strength > 1e-4)
    start = points.lifted(lit)
    reach = np.maximum(1 - (light.radius_m * 1.3 + _LIFT_M) / distance[lit], 0.01)
    hidden = geometry.occluded(start.T, ((target[:, lit] - start) * reach).T)
    strength[lit[hidden]] = 0
    power = light.power.astype(np.float32)[:, None]
    return power * strength, power * (strength * _highlight(points, towards))


def _target(
    light: Light, jitter: Float[np.ndarray, "2 n"]
) -> tuple[Float[np.ndarray, "3 n"], Float[np.ndarray, "3"] | None]:
    """Random point on the light for each surface point, and a rectangle's normal."""
    centre = light.centre.astype(np.float32)[:, None]
    offset = 2 * jitter - 1
    if light.half_u is None or light.half_v is None:
        third = 2 * (jitter[0] + jitter[1]) % 2 - 1
        return centre + np.float32(light.radius_m) * np.stack([*offset, third]), None
    edges = np.stack([light.half_u, light.half_v], axis=1).astype(np.float32)
    forward = np.cross(light.half_u, light.half_v)
    return centre + edges @ offset, (forward / np.linalg.norm(forward)).astype(np.float32)


def _highlight(points: Points, towards: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "n"]:
    """Blinn highlight, normalised so that a sharper one is brighter."""
    if points.to_eye is None or points.sharpness is None:
        return np.zeros(towards.shape[1], np.float32)
    highlight = np.zeros_like(points.sharpness)
    shiny = np.flatnonzero(points.sharpness > 0)
    half = towards[:, shiny] + points.to_eye[:, shiny]
    cosine = dot(half, points.normal[:, shiny]) / np.sqrt(np.maximum(dot(half, half), 1e-12))
    exponent = points.sharpness[shiny]
    highlight[shiny] = (exponent + 8) / 25 * np.clip(cosine, 0, 1) ** exponent
    return highlight


def sunlight(geometry: RoomGeometry, sun: Sun, points: Points) -> Float[np.ndarray, "3 n"]:
    """Irradiance of the sun at points that see it through a pane."""
    panes = np.array([m.transmits_sun for m in geometry.mesh.materials])[geometry.mesh.material]
    towards = sun.towards.astype(np.float32)
    cosine = np.maximum(towards @ points.normal, 0)
    facing = np.flatnonzero(cosine > 0)
    start = points.lifted(facing).T
    triangle = geometry.first_triangle(start, np.broadcast_to(towards, start.shape))
    cosine[facing[~(panes[triangle] & (triangle >= 0))]] = 0
    return sun.irradiance[:, None] * cosine


def radiosity(
    geometry: RoomGeometry, lights: list[Light], sun: Sun | None, rng: np.random.Generator
) -> Float[np.ndarray, "3 t"]:
    """Approximate radiosity of each triangle, lit at two points of each, for `gather`."""
    mesh = geometry.mesh
    colours = np.stack([m.mean_colour() for m in mesh.materials], axis=1).astype(np.float32)
    albedo = colours[:, mesh.material]
    irradiance = np.zeros_like(albedo)
    normal = np.ascontiguousarray(geometry.plane_normal32.T)
    for weights in ((0.6, 0.2, 0.2), (0.15, 0.425, 0.425)):
        place = np.einsum("tci,c->it", mesh.corners, np.array(weights)).astype(np.float32)
        points = Points(place, normal)
        for light in lights:
            jitter = rng.random((2, place.shape[1]), np.float32)
            irradiance += direct(geometry, light, points, jitter)[0] / 2
        if sun is not None:
            irradiance += sunlight(geometry, sun, points) / 2
    return albedo * (irradiance + ambient(geometry, albedo, irradiance)[:, None])


def ambient(
    geometry: RoomGeometry, albedo: Float[np.ndarray, "3 t"], irradiance: Float[np.ndarray, "3 t"]
) -> Float[np.ndarray, "3"]:
    """Uniform irradiance of all further bounces, with the room as one grey sphere."""
    share = (geometry.area_m2 / geometry.area_m2.sum()).astype(np.float32)
    reflectance = np.clip(albedo @ share, 0.05, 0.8)
    return (albedo * irradiance) @ share / (1 - reflectance)


def gather(
    geometry: RoomGeometry,
    points: Points,
    leaving: Float[np.ndarray, "3 t"],
    jitter: Float[np.ndarray, "2 n"],
) -> Float[np.ndarray, "3 n"]:
    """Indirect irradiance from one cosine-distributed ray per point."""
    z = 1 - 2 * jitter[0]
    ring = np.sqrt(np.maximum(1 - z * z, 0))
    angle = np.float32(2 * np.pi) * jitter[1]
    ball = np.stack([ring * np.cos(angle), ring * np.sin(angle), z])
    # A point of the unit sphere plus the normal is cosine-distributed about the normal.
    ray = points.normal * np.float32(1.001) + ball
    start = points.position + np.float32(_LIFT_M) * points.normal
    triangle = geometry.first_triangle(start.T, ray.T)
    found = np.take(leaving, triangle, axis=1)
    found[:, triangle < 0] = 0
    # Rare very bright hits beside lamps would only speckle; the ambient term has their energy.
    return np.minimum(found, 4 * found.mean(axis=1, keepdims=True))
