"""What every predictor does with a photo before its network sees it.

A predictor takes photos of any size and gives scenes, which answer at the photo's own pixels. No
torch here: an exported model is asked without it.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Generic, TypeVar

from spd.photos.focal import Focal, IntrinsicsLike, choose_focal
from spd.photos.plan import ImagePlan, PlanWarnings
from spd.photos.reading import Channels, ImageLike, Photo, RGBImage, read_photo, resample
from spd.pixels import Size
from spd.scenes.scene import PhotoScene

SceneT = TypeVar("SceneT", bound=PhotoScene)


class PhotoPredictor(abc.ABC, Generic[SceneT]):
    """A loaded model that takes photos of any size."""

    def encode(
        self,
        image: ImageLike,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        intrinsics: IntrinsicsLike | None = None,
        channels: Channels = "rgb",
    ) -> SceneT:
        """Read a photo and pay everything that is paid once.

        Args:
            image: a path, bytes, an open file, a PIL image, an array or a tensor
                (`spd.photos.reading.read_photo`).
            focal_px: the photo's focal length in its own pixels. Metres depend on it; of published
                networks only Depth Pro's do (`docs/peers.md`). Where nothing is given the file's
                EXIF is taken; where that says nothing, an SPD assumes its training camera's field
                of view along the longer side, with a warning.
            fov_deg: instead, its field of view along the longer side, in degrees.
            intrinsics: instead, its whole camera, or the 3x3 matrix of it.
            channels: order of an array's or tensor's channels; "bgr" is OpenCV's.

        Raises:
            InputError: if the image cannot be read or is of a size that the model does not take;
                if more than one of `focal_px`, `fov_deg` and `intrinsics` is given, or it cannot
                be; if the model can say no metres without it.
        """
        photo = read_photo(image, channels=channels)
        focal = _focal_of(photo, focal_px, fov_deg, intrinsics)
        return self._encode(photo, focal)

    @abc.abstractmethod
    def _encode(self, photo: Photo, focal: Focal | None) -> SceneT:
        """The scene of a photo whose focal length is said by somebody, or by nobody."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A photo that has been read and resampled: the network is all that is missing."""

    pixels: RGBImage
    """What the network sees, borders repeated to the plan's size."""
    plan: ImagePlan


class PlannedPredictor(PhotoPredictor[SceneT]):
    """One of ours: photos are resampled to the training camera's pixels per radian.

    Args:
        doubts: who is told what a plan rests on.
    """

    def __init__(self, doubts: PlanWarnings) -> None:
        self._warnings = doubts

    def prepare(
        self,
        image: ImageLike,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        intrinsics: IntrinsicsLike | None = None,
        channels: Channels = "rgb",
    ) -> Prepared:
        """What `encode` does before the network runs; the same arguments, the same errors."""
        photo = read_photo(image, channels=channels)
        return self._prepare(photo, _focal_of(photo, focal_px, fov_deg, intrinsics))

    @abc.abstractmethod
    def encode_many(self, prepared: Sequence[Prepared]) -> list[SceneT]:
        """Photos whose inputs have one size (`plan.model_size`), through the network together."""

    @abc.abstractmethod
    def _plan(self, size: Size, focal: Focal | None) -> ImagePlan:
        """How a photo of that size becomes an input."""

    def _prepare(self, photo: Photo, focal: Focal | None) -> Prepared:
        plan = self._plan(photo.size, focal)
        return Prepared(resample(photo.pixels, plan.scale, plan.model_size), plan)

    def _encode(self, photo: Photo, focal: Focal | None) -> SceneT:
        prepared = self._prepare(photo, focal)
        self._warnings.tell(prepared.plan)
        return self.encode_many([prepared])[0]


def _focal_of(
    photo: Photo,
    focal_px: float | None,
    fov_deg: float | None,
    intrinsics: IntrinsicsLike | None,
) -> Focal | None:
    return choose_focal(
        photo.size,
        photo.exif_focal_px,
        focal_px=focal_px,
        fov_deg=fov_deg,
        intrinsics=intrinsics,
    )
