"""Calibration: one factor from a model's metres to measured metres, and a test of the fit.

On data unlike its training data a model is often wrong by a constant factor: the focal length is
unknown, the rooms are larger, the camera differs. A few measured distances determine the factor.
If the errors are not a constant factor, the leave-one-out error of the fit is large.
"""

import dataclasses
import json
import math
import os
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from spd.errors import InputError, counted, shown
from spd.files import read_json, write_text
from spd.pixels import Intrinsics, as_numbers, as_points, check_outside, inside_image
from spd.scenes.calibration_checks import CONTRADICTION, distance_warnings, factor_warnings
from spd.scenes.depth_kind import refuse_relative
from spd.scenes.scene import PhotoScene
from spd.scenes.space import Outside

FITS_WITHIN = 0.10
"""Largest median leave-one-out error, relative, at which one factor fits."""

_SMALLEST = 1e-6  # factor that a calibration may have
_LARGEST = 1e300  # largest error of a fit; larger whole numbers do not fit a float
ABSURD_FACTOR = 10.0
"""Factor (or its inverse) that `spd calibrate` writes only if it is confirmed."""

_FORMAT = 1  # version of the file's format
_NEAREST_M, _FARTHEST_M = 1e-6, 1e9  # of a measured distance
_ROUNDS = 50  # limit of reweighting, which converges in a few
_HUBER = 1.345  # deviations beyond which a distance gets less weight
_FINEST = 0.005  # smallest deviation of logarithms: the accuracy of a tape measure


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """A factor for metres, and the errors of its fit.

    Raises:
        InputError: if a value is impossible.
    """

    scale: float
    """True metres per metre of the model."""
    points: int
    """Number of distances it was fitted to."""
    spread: float
    """Median relative error after the fit."""
    left_out: float | None
    """Median leave-one-out error, relative; None for fewer than three distances."""
    focal_known: bool
    """True if the photo's focal length was known; the factor holds only for such photos."""
    model: str
    """Name of the calibrated model."""

    def __post_init__(self) -> None:
        if not self._is_valid():
            raise InputError(
                "a calibration must have a positive scale, errors of at least 0, one point or "
                f"more, and the name of a model, got {shown(self)}"
            )

    @property
    def fits(self) -> bool | None:
        """True if one factor is enough; None for fewer than three distances."""
        return None if self.left_out is None else self.left_out <= FITS_WITHIN

    def verdict(self) -> str:
        """One line for people."""
        fitted = f"fitted to {counted(self.points, 'distance')}"
        line = f"depth is multiplied by {self.scale:.4g} ({fitted})"
        if self.points == 2:
            # Two logarithms d apart have errors of e^(d/2) - 1 and 1 - e^(-d/2): sinh(d/2) between.
            half = math.exp(math.asinh(self.spread))
            line += f", which imply the factors {self.scale / half:.3g} and {self.scale * half:.3g}"
            if half * half > CONTRADICTION:
                return (
                    f"{line}; THE TWO DISTANCES CONTRADICT EACH OTHER: one needs {half * half:.3g} "
                    "times the factor of the other; check their pixels and units"
                )
        if self.left_out is None:
            return f"{line}; at least three distances are needed to test whether one fits"
        middle = f"median leave-one-out error {self.left_out:.1%}"
        if self.fits:
            return f"{line}; a single factor fits: {middle}"
        return f"{line}; A SINGLE FACTOR DOES NOT FIT: {middle}, above {FITS_WITHIN:.0%}"

    @property
    def is_absurd(self) -> bool:
        """True if the factor is so far from 1 that the distances were hardly in metres."""
        return not 1 / ABSURD_FACTOR <= self.scale <= ABSURD_FACTOR

    def warnings(self) -> tuple[str, ...]:
        """Reasons to doubt that the measured distances were in metres."""
        return factor_warnings(self.scale)

    def apply(self, scene: PhotoScene) -> "CalibratedScene":
        """Apply the factor to a scene.

        Raises:
            InputError: if its focal length is known and the calibration's photo's was not, or the
                reverse, because the factor then does not hold; or if the model is relative.
        """
        refuse_relative(scene.kind)
        known = scene.focal_px is not None
        if known != self.focal_known:
            words = {True: "a known focal length", False: "an unknown focal length"}
            raise InputError(
                f"the calibration photo had {words[self.focal_known]} but this photo has "
                f"{words[known]}, so the calibration does not apply; pass a focal length for both "
                "or for neither"
            )
        return CalibratedScene(scene, self)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        text = json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}, indent=1)
        write_text(path, text + "\n")

    def _is_valid(self) -> bool:
        """Whether a file with these values may have been written by `write`."""
        numbers = (self.scale, self.spread, 0.0 if self.left_out is None else self.left_out)
        return (
            all(isinstance(number, float | int) and abs(number) < _LARGEST for number in numbers)
            and not any(isinstance(number, bool) for number in (*numbers, self.points))
            and all(number >= 0 for number in numbers)
            and _SMALLEST <= self.scale <= 1 / _SMALLEST
            and isinstance(self.points, int)
            and 0 < self.points < 2**63
            and isinstance(self.focal_known, bool)
            and isinstance(self.model, str)
        )

    @classmethod
    def read(cls, path: str | Path) -> "Calibration":
        """Read a file of `write`.

        Raises:
            InputError: if the file is missing or not a calibration.
        """
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"a calibration must be the path of its file, got {shown(path)}")
        try:
            data = read_json(path)
        except OSError:
            raise InputError(f"calibration file not found: {path}; run spd calibrate") from None
        except ValueError:
            raise InputError(
                f"{path} is not JSON; create a calibration file with: spd calibrate"
            ) from None
        try:
            if data.pop("format") != _FORMAT:
                raise ValueError
            return cls(**data)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise InputError(
                f"{path} is not a calibration file; create one with: spd calibrate"
            ) from None


class CalibratedScene(PhotoScene):
    """A scene whose depths are multiplied by a calibration's factor."""

    def __init__(self, scene: PhotoScene, calibration: Calibration) -> None:
        super().__init__(scene.size, scene.focal, scene.kind, scene.plan)
        self.scene = scene
        """The scene before calibration."""
        self.calibration = calibration

    @property
    def nbytes(self) -> int:
        """Memory held by the scene, in bytes."""
        return self.scene.nbytes

    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel; `fast` as for the scene."""
        return self.scene.depth_map(fast=fast) * np.float32(self.calibration.scale)

    def _ask(self, points: np.ndarray) -> np.ndarray:
        return self.scene.depth_at(points) * np.float32(self.calibration.scale)


def calibrate(
    scene: PhotoScene,
    points: ArrayLike,
    known_m: ArrayLike,
    *,
    model: str = "",
    along_axis: bool = False,
    outside: Outside = "raise",
) -> Calibration:
    """Fit one factor to measured distances.

    Warns if the distances, or one of them, do not look like metres, and if two contradict each
    other.

    Args:
        scene: an encoded photo.
        points: pixels `(u, v)` of the photo.
        known_m: measured distance of each from the camera, in metres.
        model: name of the model, for the record.
        along_axis: `known_m` are depths (camera z) instead.
        outside: "nan" leaves out points that are not finite or outside the photo, and those whose
            distance is NaN, instead of raising.

    Raises:
        InputError: if points are missing, a distance is not positive, the model is relative, or
            distances from the camera are given without any focal length.
    """
    refuse_relative(scene.kind)
    expected = "measured distances must be positive, in metres"
    known, asked = as_numbers(known_m, expected), as_points(points)
    if known.ndim != 1:
        raise InputError(f"{expected}, one per point, got {shown(known_m)}")
    if len(known) == 0 or len(known) != len(asked):
        raise InputError(
            f"expected one distance per point, got {len(known)} for {len(asked)} points"
        )
    check_outside(outside)
    if outside == "nan":
        usable = inside_image(asked[:, 0], asked[:, 1], scene.size) & ~np.isnan(known)
        known, asked = known[usable], asked[usable]
        if not len(known):
            raise InputError("no point inside the photo has a measured distance")
    wrong = known[~((known >= _NEAREST_M) & (known <= _FARTHEST_M))]
    if len(wrong):
        raise InputError(f"{expected}, got {wrong[0]:g}")
    if not isinstance(model, str):
        raise InputError(f"model must be the name of a model, got {shown(model)}")
    predicted_m = scene.depth_at(asked).astype(np.float64)
    if not along_axis:
        predicted_m = predicted_m * _camera(scene).ray_lengths(asked)
    found = fit(predicted_m, known, focal_known=scene.focal_px is not None, model=model)
    wrong_ones = distance_warnings(asked, known, predicted_m)
    # single distances may change the factor, which then does not show the unit of the others
    doubts = () if len(known) > 2 and wrong_ones else found.warnings()
    for text in (*doubts, *wrong_ones):
        warnings.warn(text, stacklevel=2)
    return found


def fit(
    predicted_m: Float[np.ndarray, " n"],
    known_m: Float[np.ndarray, " n"],
    *,
    focal_known: bool,
    model: str,
) -> Calibration:
    """Factor between two lists of positive distances: robust least squares of logarithms."""
    ratios = np.log(known_m / predicted_m)
    centre = robust_mean(ratios)
    left_out = None
    if len(ratios) >= 3:
        others = [robust_mean(np.delete(ratios, n)) for n in range(len(ratios))]
        left_out = _typical(ratios - others)
    return Calibration(
        scale=math.exp(centre),
        points=len(ratios),
        spread=_typical(ratios - centre),
        left_out=left_out,
        focal_known=focal_known,
        model=model,
    )


def robust_mean(values: Float[np.ndarray, " n"]) -> float:
    """Huber's mean: outliers get less weight."""
    centre = float(np.median(values))
    for _ in range(_ROUNDS):
        apart = np.abs(values - centre)
        deviation = max(float(np.median(apart)) * 1.4826, _FINEST)
        weights = np.minimum(1.0, _HUBER * deviation / np.maximum(apart, 1e-12))
        moved = float((weights * values).sum() / weights.sum())
        if abs(moved - centre) < 1e-12:
            break
        centre = moved
    return centre


def _typical(logarithms: np.ndarray) -> float:
    """Median relative error, from errors of logarithms."""
    return float(np.median(np.abs(np.expm1(logarithms))))


def _camera(scene: PhotoScene) -> Intrinsics:
    if scene.focal is None:
        raise InputError(
            "distances from the camera need a focal length; pass one, or measure depth along the "
            "optical axis (spd calibrate: --along-axis)"
        )
    return scene.focal.intrinsics
