"""One factor that brings a model's metres to measured ones, and whether one factor is enough.

A model that is asked outside what it learnt from is often wrong by one factor: the focal length
was not known, the rooms are larger, the camera is another. A few distances that somebody measured
tell the factor. Where the answers are wrong in other ways too, one factor does not fit, and the
spread that it leaves says so.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spd.errors import InputError
from spd.files import write_text
from spd.pixels import Intrinsics, as_points
from spd.scenes.depth_kind import refuse_relative
from spd.scenes.scene import PhotoScene

FITS_WITHIN = 0.10
"""One factor fits if distances that it was not fitted to come out this close, in the middle."""

_FORMAT = 1  # of the file
_ROUNDS = 50  # of reweighting; it settles in a few
_HUBER = 1.345  # deviations from which on a distance counts less
_FINEST = 0.005  # deviation, as a logarithm, below which distances agree as well as a tape does


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """A factor for metres, and how well it fits what it was fitted to."""

    scale: float
    """True metres per metre of the model."""
    points: int
    """Distances that it was fitted to."""
    spread: float
    """Median of how far each is off after the fit, as a share of it."""
    left_out: float | None
    """Median leave-one-out error, as a share of the distance; None for fewer than three."""
    focal_known: bool
    """Whether the photo's focal length was known; a factor is good only for photos alike."""
    model: str
    """Name of the model that was calibrated."""

    @property
    def fits(self) -> bool | None:
        """Whether one factor is enough; None where too few distances can tell."""
        return None if self.left_out is None else self.left_out <= FITS_WITHIN

    def verdict(self) -> str:
        """One line for people."""
        line = f"metres are multiplied by {self.scale:.4g}, fitted to {self.points} distances"
        if self.left_out is None:
            return f"{line}; fewer than three cannot tell whether one factor fits"
        middle = f"a distance left out comes out {self.left_out:.1%} off in the middle"
        if self.fits:
            return f"{line}; one factor fits: {middle}"
        return f"{line}; ONE FACTOR DOES NOT FIT: {middle}, more than {FITS_WITHIN:.0%}"

    def apply(self, scene: PhotoScene) -> "CalibratedScene":
        """The scene, answering in true metres.

        Raises:
            InputError: if its focal length is known and that of the calibration's photo was not,
                or the other way round: its metres then rest on something else.
        """
        refuse_relative(scene.kind)
        known = scene.focal_px is not None
        if known != self.focal_known:
            words = {True: "a known focal length", False: "an unknown focal length"}
            raise InputError(
                f"the calibration was made on a photo with {words[self.focal_known]} and this one "
                f"has {words[known]}, so its factor does not hold; give both or neither"
            )
        return CalibratedScene(scene, self)

    def write(self, path: Path) -> None:
        """Keep it as JSON."""
        text = json.dumps({"format": _FORMAT, **dataclasses.asdict(self)}, indent=1)
        write_text(path, text + "\n")

    @classmethod
    def read(cls, path: str | Path) -> "Calibration":
        """Read a calibration that `write` stored.

        Raises:
            InputError: if the file is missing or no calibration.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError:
            raise InputError(f"no calibration file {path}") from None
        except ValueError:
            raise InputError(f"{path} is not JSON; make one with: spd calibrate") from None
        try:
            if data.pop("format") != _FORMAT:
                raise ValueError
            read = cls(**data)
            if not (math.isfinite(read.scale) and read.scale > 0):
                raise ValueError
        except (AttributeError, KeyError, TypeError, ValueError):
            raise InputError(f"{path} is not a calibration; make one with: spd calibrate") from None
        return read


class CalibratedScene(PhotoScene):
    """A scene whose metres are multiplied by a calibration's factor."""

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
        """Depth in metres at every pixel, as the scene's own."""
        return self.scene.depth_map(fast=fast) * np.float32(self.calibration.scale)

    def _ask(self, points: np.ndarray) -> np.ndarray:
        return self.scene.depth_at(points) * np.float32(self.calibration.scale)


def calibrate(
    scene: PhotoScene,
    points: Sequence[tuple[float, float]],
    known_m: Sequence[float],
    *,
    model: str = "",
    along_axis: bool = False,
) -> Calibration:
    """Fit one factor to distances that are known.

    Args:
        scene: an encoded photo.
        points: where in it, `(u, v)`.
        known_m: how far each is from the camera, in metres, as a tape measures it.
        model: what answers, for the record.
        along_axis: the distances are depth (camera z) instead.

    Raises:
        InputError: if there are no points, a distance is not positive, or distances from the camera
            are given where no focal length is known or assumed.
    """
    refuse_relative(scene.kind)
    known = np.asarray(known_m, dtype=np.float64)
    if len(known) == 0 or known.shape != (len(points),):
        raise InputError(
            f"one distance for each point is needed, got {len(known)} for {len(points)}"
        )
    if not (np.isfinite(known) & (known > 0)).all():
        raise InputError(f"known distances must be positive metres, got {known.tolist()}")
    predicted_m = scene.depth_at(points).astype(np.float64)
    if not along_axis:
        predicted_m = predicted_m * _camera(scene).ray_lengths(as_points(points))
    return fit(predicted_m, known, focal_known=scene.focal_px is not None, model=model)


def fit(
    predicted_m: Float[np.ndarray, " n"],
    known_m: Float[np.ndarray, " n"],
    *,
    focal_known: bool,
    model: str,
) -> Calibration:
    """The factor between two lists of positive distances: least squares of logarithms, robust."""
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
    """Huber's mean: the mean of what agrees, where what lies far from it counts less."""
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
    """Median of the shares by which distances are off."""
    return float(np.median(np.abs(np.expm1(logarithms))))


def _camera(scene: PhotoScene) -> Intrinsics:
    if scene.focal is None:
        raise InputError(
            "distances from the camera need a focal length; give it, or measure depth along the "
            "viewing direction (spd calibrate: --along-axis)"
        )
    return scene.focal.intrinsics
