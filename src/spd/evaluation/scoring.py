"""The metrics of one image under one protocol, from its stored predictions."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from spd.evaluation.baselines import ConstantDepth
from spd.evaluation.boundaries import ModeBoundaries, boundaries_of
from spd.evaluation.metrics import Floats, Mask
from spd.evaluation.metrics.accuracy import DepthMetrics, PixelMeans, pixel_means
from spd.evaluation.metrics.alignment import Fit, Kind, fit
from spd.evaluation.metrics.edges import band_scores
from spd.evaluation.near_edges import PREDICTORS, BandScores
from spd.evaluation.predict import NO_FOCAL
from spd.evaluation.predictions import ImageMaps, ImagePredictions, MirroredPredictions
from spd.evaluation.protocols import Protocol

NO_FIT = "predictions that cannot be aligned (none is finite, or their median is not above 0)"
OUTSIDE = "no valid ground truth inside the protocol's depth range and crop"


@dataclasses.dataclass(frozen=True, slots=True)
class ModeGap:
    """The gap between dense and sparse predictions, both as they are scored."""

    mean_m: float
    """Mean of |sparse - dense|, in metres."""
    median_m: float
    """Median of it."""
    max_m: float
    """Largest of it."""
    mean_rel: float
    """Mean of |sparse - dense| / sparse."""
    median_rel: float
    """Median of it."""
    max_rel: float
    """Largest of it."""

    @classmethod
    def between(cls, sparse: Floats, dense: Floats) -> "ModeGap":
        """The gap of one image."""
        metres = np.abs(sparse - dense)
        return cls(*_spread(metres), *_spread(metres / sparse))


def _spread(values: Floats) -> tuple[float, float, float]:
    return float(values.mean()), float(np.median(values)), float(values.max())


@dataclasses.dataclass(frozen=True, slots=True)
class ImageScore:
    """The metrics of one image."""

    name: str
    """The sample's name."""
    points: int
    """Pixels scored."""
    sparse: DepthMetrics
    """Point queries."""
    dense: DepthMetrics
    """Read from the dense map."""
    constant: DepthMetrics
    """The baseline that predicts one depth everywhere."""
    image_median: DepthMetrics
    """The baseline that predicts the image's true median."""
    near_edges: tuple[BandScores, ...]
    """Both modes and both baselines by distance to the nearest true edge, nearest first."""
    gap: ModeGap
    """Between the two modes."""
    fits: tuple[Fit, Fit]
    """The alignment of sparse and of dense predictions."""
    boundaries: ModeBoundaries | None
    """None where no whole maps are stored."""
    dense_is_exact: bool
    """Whether the dense map was read without rounding points to pixels."""
    non_finite: int
    """Predictions of either mode that were NaN or infinite, scored as 1e-3 m or the cap."""
    not_positive: int
    """Predictions of either mode that were 0 or less, scored as 1e-3 m (inverse depth fitted to
    0 or less: as the cap)."""
    means: dict[str, PixelMeans]
    """Pixel means by mode and baseline, for pooling over images."""

    def to_row(self) -> dict[str, Any]:
        """One row of `per_image.csv`."""
        row: dict[str, Any] = {"name": self.name, "points": self.points}
        for part in ("sparse", "dense", "gap", "constant", "image_median"):
            numbers = dataclasses.asdict(getattr(self, part))
            row |= {f"{part}_{key}": value for key, value in numbers.items()}
        for mode, fitted in zip(("sparse", "dense"), self.fits, strict=True):
            row |= {f"{mode}_scale": fitted.scale, f"{mode}_shift": fitted.shift}
        row |= {"dense_is_exact": self.dense_is_exact}
        row |= {"non_finite": self.non_finite, "not_positive": self.not_positive}
        return row | (self.boundaries.to_row() if self.boundaries is not None else {})


@dataclasses.dataclass(frozen=True, slots=True)
class StoredImage:
    """The stored predictions of one image that the protocols need."""

    predictions: ImagePredictions
    mirrored: MirroredPredictions | None
    """Read only for a protocol with flip."""
    maps: ImageMaps | None
    """Read only if boundaries are measured."""


def truth_scored(
    predictions: ImagePredictions, protocol: Protocol
) -> npt.NDArray[np.floating[Any]]:
    """The true depths of an image that a protocol scores; empty if the protocol skips it."""
    if protocol.alignment == "none" and not predictions.has_focal:
        return predictions.truth_m[:0]
    return predictions.truth_m[_counts(predictions, protocol)]


def score_image(
    stored: StoredImage, protocol: Protocol, constant: ConstantDepth, kind: Kind = "metric"
) -> ImageScore | str:
    """Score one image.

    Args:
        stored: its predictions; the protocol applies to its frame (`Protocol.check_frame`).
        protocol: how to score them.
        constant: the constant baseline.
        kind: what the model predicts.

    Returns:
        Its metrics, or the reason why it is skipped.
    """
    predictions = stored.predictions
    if protocol.alignment == "none" and not predictions.has_focal:
        return NO_FOCAL
    counts, truth, answers = counted(stored, protocol)
    if not counts.any():
        return OUTSIDE
    fits = [fit(answer, truth, protocol.alignment, kind) for answer in answers]
    if fits[0] is None or fits[1] is None:
        return NO_FIT
    fitted = (fits[0], fits[1])
    sparse, dense = (
        protocol.clamp(f.apply(answer)) for f, answer in zip(fitted, answers, strict=True)
    )
    medians = (constant.metres, float(np.median(truth)))
    every = (sparse, dense, *(_baseline(metres, truth, protocol) for metres in medians))
    means = {name: pixel_means(one, truth) for name, one in zip(PREDICTORS, every, strict=True)}
    edge_px = predictions.edge_px[counts]
    boundaries = None
    if stored.maps is not None and not protocol.flip:  # maps of the mirrored photo are not stored
        boundaries = boundaries_of(stored.maps, predictions, protocol, fitted)
    return ImageScore(
        name=predictions.name,
        points=len(truth),
        **{name: of_one.metrics(protocol.silog) for name, of_one in means.items()},
        near_edges=tuple(zip(*(band_scores(one, truth, edge_px) for one in every), strict=True)),
        gap=ModeGap.between(sparse, dense),
        fits=fitted,
        boundaries=boundaries,
        dense_is_exact=predictions.dense_is_exact,
        non_finite=sum(int((~np.isfinite(answer)).sum()) for answer in answers),
        not_positive=sum(f.not_positive(answer) for f, answer in zip(fitted, answers, strict=True)),
        means=means,
    )


def counted(stored: StoredImage, protocol: Protocol) -> tuple[Mask, Floats, list[Floats]]:
    """The mask of the readings that a protocol scores, their truth, and both modes' predictions."""
    counts = _counts(stored.predictions, protocol)
    truth = stored.predictions.truth_m[counts].astype(np.float64)
    return counts, truth, [answer[counts] for answer in _answers(stored, protocol)]


def _counts(predictions: ImagePredictions, protocol: Protocol) -> Mask:
    return protocol.scored(predictions.truth_m, predictions.pixel_index, predictions.depth_size)


def _answers(stored: StoredImage, protocol: Protocol) -> tuple[Floats, Floats]:
    """Sparse and dense predictions in float64, averaged with the mirrored ones if asked for."""
    sparse = stored.predictions.sparse_m.astype(np.float64)
    dense = stored.predictions.dense_m.astype(np.float64)
    if not protocol.flip:
        return sparse, dense
    assert stored.mirrored is not None  # the scoring loop reads it for these protocols
    with np.errstate(invalid="ignore"):  # infinities of both signs give NaN, which is counted
        return (sparse + stored.mirrored.sparse_m) / 2, (dense + stored.mirrored.dense_m) / 2


def _baseline(metres: float, truth: Floats, protocol: Protocol) -> Floats:
    """One depth everywhere, aligned and clamped as the protocol does with predictions."""
    depth_m = np.full(len(truth), metres)
    fitted = fit(depth_m, truth, protocol.alignment)
    assert fitted is not None  # finite and above 0
    return protocol.clamp(fitted.apply(depth_m))
