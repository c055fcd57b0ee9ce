"""Test the claim of section 6.5 that queries attend to their own surface and not across edges.

Rooms know the surface under every point. For queries at chosen distances from a depth edge, the
attention mass on tokens of the query's own surface is compared with the share of such tokens, which
is the mass under uniform weights.
"""

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Bool, Float

from spd.data.rooms import RoomFrame
from spd.evaluation.metrics.edges import BANDS_PX, band_name, edge_distance_px
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.spd import SPD
from spd.photos.reading import resample

QUERIES_PER_BAND = 60  # in a room


@dataclasses.dataclass(frozen=True, slots=True)
class OwnSurfaceMass:
    """Attention mass on the query's own surface, and the uniform share of such tokens."""

    stage: int
    """1 (s8 and L2) or 2 (L1)."""
    head: int | None
    """One attention head; None is their mean."""
    band: str
    """Distance from the query to the nearest depth edge, in pixels of the frame."""
    queries: int
    mass: float
    """Mean over queries of the attention on own-surface tokens."""
    uniform: float
    """Mean share of own-surface tokens."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one map that the queries of one room attend to."""

    stage: int
    places: Float[np.ndarray, "k n 2"]
    """Place of each token, `(u, v)` of the frame."""
    own: Bool[np.ndarray, "k n"]
    """Whether it lies on the query's own surface."""
    weights: Float[np.ndarray, "k heads n"]
    """Attention; sums to one over all tokens of a stage."""


def read_tokens(model: SPD, frame: RoomFrame, points: Float[np.ndarray, "k 2"]) -> list[Tokens]:
    """Tokens and attention at points `(u, v)` of a rendered frame, for s8, L2 and L1."""
    camera = model.config.camera
    scale = camera.focal_px / frame.intrinsics.focal_px
    image = resample(frame.image, scale, camera.crop_size)
    tensor = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(model.dtype) / 255
    asked = (points + 0.5) * scale - 0.5
    path = cast(CrossAttentionPath, model.local_path)
    with torch.inference_mode():
        maps = model.encode(tensor)
        first, second = path.attention(maps, torch.from_numpy(asked)[None].to(model.dtype))
    (height, width), own = camera.crop_size, frame.surface_at(points)
    last = np.array(frame.depth_m.shape[::-1]) - 0.5
    n = path.window**2
    found = []
    for stage, grid, weights in (
        (1, maps.stride_8_map, first[..., :n]),
        (1, maps.l2, first[..., n:]),
        (2, maps.l1, second),
    ):
        step = np.array([width / grid.shape[-1], height / grid.shape[-2]])
        places = asked[:, None] + _lattice(path.window) * step  # [K, n, 2] of the view
        places = np.clip((places + 0.5) / scale - 0.5, -0.5, last)
        surface = frame.surface_at(places.reshape(-1, 2)).reshape(places.shape[:2])
        found.append(Tokens(stage, places, surface == own[:, None], weights[0].numpy()))
    return found


def own_surface_mass(
    model: SPD, frames: Sequence[RoomFrame], seed: int = 0
) -> list[OwnSurfaceMass]:
    """Attention on the query's own surface by stage, head and distance to the nearest edge."""
    chosen = [
        _queries(frame, np.random.default_rng([seed, number]))
        for number, frame in enumerate(frames)
    ]
    found = [
        read_tokens(model, frame, points) for frame, (points, _) in zip(frames, chosen, strict=True)
    ]
    band = np.concatenate([bands for _, bands in chosen])
    rows = []
    for stage in (1, 2):
        of_stage = [[one for one in tokens if one.stage == stage] for tokens in found]
        weights = np.concatenate(
            [np.concatenate([one.weights for one in maps], axis=-1) for maps in of_stage]
        )
        own = np.concatenate(
            [np.concatenate([one.own for one in maps], axis=-1) for maps in of_stage]
        )
        mass = (weights * own[:, None]).sum(axis=-1)  # [K, heads]
        uniform = own.mean(axis=-1)
        for number, limits in enumerate(BANDS_PX):
            here = band == number
            heads: list[tuple[int | None, np.ndarray]] = [(None, mass[here].mean(axis=1))]
            heads += [(head, mass[here, head]) for head in range(mass.shape[1])]
            rows += [
                OwnSurfaceMass(
                    stage=stage,
                    head=head,
                    band=band_name(limits),
                    queries=int(here.sum()),
                    mass=float(values.mean()),
                    uniform=float(uniform[here].mean()),
                )
                for head, values in heads
                if here.any()
            ]
    return rows


def _queries(frame: RoomFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each band, up to `QUERIES_PER_BAND`, and the bands they lie in."""
    depth_m = frame.depth_m
    distance = edge_distance_px(depth_m, np.isfinite(depth_m) & (depth_m > 0))
    points, bands = [], []
    for number, (low, high) in enumerate(BANDS_PX):
        inside = np.flatnonzero((distance <= high) & ((distance > low) | (low == 0)))
        chosen = rng.permutation(inside)[:QUERIES_PER_BAND]
        row, column = np.divmod(chosen, depth_m.shape[1])
        points.append(np.stack([column, row], axis=1).astype(np.float64))
        bands.append(np.full(len(chosen), number))
    return np.concatenate(points), np.concatenate(bands)


def _lattice(window: int) -> np.ndarray:
    """Offsets `(dx, dy)` of a window's tokens in cells, row-major."""
    steps = np.arange(window) - window // 2
    dy, dx = np.meshgrid(steps, steps, indexing="ij")
    return np.stack([dx.ravel(), dy.ravel()], axis=1).astype(np.float64)
