"""Depth maps as files: float32 metres, or 16-bit steps with their size stored in the file."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from spd.errors import InputError, shown
from spd.files import atomic_path
from spd.outputs.steps import STEPS_PER_METRE, to_steps
from spd.pixels import as_map

MAP_FORMS = (".npy", ".png", ".ply", ".glb")
"""File name endings of depth maps and point clouds."""
SCALE_KEY = "depth_scale"
"""Key of the steps per metre in the PNG's text: metres are value / steps; 0 means no depth."""


def write_npy(depth_m: Float[np.ndarray, "h w"], path: str | os.PathLike[str]) -> None:
    """Write metres, float32 `[H, W]`, for `numpy.load`.

    Raises:
        InputError: if it is no depth map.
    """
    depth_m = as_map(depth_m)
    # Given a path, np.save would append .npy to a name such as MAP.NPY.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(depth_m, dtype=np.float32))


def write_png(
    depth_m: Float[np.ndarray, "h w"],
    path: str | os.PathLike[str],
    steps_per_metre: float = STEPS_PER_METRE,
) -> None:
    """Write 16-bit steps, with the steps per metre in the file's text.

    0 means no depth: a value that is not finite or not in front of the camera.

    Raises:
        InputError: if a depth is beyond 65,535 steps or below half a step; nothing is clipped.
    """
    remedy = "--png-unit 256 reaches 255 m; .npy has no limit"
    steps = to_steps(depth_m, steps_per_metre, what=str(path), remedy=remedy)
    about = PngInfo()
    about.add_text(SCALE_KEY, f"{steps_per_metre:g}")
    about.add_text("depth_unit", "millimetre" if steps_per_metre == 1000 else "1 / depth_scale m")
    about.add_text("Description", "depth along the optical axis; 0 means no depth")
    with atomic_path(path) as temporary:
        Image.fromarray(steps).save(temporary, format="PNG", pnginfo=about)


def read_png_depth(path: str | os.PathLike[str]) -> Float[np.ndarray, "h w"]:
    """Read the metres of a PNG that `write_png` wrote; NaN means no depth.

    Raises:
        InputError: if the file is not such a PNG.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"a depth PNG must be the path of its file, got {shown(path)}")
    try:
        with Image.open(Path(path), formats=["PNG"]) as image:
            steps, scale = np.asarray(image), float(image.info[SCALE_KEY])
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise InputError(
            f"{path} is not a 16-bit depth PNG with the text entry {SCALE_KEY}"
        ) from None
    return np.where(steps > 0, steps / np.float64(scale), np.nan).astype(np.float32)
