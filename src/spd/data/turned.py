"""Detection of images that EXIF turns upright although their depth maps are not turned.

Edges of a depth map lie on edges of its image. The depth edges are correlated with the image as
displayed and as stored; the larger correlation gives the orientation of the depth map.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from spd.data.sample import TURN_ADVICE, RGBDSample
from spd.photos.exif import TURNS, tags_of
from spd.photos.exif_checks import ORIENTATION

ROWS = 96
"""Cells along the shorter side; image and depth are averaged to this resolution."""
BLUR = 12
"""Cells of the local average that is removed, so that edge density does not matter."""
CLIP = 0.95
"""Quantile at which edge strength is clipped, so that a few strong edges do not decide."""
MIN_CELLS = 500
"""Smallest number of cells with depth."""
MIN_GAIN = 0.05
"""Smallest gain in correlation: 273 real frames gave 0.2 to 0.5, once -0.05."""
DECISIVE_SHARE = 0.8
"""Share of frames that must agree."""
_BACK = {tag: TURNS[{6: 8, 8: 6}.get(tag, tag)] for tag in TURNS}  # quarter turns are inverses


def orientation_of(image: Path | bytes) -> int:
    """EXIF orientation of an image file, 1 to 8; 1 where it has none that can be read."""
    try:
        source = image if isinstance(image, Path) else io.BytesIO(image)
        with Image.open(source) as opened:
            found = tags_of(opened).get(ORIENTATION, 1)
    except Exception:  # Pillow raises many types for damaged metadata
        return 1
    return int(found) if found in _BACK else 1


def gain_as_stored(sample: RGBDSample) -> float | None:
    """Correlation of depth edges with the image as stored, minus that with the image as displayed.

    In -2..2. None if EXIF does not turn the image, the stored image has another shape than the
    depth, or there are too few edges.
    """
    back = _BACK.get(sample.orientation)
    quarter = sample.orientation >= 5
    height, width = sample.image_size
    if back is None or (quarter and abs(height / width - 1) > 0.02):
        return None
    edges = _depth_edges(sample.depth_m)
    upright = Image.fromarray(sample.image).convert("L")
    fits = [_correlation(edges, shown) for shown in (upright, upright.transpose(back))]
    return None if None in fits else fits[1] - fits[0]  # type: ignore[operator]


def turned_problem(frames: Sequence[tuple[int, float | None]]) -> str | None:
    """The reason why images and depth maps have different orientations; None if they agree.

    Args:
        frames: orientation and :func:`gain_as_stored` of each frame.
    """
    gains = np.array([gain for _, gain in frames if gain is not None])
    if not gains.size or gains.mean() < MIN_GAIN or np.mean(gains > 0) < DECISIVE_SHARE:
        return None
    tags = sorted({orientation for orientation, gain in frames if gain is not None})
    return (
        f"EXIF orientation {' and '.join(map(str, tags))} turns the images of "
        f"{np.sum(gains > 0)} frames away from their depth maps, which fit the images as stored; "
        + TURN_ADVICE
    )


def _depth_edges(depth_m: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "r c"]:
    """Second difference of inverse depth, relative; 0 on planes, NaN where depth is missing."""
    height, width = depth_m.shape
    step = max(1, round(min(height, width) / ROWS))
    rows, columns = height // step, width // step
    known = np.isfinite(depth_m) & (depth_m > 0)
    inverse = np.where(known, 1 / np.where(known, depth_m, 1), 0)
    blocks = (rows, step, columns, step)
    sums, counts = (
        values[: rows * step, : columns * step].reshape(blocks).sum(axis=(1, 3))
        for values in (inverse, known)
    )
    mean = np.where(counts > step**2 / 2, sums / np.maximum(counts, 1), np.nan)
    across, down = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    across[:, 1:-1] = np.abs(np.diff(mean, 2, axis=1))
    down[1:-1] = np.abs(np.diff(mean, 2, axis=0))
    return np.fmax(across, down) / mean


def _correlation(edges: Float[np.ndarray, "r c"], image: Image.Image) -> float | None:
    """Correlation of depth edges with image gradients; None if there are too few cells."""
    rows, columns = edges.shape
    known = np.isfinite(edges)
    if known.sum() < MIN_CELLS:
        return None
    grey = np.asarray(image.resize((columns, rows), Image.Resampling.BOX), np.float64)
    slopes = np.hypot(*np.gradient(grey))
    pair = [
        _detail(np.minimum(values, np.quantile(values[known], CLIP)))[known]
        for values in (np.where(known, edges, 0), slopes)
    ]
    if min(values.std() for values in pair) == 0:
        return None
    return float(np.corrcoef(*pair)[0, 1])


def _detail(values: Float[np.ndarray, "r c"]) -> Float[np.ndarray, "r c"]:
    """The values minus their local average."""
    rows, columns = values.shape
    image = Image.fromarray(values.astype(np.float32))
    few = image.resize((max(1, columns // BLUR), max(1, rows // BLUR)), Image.Resampling.BOX)
    return values - np.asarray(few.resize((columns, rows), Image.Resampling.BILINEAR))
