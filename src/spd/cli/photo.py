"""A photo and its camera as a command takes them."""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from spd.errors import InputError, reason_of
from spd.files import is_special, is_stdin, read_stream
from spd.photos.camera import CameraOptions
from spd.photos.camera_matrix import parse_intrinsics
from spd.photos.distortion import Distortion
from spd.photos.focal import SOURCE_WORDS
from spd.photos.reading import Photo, read_photo
from spd.predictors.model_options import AnyPredictor
from spd.scenes.scene import PhotoScene

_MOST_BYTES = 512 * 2**20
"""Maximum size in bytes of a photo from a pipe."""


def read_file(path: Path, max_pixels: int) -> Photo:
    """Read a photo of at most `max_pixels`, without Pillow's warnings about metadata.

    The path may be `-`, standard input, or a pipe.

    Raises:
        InputError: if it cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_photo(_piped(path) or path, max_pixels=max_pixels)


def _piped(path: Path) -> io.BytesIO | None:
    """Content of standard input or a pipe; None for a file."""
    if not (is_stdin(path) or is_special(path)):
        return None
    try:
        content = io.BytesIO(read_stream(path, _MOST_BYTES))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {reason_of(error)}") from None
    content.name = "standard input" if is_stdin(path) else str(path)
    return content


def parse_camera(
    focal_px: float | None, fov_deg: float | None, intrinsics: str | None, distortion: str | None
) -> CameraOptions:
    """Camera options from the command line.

    Raises:
        InputError: if numbers are missing, or options contradict each other.
    """
    return CameraOptions.of(
        focal_px=focal_px,
        fov_deg=fov_deg,
        intrinsics=None if intrinsics is None else parse_intrinsics(intrinsics, "--intrinsics"),
        distortion=None if distortion is None else Distortion.parse(distortion),
    )


def check_camera(camera: CameraOptions, photo: Photo, *, needed_for: str | None) -> None:
    """Refuse an impossible or missing camera.

    Args:
        camera: options of the user.
        photo: the photo to query.
        needed_for: output that needs the focal length; None where nothing does.

    Raises:
        InputError: if the camera is impossible, or needed and unknown.
    """
    if camera.focal(photo.size, photo.exif_focal_px) is None and needed_for is not None:
        raise InputError(
            f"{needed_for} needs the photo's focal length, which is not in its EXIF; "
            "pass --focal-px, --fov-deg or --intrinsics"
        )


def encode(predictor: AnyPredictor, photo: Photo, camera: CameraOptions) -> PhotoScene:
    """Encode a photo, and print its warnings to stderr."""
    with noted_warnings():
        return predictor.encode_photo(photo, camera)


@contextlib.contextmanager
def noted_warnings() -> Iterator[None]:
    """Print the warnings of a block to stderr, one a line, when it ends without an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        note(f"warning: {warning.message}")


def focal_text(scene: PhotoScene) -> str:
    """Focal length of a scene and its source, for people."""
    if scene.focal is not None and scene.focal.known:
        return f"focal length {scene.focal.px:.1f} px, {SOURCE_WORDS[scene.focal.source]}"
    if scene.assumed_focal_px is not None:
        scale = "assumed (set it with --focal-px): depth scales with it"
        return f"focal length {scene.assumed_focal_px:.1f} px, {scale}"
    return "this model does not use the focal length"


def tell(message: str, out: Path) -> None:
    """Print a message about an output file; to stderr if the file may be standard output."""
    print(message, file=sys.stderr if is_special(out) else sys.stdout)


def note(message: str) -> None:
    """Print a line that is not part of the answer to stderr."""
    print(message, file=sys.stderr)
