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
    """Surface points to be lit: where they are, how they face, and from where they are seen."""

    position: Float[np.ndarray, "n 3"]
    normal: Float[np.ndarray, "n 3"]
    """Unit, towards the viewer (float32)."""
    to_eye: Float[np.ndarray, "n 3"] | None = None
    sharpness: Float[np.ndarray, "n"] | None = None
    """Highlight exponent; 0 where the surface is matt."""


def direct(
    scene: Scene, light: Light, points: Points, jitter: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Irradiance from one light and its highlight, one shadow ray per point to a jittered place."""
    target, forward = _target(light, points, jitter)
    segment = (target - points.position).astype(np.float32)
    distance2 = np.einsum("ni,ni->n", segment, segment)
    distance = np.sqrt(np.maximum(distance2, 1e-6))
    towards = segment / distance[:, None]
    cosine = np.einsum("ni,ni->n", towards, points.normal)
    strength = np.maximum(cosine, 0) / (distance2 + _NEAR_M2)
    if forward is not None:
        strength *= np.maximum(-(towards @ forward), 0)
    lit = np.flatnonzero(strength > 1e-4)
    start = points.position[lit] + _LIFT_M * points.normal[lit]
    reach = np.maximum(1 - (light.radius_m * 1.3 + _LIFT_M) / distance[lit], 0.01)
    hidden = scene.occluded(start, (target[lit] - start) * reach[:, None])
    strength[lit[hidden]] = 0
    irradiance = (strength[:, None] * light.power).astype(np.float32)
    return irradiance, _highlight(points, towards, irradiance)


def _target(
    light: Light, points: Points, jitter: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """A place on the light for every point, and which way a rectangle shines."""
    if light.half_u is None or light.half_v is None:
        ball = np.stack(
            [jitter[:, 0] - 0.5, jitter[:, 1] - 0.5, (jitter.sum(axis=1) % 1.0) - 0.5], axis=1
        )
        return light.centre + 2 * light.radius_m * ball, None
    offset = 2 * jitter - 1
    place = light.centre + offset[:, :1] * light.half_u + offset[:, 1:] * light.half_v
    forward = np.cross(light.half_u, light.half_v)
    return place, (forward / np.linalg.norm(forward)).astype(np.float32)


def _highlight(points: Points, towards: np.ndarray, irradiance: np.ndarray) -> np.ndarray:
    """Blinn's highlight, normalised so that a sharper one is brighter."""
    highlight = np.zeros_like(irradiance)
    if points.to_eye is None or points.sharpness is None:
        return highlight
    shiny = np.flatnonzero(points.sharpness > 0)
    half = towards[shiny] + points.to_eye[shiny]
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-6)
    exponent = points.sharpness[shiny]
    cosine = np.clip(np.einsum("ni,ni->n", half, points.normal[shiny]), 0, 1)
    highlight[shiny] = irradiance[shiny] * ((exponent + 8) / 25 * cosine**exponent)[:, None]
    return highlight


def sunlight(scene: Scene, sun: Sun, points: Points) -> Float[np.ndarray, "n 3"]:
    """Irradiance of the sun where the way to it leads out through a pane."""
    panes = np.array([m.transmits_sun for m in scene.mesh.materials])[scene.mesh.material]
    cosine = points.normal @ sun.towards.astype(np.float32)
    facing = np.flatnonzero(cosine > 0)
    start = points.position[facing] + _LIFT_M * points.normal[facing]
    triangle = scene.first_triangle(start, np.broadcast_to(sun.towards, start.shape))
    through = panes[triangle] & (triangle >= 0)
    irradiance = np.zeros((len(cosine), 3), np.float32)
    lit = facing[through]
    irradiance[lit] = cosine[lit, None] * sun.irradiance
    return irradiance


def radiosity(
    scene: Scene, lights: list[Light], sun: Sun | None, rng: np.random.Generator
) -> Float[np.ndarray, "t 3"]:
    """Rough light leaving each triangle: what the bounce gathers. Lit at two places of each."""
    mesh = scene.mesh
    albedo = np.stack([m.mean_colour() for m in mesh.materials])[mesh.material]
    irradiance = np.zeros((len(albedo), 3), np.float32)
    normal = scene.plane_normal32
    for weights in ((0.6, 0.2, 0.2), (0.15, 0.425, 0.425)):
        place = np.einsum("tci,c->ti", mesh.corners, np.array(weights)).astype(np.float32)
        points = Points(place, normal)
        for light in lights:
            jitter = rng.random((len(place), 2), np.float32)
            irradiance += direct(scene, light, points, jitter)[0] / 2
        if sun is not None:
            irradiance += sunlight(scene, sun, points) / 2
    return albedo * (irradiance + ambient(scene, albedo, irradiance)) 


def ambient(
    scene: Scene, albedo: Float[np.ndarray, "t 3"], irradiance: Float[np.ndarray, "t 3"]
) -> Float[np.ndarray, "3"]:
    """Uniform irradiance of all further bounces: the room as one grey sphere."""
    share = (scene.area_m2 / scene.area_m2.sum()).astype(np.float32)
    reflectance = np.clip(share @ albedo, 0.05, 0.8)
    return share @ (albedo * irradiance) / (1 - reflectance)


def gather(
    scene: Scene,
    points: Points,
    leaving: Float[np.ndarray, "t 3"],
    jitter: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "n 3"]:
    """Indirect irradiance: what one cosine-distributed ray from each point meets."""
    ray = cosine_direction(points.normal, jitter)
    start = points.position + _LIFT_M * points.normal
    triangle: Int[np.ndarray, n] = scene.first_triangle(start, ray)
    found = leaving[triangle]
    found[triangle < 0] = 0
    # What glares beside lamps is rare and would only speckle; the ambient term has its energy.
    return np.minimum(found, 4 * found.mean(axis=0))


def cosine_direction(
    normal: Float[np.ndarray, "n 3"], jitter: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 3"]:
    """Directions about `normal` with density proportional to the cosine."""
    z = 1 - 2 * jitter[:, 0]
    ring = np.sqrt(np.maximum(1 - z * z, 0))
    angle = 2 * np.pi * jitter[:, 1]
    ball = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=-1)
    return normal * np.float32(1.001) + ball.astype(np.float32)
