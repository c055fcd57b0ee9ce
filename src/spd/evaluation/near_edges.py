"""Accuracy by distance to the nearest true depth edge, averaged over images: model and floors."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from spd.evaluation.metrics.boundary_distance import REACH_PX
from spd.evaluation.metrics.edges import BANDS_PX, BandScore, band_name

MODES = ("sparse", "dense")
FLOORS = ("constant", "image_median")
"""What knows nothing of the photo, at the same pixels."""
WHO = (*MODES, *FLOORS)
ModeScores = tuple[BandScore, ...]
"""One band of one image: sparse, dense, and after them the floors where they were scored."""
FLOORS_AT_BOUNDARIES = (
    "both floors are maps of one depth, which have no edge: where the truth has edges, their "
    f"shares are 0 and their distances {REACH_PX:g} px"
)
"""What boundary measures of floors are, without measuring them."""
_WORDS = {"sparse": "sparse", "dense": "dense", "constant": "constant", "image_median": "median"}


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
    constant_abs_rel: float | None = None
    """Of one depth everywhere; None where there is no pixel or floors were not scored."""
    image_median_abs_rel: float | None = None
    """Of each image's own true median; likewise."""
    constant_delta1: float | None = None
    image_median_delta1: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def mean_bands(
    images: Sequence[tuple[ModeScores, ...]], *, pooled: bool = False
) -> tuple[BandMeans, ...]:
    """Every band over all images, nearest first.

    Args:
        images: each one's bands; all have the floors, or none.
        pooled: whether every pixel counts the same, rather than every image.
    """
    means = []
    for number, band in enumerate(BANDS_PX):
        scores = [image[number] for image in images if image[number][0].pixels]
        pixels = [of[0].pixels for of in scores]
        numbers = dict.fromkeys(f"{mode}_{key}" for mode in MODES for key in ("abs_rel", "delta1"))
        means.append(
            BandMeans(
                band=band_name(band),
                images=len(scores),
                pixels=sum(pixels),
                **(numbers | _averages(scores, pixels if pooled else None)),
            )
        )
    return tuple(means)


def _averages(scores: Sequence[ModeScores], weights: Sequence[int] | None) -> dict[str, float]:
    """Of one band, by `sparse_abs_rel` and so on; empty where no image has a pixel there."""
    if not scores:
        return {}
    columns = [f"{who}_{key}" for who in WHO[: len(scores[0])] for key in ("abs_rel", "delta1")]
    table = [[value for one in of for value in (one.abs_rel, one.delta1)] for of in scores]
    values = np.average(np.array(table, dtype=np.float64), axis=0, weights=weights)
    return dict(zip(columns, values.tolist(), strict=True))


def format_bands(bands: Sequence[BandMeans]) -> list[str]:
    """Lines for a terminal, 80 columns wide; none where no image has an edge."""
    if all(band.pixels == 0 for band in bands[:-1]):
        return []
    shown = [
        who for who in WHO
        if who in MODES or any(getattr(band, f"{who}_abs_rel") is not None for band in bands)
    ]  # fmt: skip
    widths = {who: max(7, len(_WORDS[who]) + 1) for who in shown}
    group = sum(widths.values())
    heads = "".join(f"{_WORDS[who]:>{widths[who]}}" for who in shown)
    lines = ["by distance to the nearest true depth edge (neighbours more than 10 % apart):"]
    lines.append(f"{'':18} {'AbsRel':^{group}} {'delta1':^{group}}".rstrip())
    lines.append(f"{'':6}{'pixels':>12} {heads} {heads}")
    for band in bands:
        cells = [
            "".join(f"{_number(getattr(band, f'{who}_{key}')):>{widths[who]}}" for who in shown)
            for key in ("abs_rel", "delta1")
        ]
        lines.append(f"{band.band:>6}{band.pixels:>12,} {' '.join(cells)}")
    return lines


def _number(value: float | None) -> str:
    return f"{value:.4f}" if value is not None else "-"
