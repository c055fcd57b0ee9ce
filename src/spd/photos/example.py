"""The photo that comes with the package: a synthetic room whose exact depth is known."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

EXAMPLE_FOCAL_PX = 518.9
"""Focal length of the example photo in its pixels."""

_FOLDER = Path(__file__).parents[1] / "shipped"
_MM_PER_METRE = 1000


def example_photo() -> Path:
    """The file of a 640x480 photo of a synthetic room, for a first question.

    Its focal length is 518.9 pixels. No model here was trained on this room or chosen by it.
    """
    return _FOLDER / "room.png"


def example_depth_m() -> Float[np.ndarray, "h w"]:
    """The exact depth of the example photo in metres, `[480, 640]`, rounded to millimetres."""
    with Image.open(_FOLDER / "room_depth.png") as depth_mm:
        return np.asarray(depth_mm, dtype=np.float32) / _MM_PER_METRE
