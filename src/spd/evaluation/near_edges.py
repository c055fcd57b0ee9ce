"""Both modes' accuracy by distance to the nearest true depth edge, averaged over images."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from spd.metrics.edges import BANDS_PX, BandScore, band_name

ModeScores = tuple[BandScore, BandScore]
"""One band of one image: sparse, dense."""


@dataclasses.dataclass(frozen=True, slots=True)
class BandMeans:
    """One band over a data set; each number is the mean over the images, or pixels, that it has."""

    band: str
    """Distances to the nearest edge, such as `2-4 px`."""
    images: int
    """Images with pixels there."""
    pixels: int
    """Pixels there, of all images."""
    sparse_abs_rel: float | None
    """None where there is no pixel; likewise the next three."""
    dense_abs_rel: float | None
    sparse_delta1: float | None
    dense_delta1: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def mean_bands(
    images: Sequence[tuple[ModeScores, ...]], *, pooled: bool = False
) -> tuple[BandMeans, ...]:
    """Every band over all images, nearest first.

    Args:
        images: each one's bands.
        pooled: whether every pixel counts the same, rather than every image.
    """
    means = []
    for number, band in enumerate(BANDS_PX):
        scores = [image[number] for image in images if image[number][0].pixels]
        table = np.array(
            [(s.abs_rel, d.abs_rel, s.delta1, d.delta1) for s, d in scores], dtype=np.float64
        ).reshape(-1, 4)
        pixels = [s.pixels for s, _ in scores]
        weights = pixels if pooled else None
        values = np.average(table, axis=0, weights=weights).tolist() if scores else [None] * 4
        means.append(BandMeans(band_name(band), len(scores), sum(pixels), *values))
    return tuple(means)


def format_bands(bands: Sequence[BandMeans]) -> list[str]:
    """Lines for a terminal; none where no image has an edge."""
    if all(band.pixels == 0 for band in bands[:-1]):
        return []
    lines = ["by distance to the nearest true depth edge (neighbours more than 10 % apart):"]
    heading = f"{'AbsRel sparse':>13} {'dense':>7}  {'delta1 sparse':>13} {'dense':>7}"
    lines.append(f"{'':>9}{'pixels':>12}  {heading}")
    for band in bands:
        values = (
            band.sparse_abs_rel,
            band.dense_abs_rel,
            band.sparse_delta1,
            band.dense_delta1,
        )
        a, b, c, d = (f"{value:.4f}" if value is not None else "-" for value in values)
        lines.append(f"{band.band:>9}{band.pixels:>12,}  {a:>13} {b:>7}  {c:>13} {d:>7}")
    return lines
