"""What a user says of the photo's camera."""

import dataclasses
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from spd.errors import InputError
from spd.photos.focal import SOURCE_WORDS, choose_focal
from spd.photos.reading import Photo
from spd.pixels import Intrinsics
from spd.scenes.calibration import Calibration
from spd.scenes.cameras import Distortion, lens_doubt, parse_distortion
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:  # at run time this may load torch
    from spd.predictors.loading import AnyPredictor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """The photo's camera; at most one of the first three."""

    focal_px: float | None = None
    fov_deg: float | None = None
    intrinsics: Intrinsics | None = None
    distortion: Distortion | None = None
    calibration: Path | None = None
    """What `spd calibrate` wrote."""

    @classmethod
    def typed(
        cls,
        focal_px: float | None,
        fov_deg: float | None,
        intrinsics: str | None,
        distortion: str | None,
        calibration: Path | None,
    ) -> "Lens":
        """From options as they were typed.

        Raises:
            InputError: if numbers are missing, or distortion comes without intrinsics.
        """
        if distortion is not None and intrinsics is None:
            raise InputError("--distortion needs --intrinsics: one calibration gives both")
        camera = None
        if intrinsics is not None:
            numbers = _numbers(intrinsics)
            if len(numbers) != 4:
                raise InputError(
                    f"--intrinsics {intrinsics} is not fx,fy,cx,cy with four numbers in pixels, "
                    "such as 520,520,320,240"
                )
            camera = Intrinsics(*numbers)
        lens = None if distortion is None else parse_distortion(distortion)
        return cls(
            focal_px=focal_px,
            fov_deg=fov_deg,
            intrinsics=camera,
            distortion=lens,
            calibration=calibration,
        )

    def check(self, photo: Photo, *, needed_for: str | None) -> None:
        """Refuse what cannot be this photo's camera, or is missing; say what looks wrong.

        Args:
            photo: the photo that is asked.
            needed_for: what cannot be said without a camera; None: nothing.

        Raises:
            InputError: if it cannot be, or is needed and unknown.
        """
        focal = choose_focal(
            photo.size,
            photo.exif_focal_px,
            focal_px=self.focal_px,
            fov_deg=self.fov_deg,
            intrinsics=self.intrinsics,
        )
        if focal is None and needed_for is not None:
            raise InputError(
                f"{needed_for} needs the photo's focal length, which its file does not say; give "
                "--focal-px, --fov-deg or --intrinsics"
            )
        if self.intrinsics is not None:
            doubt = lens_doubt(self.intrinsics, photo.size)
            if doubt is not None:
                note(f"warning: {doubt}")

    def encode(self, predictor: "AnyPredictor", photo: Photo) -> PhotoScene:
        """The encoded photo; what it warns of is said before any answer."""
        calibration = None if self.calibration is None else Calibration.read(self.calibration)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scene = predictor.encode(
                photo, focal_px=self.focal_px, fov_deg=self.fov_deg, intrinsics=self.intrinsics
            )
        for warning in caught:
            note(f"warning: {warning.message}")
        plan = getattr(scene, "plan", None)  # other people's models have none
        if plan is not None:
            note(plan.describe())
        return scene if calibration is None else calibration.apply(scene)


def focal_text(scene: PhotoScene) -> str:
    """What metres rest on, for people."""
    if scene.focal is not None and scene.focal.known:
        return f"focal length {scene.focal.px:.1f} px, {SOURCE_WORDS[scene.focal.source]}"
    if scene.assumed_focal_px is not None:
        scale = "assumed (--focal-px): metres rest on it"
        return f"focal length {scene.assumed_focal_px:.1f} px, {scale}"
    return "focal length not asked for by this model"


def note(message: str) -> None:
    """Say something that is no answer."""
    print(message, file=sys.stderr)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
