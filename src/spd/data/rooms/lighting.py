"""Light on surface points: lamps and windows with shadows, the sun through panes, one bounce."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from spd.data.rooms.scene import Scene

_NEAR_M2 = 0.2  # added to squared distances: lamps are not points, nothing glares beside them
_LIFT_M = 2e-3  # shadow rays start this far off the surface: float32 is good to 1e-6 in a room


@dataclasses.dataclass(frozen=True, slots=True)
class Light:
    """A small glowing ball (`half_u` and `half_v` empty) or a glowing rectangle."""

    centre: Float[np.ndarray, "3"]
    power: Float[np.ndarray, "3"]
    """Linear RGB: irradiance at one metre, straight ahead."""
    radius_m: float = 0.05
    """Of the ball; for the rectangle how near to it a shadow ray stops."""
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
    """Surface points to be lit, channels first: where they are, how they face, who looks."""

    position: Float[np.ndarray, "3 n"]
    normal: Float[np.ndarray, "3 n"]
    """Unit, towards the viewer."""
    to_eye: Float[np.ndarray, "3 n"] | None = None
    sharpness: Float[np.ndarray, "n"] | None = None
    """Highlight exponent; 0 where the surface is matt."""

    def lifted(self, rows: Int[np.ndarray, "m"]) -> Float[np.ndarray, "3 m"]:
        """Starts of shadow rays: some of the points, a little off their surface."""
        return self.position[:, rows] + np.float32(_LIFT_M) * self.normal[:, rows]


def dot(a: Float[np.ndarray, "3 n"], b: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "n"]:
    """Dot products of vectors stored channels first."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def direct(
    scene: Scene, light: Light, points: Points, jitter: Float[np.ndarray, "2 n"]
) -> tuple[Float[np.ndarray, "3 n"], Float[np.ndarray, "3 n"]]:
    """Irradiance from one light and its highlight, one shadow ray per point to a jittered place."""
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
    hidden = scene.occluded(start.T, ((target[:, lit] - start) * reach).T)
    strength[lit[hidden]] = 0
    power = light.power.astype(np.float32)[:, None]
    return power * strength, power * (strength * _highlight(points, towards))


def _target(
    light: Light, jitter: Float[np.ndarray, "2 n"]
) -> tuple[Float[np.ndarray, "3 n"], Float[np.ndarray, "3"] | None]:
    """A place on the light for every point, and which way a rectangle shines."""
    centre = light.centre.astype(np.float32)[:, None]
    offset = 2 * jitter - 1
    if light.half_u is None or light.half_v is None:
        third = 2 * (jitter[0] + jitter[1]) % 2 - 1
        return centre + np.float32(light.radius_m) * np.stack([*offset, third]), None
    edges = np.stack([light.half_u, light.half_v], axis=1).astype(np.float32)
    forward = np.cross(light.half_u, light.half_v)
    return centre + edges @ offset, (forward / np.linalg.norm(forward)).astype(np.float32)


def _highlight(points: Points, towards: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "n"]:
    """Blinn's highlight, normalised so that a sharper one is brighter."""
    if points.to_eye is None or points.sharpness is None:
        return np.zeros(towards.shape[1], np.float32)
    highlight = np.zeros_like(points.sharpness)
    shiny = np.flatnonzero(points.sharpness > 0)
    half = towards[:, shiny] + points.to_eye[:, shiny]
    cosine = dot(half, points.normal[:, shiny]) / np.sqrt(np.maximum(dot(half, half), 1e-12))
    exponent = points.sharpness[shiny]
    highlight[shiny] = (exponent + 8) / 25 * np.clip(cosine, 0, 1) ** exponent
    return highlight


def sunlight(scene: Scene, sun: Sun, points: Points) -> Float[np.ndarray, "3 n"]:
    """Irradiance of the sun where the way to it leads out through a pane."""
    panes = np.array([m.transmits_sun for m in scene.mesh.materials])[scene.mesh.material]
    towards = sun.towards.astype(np.float32)
    cosine = np.maximum(towards @ points.normal, 0)
    facing = np.flatnonzero(cosine > 0)
    start = points.lifted(facing).T
    triangle = scene.first_triangle(start, np.broadcast_to(towards, start.shape))
    cosine[facing[~(panes[triangle] & (triangle >= 0))]] = 0
    return sun.irradiance[:, None] * cosine


def radiosity(
    scene: Scene, lights: list[Light], sun: Sun | None, rng: np.random.Generator
) -> Float[np.ndarray, "3 t"]:
    """Rough light leaving each triangle: what the bounce gathers. Lit at two places of each."""
    mesh = scene.mesh
    colours = np.stack([m.mean_colour() for m in mesh.materials], axis=1).astype(np.float32)
    albedo = colours[:, mesh.material]
    irradiance = np.zeros_like(albedo)
    normal = np.ascontiguousarray(scene.plane_normal32.T)
    for weights in ((0.6, 0.2, 0.2), (0.15, 0.425, 0.425)):
        place = np.einsum("tci,c->it", mesh.corners, np.array(weights)).astype(np.float32)
        points = Points(place, normal)
        for light in lights:
            jitter = rng.random((2, place.shape[1]), np.float32)
            irradiance += direct(scene, light, points, jitter)[0] / 2
        if sun is not None:
            irradiance += sunlight(scene, sun, points) / 2
    return albedo * (irradiance + ambient(scene, albedo, irradiance)[:, None])


def ambient(
    scene: Scene, albedo: Float[np.ndarray, "3 t"], irradiance: Float[np.ndarray, "3 t"]
) -> Float[np.ndarray, "3"]:
    """Uniform irradiance of all further bounces: the room as one grey sphere."""
    share = (scene.area_m2 / scene.area_m2.sum()).astype(np.float32)
    reflectance = np.clip(albedo @ share, 0.05, 0.8)
    return (albedo * irradiance) @ share / (1 - reflectance)


def gather(
    scene: Scene,
    points: Points,
    leaving: Float[np.ndarray, "3 t"],
    jitter: Float[np.ndarray, "2 n"],
) -> Float[np.ndarray, "3 n"]:
    """Indirect irradiance: what one cosine-distributed ray from each point meets."""
    z = 1 - 2 * jitter[0]
    ring = np.sqrt(np.maximum(1 - z * z, 0))
    angle = np.float32(2 * np.pi) * jitter[1]
    ball = np.stack([ring * np.cos(angle), ring * np.sin(angle), z])
    # A point of the unit sphere plus the normal is cosine-distributed about the normal.
    ray = points.normal * np.float32(1.001) + ball
    start = points.position + np.float32(_LIFT_M) * points.normal
    triangle = scene.first_triangle(start.T, ray.T)
    found = np.take(leaving, triangle, axis=1)
    found[:, triangle < 0] = 0
    # What glares beside lamps is rare and would only speckle; the ambient term has its energy.
    return np.minimum(found, 4 * found.mean(axis=1, keepdims=True))
