"""One image's numbers under one protocol, from its stored predictions alone."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from spd.evaluation.boundaries import ModeBoundaries, boundaries_of
from spd.evaluation.extras import ImageMaps, MirroredPredictions
from spd.evaluation.floors import Constant
from spd.evaluation.metrics.accuracy import DepthMetrics, PixelMeans, pixel_means
from spd.evaluation.metrics.alignment import Fit, Kind, fit
from spd.evaluation.metrics.edges import band_scores
from spd.evaluation.near_edges import ModeScores
from spd.evaluation.predict import NO_FOCAL
from spd.evaluation.predictions import ImagePredictions
from spd.evaluation.protocols import Protocol

NO_FIT = "predictions that cannot be aligned (none finite, or their median not above 0)"
OUTSIDE = "no valid reading that the protocol scores"


@dataclasses.dataclass(frozen=True, slots=True)
class ModeGap:
    """How far the dense mode's answers lie from the sparse mode's, both as they are scored."""

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
    def between(cls, sparse: npt.NDArray[np.float64], dense: npt.NDArray[np.float64]) -> "ModeGap":
        """The gap of one image."""
        metres = np.abs(sparse - dense)
        return cls(*_spread(metres), *_spread(metres / sparse))


def _spread(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values.mean()), float(np.median(values)), float(values.max())


@dataclasses.dataclass(frozen=True, slots=True)
class PixelSums:
    """What the numbers of an image follow from, for pooling over images."""

    sparse: PixelMeans
    dense: PixelMeans
    constant: PixelMeans
    image_median: PixelMeans


@dataclasses.dataclass(frozen=True, slots=True)
class ImageScore:
    """The numbers of one image."""

    name: str
    """The sample's name."""
    points: int
    """Pixels scored."""
    sparse: DepthMetrics
    """Asked point by point."""
    dense: DepthMetrics
    """Read off the dense map."""
    constant: DepthMetrics
    """Of the floor that says one depth everywhere."""
    image_median: DepthMetrics
    """Of the floor that knows the image's true median."""
    near_edges: tuple[ModeScores, ...]
    """Both modes and both floors by distance to the nearest true edge, nearest first."""
    gap: ModeGap
    """Between the two."""
    fits: tuple[Fit, Fit]
    """How sparse and dense answers became metres."""
    boundaries: ModeBoundaries | None
    """Where whole maps are kept."""
    dense_is_exact: bool
    """Whether no point was rounded to a pixel to read the dense map."""
    non_finite: int
    """Predictions of either mode that were NaN or infinite and were scored as 1e-3 or 10 m."""
    not_positive: int
    """Predictions of either mode that were 0 or less and were scored as 1e-3 m (inverse depth
    fitted to 0 or less: as 10 m)."""
    sums: PixelSums
    """For pooling."""

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
    """All that is kept of one image and that the protocols of a scoring need."""

    predictions: ImagePredictions
    mirrored: MirroredPredictions | None
    """Read only for a protocol with flip."""
    maps: ImageMaps | None
    """Read only if boundaries were asked for."""


def truth_scored(
    predictions: ImagePredictions, protocol: Protocol
) -> npt.NDArray[np.floating[Any]]:
    """The true depths of one image that count under a protocol; none of one that is skipped."""
    if protocol.alignment == "none" and not predictions.has_focal:
        return predictions.truth_m[:0]
    return predictions.truth_m[_counts(predictions, protocol)]


def score_image(
    stored: StoredImage, protocol: Protocol, constant: Constant, kind: Kind = "metric"
) -> ImageScore | str:
    """The numbers of one image.

    Args:
        stored: what is kept of it.
        protocol: how it is compared.
        constant: what the constant floor says.
        kind: what the model answers.

    Returns:
        Its numbers, or in words why there are none.

    Raises:
        InputError: if the protocol does not apply to its frame.
    """
    predictions = stored.predictions
    protocol.check_frame(predictions.name, predictions.depth_size, predictions.seen)
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
    floors = (
        _floor(metres, truth, protocol) for metres in (constant.metres, float(np.median(truth)))
    )
    every = (sparse, dense, *floors)
    sums = PixelSums(*(pixel_means(one, truth) for one in every))
    edge_px = predictions.edge_px[counts]
    return ImageScore(
        name=predictions.name,
        points=len(truth),
        sparse=sums.sparse.metrics(protocol.silog),
        dense=sums.dense.metrics(protocol.silog),
        constant=sums.constant.metrics(protocol.silog),
        image_median=sums.image_median.metrics(protocol.silog),
        near_edges=tuple(zip(*(band_scores(one, truth, edge_px) for one in every), strict=True)),
        gap=ModeGap.between(sparse, dense),
        fits=fitted,
        boundaries=_boundaries(stored, protocol, fitted),
        dense_is_exact=predictions.dense_is_exact,
        non_finite=sum(int((~np.isfinite(answer)).sum()) for answer in answers),
        not_positive=sum(f.not_positive(answer) for f, answer in zip(fitted, answers, strict=True)),
        sums=sums,
    )


def counted(
    stored: StoredImage, protocol: Protocol
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], list[npt.NDArray[np.float64]]]:
    """Which readings count under a protocol, their truth, and both modes' answers to them."""
    counts = _counts(stored.predictions, protocol)
    truth = stored.predictions.truth_m[counts].astype(np.float64)
    return counts, truth, [answer[counts] for answer in _answers(stored, protocol)]


def _counts(predictions: ImagePredictions, protocol: Protocol) -> npt.NDArray[np.bool_]:
    return protocol.scored(predictions.truth_m, predictions.pixel_index, predictions.depth_size)


def _answers(
    stored: StoredImage, protocol: Protocol
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sparse and dense as the protocol takes them, in float64."""
    sparse = stored.predictions.sparse_m.astype(np.float64)
    dense = stored.predictions.dense_m.astype(np.float64)
    if not protocol.flip:
        return sparse, dense
    assert stored.mirrored is not None  # the scoring loop reads it for such protocols
    with np.errstate(invalid="ignore"):  # infinities of both signs: NaN, which is counted
        return (sparse + stored.mirrored.sparse_m) / 2, (dense + stored.mirrored.dense_m) / 2


def _floor(
    metres: float, truth: npt.NDArray[np.float64], protocol: Protocol
) -> npt.NDArray[np.float64]:
    """One depth everywhere, as it is scored under the protocol: an alignment is forgiven it too."""
    said = np.full(len(truth), metres)
    fitted = fit(said, truth, protocol.alignment)
    assert fitted is not None  # finite and above 0
    return protocol.clamp(fitted.apply(said))


def _boundaries(
    stored: StoredImage, protocol: Protocol, fits: tuple[Fit, Fit]
) -> ModeBoundaries | None:
    if stored.maps is None or protocol.flip:  # the mirrored photo's maps are not kept
        return None
    return boundaries_of(stored.maps, stored.predictions, protocol, fits)
