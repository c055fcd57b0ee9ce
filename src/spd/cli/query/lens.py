"""Camera options of `spd query`, and what it reports about the focal length."""

import sys
import warnings

from spd.errors import InputError
from spd.photos.camera import CameraOptions
from spd.photos.distortion import Distortion
from spd.photos.focal import SOURCE_WORDS
from spd.photos.reading import Photo
from spd.pixels import Intrinsics
from spd.predictors.model_options import AnyPredictor
from spd.scenes.scene import PhotoScene


def parse_camera(
    focal_px: float | None, fov_deg: float | None, intrinsics: str | None, distortion: str | None
) -> CameraOptions:
    """Camera options from the command line.

    Raises:
        InputError: if numbers are missing, or options contradict each other.
    """
    camera = None
    if intrinsics is not None:
        numbers = _numbers(intrinsics)
        if len(numbers) != 4:
            raise InputError(
                f"--intrinsics {intrinsics} is not fx,fy,cx,cy with four numbers in pixels, "
                "such as 520,520,320,240"
            )
        camera = Intrinsics(*numbers)
    return CameraOptions(
        focal_px=focal_px,
        fov_deg=fov_deg,
        intrinsics=camera,
        distortion=None if distortion is None else Distortion.parse(distortion),
    )


def check_camera(camera: CameraOptions, photo: Photo, *, needed_for: str | None) -> None:
    """Refuse an impossible or missing camera; print a warning about a suspicious one.

    Args:
        camera: options of the user.
        photo: the photo to query.
        needed_for: output that needs the focal length; None where nothing does.

    Raises:
        InputError: if the camera is impossible, or needed and unknown.
    """
    if camera.focal(photo.size, photo.exif_focal_px) is None and needed_for is not None:
        raise InputError(
            f"{needed_for} needs the photo's focal length, and its EXIF has none; pass --focal-px, "
            "--fov-deg or --intrinsics"
        )
    if (warning := camera.warning(photo.size)) is not None:
        note(f"warning: {warning}")


def encode(predictor: AnyPredictor, photo: Photo, camera: CameraOptions) -> PhotoScene:
    """Encode a photo; print warnings and how the network sees it to stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scene = predictor.encode_photo(photo, camera)
    for warning in caught:
        note(f"warning: {warning.message}")
    if scene.plan is not None:
        note(scene.plan.describe())
    return scene


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
