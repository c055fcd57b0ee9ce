"""Read a posted photo: check its size, decode it, and prepare the network's input."""

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from spd.errors import InputError
from spd.photos.camera import CameraOptions
from spd.photos.reading import Photo, read_photo
from spd.predictors.model_options import AnyPredictor
from spd.scenes import Mask, read_mask
from spd.scenes.photo_predictor import NetworkPhoto
from spd.serve.refusals import from_error

PREVIEW_PX = 900
"""Longer side of the preview that pictures are drawn on."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PhotoInput:
    """A decoded photo that waits to be encoded."""

    item: NetworkPhoto
    preview: UInt8[np.ndarray, "h w 3"]

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(height, width) of the network's input; None where only the predictor knows it."""
        return None if self.item.plan is None else self.item.plan.model_size


def read(
    data: bytes, camera: CameraOptions, predictor: AnyPredictor, most_pixels: int
) -> PhotoInput:
    """Decode a photo and prepare its input.

    Raises:
        RefusalError: if it cannot be read, is too large, or the camera does not fit it.
    """
    with _refused_images():
        photo = read_photo(data, max_pixels=most_pixels)
    try:
        item = predictor.prepare(photo, camera)
    except InputError as error:
        raise from_error(error, "bad_camera") from None
    return PhotoInput(item, _preview(photo))


def mask(data: bytes, most_pixels: int) -> Mask:
    """Decode a mask.

    Raises:
        RefusalError: if it cannot be read or is too large.
    """
    with _refused_images():
        return read_mask(data, max_pixels=most_pixels)


@contextlib.contextmanager
def _refused_images() -> Iterator[None]:
    """Refuse an image that cannot be read, or whose reading would cost too much."""
    try:
        yield
    except InputError as error:
        raise from_error(error, "bad_image") from None


def _preview(photo: Photo) -> UInt8[np.ndarray, "h w 3"]:
    image = Image.fromarray(photo.pixels)
    image.thumbnail((PREVIEW_PX, PREVIEW_PX))
    return np.array(image)
