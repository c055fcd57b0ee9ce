"""Random augmentation of training frames, as BTS and AdaBins train NYU Depth V2.

Geometric changes are part of a `Placement`, so image, depth, points and camera move together.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, UInt8

from spd.data.views import Placement

LARGEST_ROLL_DEG = 2.5
GAMMA = (0.9, 1.1)
BRIGHTNESS = (0.75, 1.25)
COLOUR = (0.9, 1.1)  # gain of each channel

LightTable = Float[np.ndarray, "3 256"]
UNCHANGED: LightTable = np.tile(np.arange(256, dtype=np.float32) / np.float32(255), (3, 1))
"""Table that leaves the light unchanged: values of 0..255 become 0..1."""


def roll_and_mirror(placement: Placement, rng: np.random.Generator) -> Placement:
    """Roll by up to 2.5 degrees, and mirror every second view on average."""
    roll_rad = math.radians(rng.uniform(-LARGEST_ROLL_DEG, LARGEST_ROLL_DEG))
    return dataclasses.replace(placement, roll_rad=roll_rad, mirrored=bool(rng.random() < 0.5))


def random_light(rng: np.random.Generator) -> LightTable:
    """Random gamma, brightness and colour, as a table of 8-bit values for each channel.

    A view has 500,000 values but only 256 different ones, so a table is cheaper than powers.
    """
    gamma = rng.uniform(*GAMMA)
    gain = rng.uniform(*BRIGHTNESS) * rng.uniform(*COLOUR, size=3)
    table = UNCHANGED.astype(np.float64) ** gamma * gain[:, None]
    return table.clip(0, 1).astype(np.float32)


def lit(image: UInt8[np.ndarray, "h w 3"], table: LightTable) -> Float[np.ndarray, "h w 3"]:
    """Apply a light table to an image; float32 in 0..1."""
    shown = np.empty(image.shape, dtype=np.float32)
    for channel, becomes in enumerate(table):
        shown[..., channel] = becomes.take(image[..., channel])
    return shown
