"""Accuracy by distance to the nearest true depth edge, averaged over images."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from spd.evaluation.metrics.boundary_distance import REACH_PX
from spd.evaluation.metrics.edges import BANDS_PX, BandScore, band_name

MODES = ("sparse", "dense")
BASELINES = ("constant", "image_median")
"""Predictors that see no photo, scored at the same pixels."""
PREDICTORS = (*MODES, *BASELINES)
BandScores = tuple[BandScore, ...]
"""One band of one image: sparse, dense, then the baselines where they were scored."""
BASELINES_AT_BOUNDARIES = (
    "both baselines are constant maps without edges: where the ground truth has edges, their "
    f"precision, recall and F1 are 0 and their distances are {REACH_PX:g} px"
)
"""The boundary metrics of the baselines, which need no measuring."""
_HEADINGS = {"sparse": "sparse", "dense": "dense", "constant": "constant", "image_median": "median"}


@dataclasses.dataclass(frozen=True, slots=True)
class BandMeans:
    """One band over a data set; means over its images, or over its pixels where pooled."""

    band: str
    """Distances to the nearest edge, such as `2-4 px`."""
    images: int
    """Images with pixels in the band."""
    pixels: int
    """Pixels in the band, of all images."""
    sparse_abs_rel: float | None
    """None, as the next three, if the band has no pixel."""
    dense_abs_rel: float | None
    sparse_delta1: float | None
    dense_delta1: float | None
    constant_abs_rel: float | None = None
    """None, as the next three, if the band has no pixel or baselines were not scored."""
    image_median_abs_rel: float | None = None
    constant_delta1: float | None = None
    image_median_delta1: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def mean_bands(
    images: Sequence[tuple[BandScores, ...]], *, pooled: bool = False
) -> tuple[BandMeans, ...]:
    """Every band over all images, nearest first.

    Args:
        images: the bands of each; all have the baselines, or none.
        pooled: weigh every pixel equally; False: every image.
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


def _averages(scores: Sequence[BandScores], weights: Sequence[int] | None) -> dict[str, float]:
    """The means of one band by name (`sparse_abs_rel`, ...); empty without any pixel."""
    if not scores:
        return {}
    columns = [
        f"{who}_{key}" for who in PREDICTORS[: len(scores[0])] for key in ("abs_rel", "delta1")
    ]
    table = [[value for one in of for value in (one.abs_rel, one.delta1)] for of in scores]
    values = np.average(np.array(table, dtype=np.float64), axis=0, weights=weights)
    return dict(zip(columns, values.tolist(), strict=True))


def format_bands(bands: Sequence[BandMeans]) -> list[str]:
    """Lines for a terminal, 80 columns wide; none if no image has an edge."""
    if all(band.pixels == 0 for band in bands[:-1]):
        return []
    shown = [
        who for who in PREDICTORS
        if who in MODES or any(getattr(band, f"{who}_abs_rel") is not None for band in bands)
    ]  # fmt: skip
    widths = {who: max(7, len(_HEADINGS[who]) + 1) for who in shown}
    group = sum(widths.values())
    heads = "".join(f"{_HEADINGS[who]:>{widths[who]}}" for who in shown)
    lines = ["by distance to the nearest true depth edge (neighbours differ by over 10 %):"]
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
