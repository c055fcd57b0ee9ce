"""The interface of every predictor: photos in, scenes out.

It needs no torch, so that exported models work without it.
"""

import abc
import contextlib
import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from spd.config import ModelConfig
from spd.memory import reserved
from spd.photos.camera import CameraOptions
from spd.photos.camera_matrix import IntrinsicsLike
from spd.photos.focal import Focal
from spd.photos.limits import DEFAULT_LIMITS, PhotoLimits
from spd.photos.peaks import encode_bytes, resample_bytes
from spd.photos.plan import ImagePlan
from spd.photos.reading import Channels, ImageLike, Photo, RGBImage, read_photo
from spd.photos.resampling import padded_pixels, resample
from spd.pixels import Size
from spd.scenes.depth_kind import DepthKind
from spd.scenes.reloading import Source, reload_predictor
from spd.scenes.scene import PhotoScene

SceneT = TypeVar("SceneT", bound=PhotoScene, covariant=True)


ENCODE_ADVICE = (
    "allow more memory, crop the photo, or use a smaller input (max_input_megapixels) or a "
    "different runtime"
)


class NetworkConfig(Protocol):
    """The configuration of any network."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class NetworkPhoto:
    """A photo that is ready for the network."""

    pixels: RGBImage
    """Pixels resampled by the plan, borders repeated; without a plan the photo's own."""
    focal: Focal | None
    """Focal length; None where it is unknown."""
    plan: ImagePlan | None = None
    """Resampling plan; None where the network prepares its own input."""
    warnings: tuple[str, ...] = ()
    """Reasons to doubt the metres of this photo."""


class PhotoPredictor(abc.ABC, Generic[SceneT]):
    """A loaded model that takes photos of any size."""

    kind: DepthKind = "metric"
    """Kind of the answers: metres, or depth or inverse depth without a scale."""
    training_median_m: float | None = None
    """Median training depth in metres: the constant baseline; None where it is unknown."""
    source: str
    """Name or path that the model was loaded from."""
    device: Any
    """Device that computes: a `torch.device`, or text for an export."""
    limits: PhotoLimits = DEFAULT_LIMITS
    """Largest photo, and largest input of the network."""
    origin: Source | None = None
    """How the predictor is loaded again; None for a network that was not loaded."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def loaded_from(self, origin: Source) -> None:
        """Set how other processes load this predictor."""
        self.origin = origin
        origin.remember(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickle the source, not the network; without a source everything is pickled."""
        if self.origin is None:
            return super().__reduce_ex__(protocol)
        return reload_predictor, (self.origin, self.limits)

    @property
    @abc.abstractmethod
    def config(self) -> NetworkConfig:
        """The model's configuration."""

    def encode(
        self,
        image: ImageLike,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        intrinsics: IntrinsicsLike | None = None,
        channels: Channels = "rgb",
    ) -> SceneT:
        """Read a photo and run the encoder once.

        Args:
            image: a path, bytes, an open file, a PIL image, an array or a tensor
                (`spd.photos.reading.read_photo`).
            focal_px: focal length in pixels of the photo. Metres scale with it; of published
                networks only Depth Pro uses it (`docs/peers.md`). By default the file's EXIF is
                used; without EXIF an SPD assumes the training camera's field of view along the
                longer side and warns.
            fov_deg: field of view along the longer side in degrees, instead of `focal_px`.
            intrinsics: camera or its 3x3 matrix, instead of `focal_px`.
            channels: channel order of an array or tensor; "bgr" is OpenCV's.

        Raises:
            InputError: if the image cannot be read or is larger than `limits` or the model allows;
                if more than one of `focal_px`, `fov_deg` and `intrinsics` is given, or it is
                impossible; if the model needs a focal length and none is known.
            OutOfMemoryError: if reading or encoding it needs more memory than is left.
        """
        camera = CameraOptions.of(focal_px=focal_px, fov_deg=fov_deg, intrinsics=intrinsics)
        photo = read_photo(image, channels=channels, max_pixels=self.limits.max_pixels)
        return self.encode_photo(photo, camera)

    def encode_photo(self, photo: Photo, camera: CameraOptions) -> SceneT:
        """`encode` for a photo that has been read."""
        ready = self.prepare(photo, camera)
        for text in ready.warnings:
            if text not in self._warned:  # once a predictor, however many photos follow
                self._warned.add(text)
                warnings.warn(text, stacklevel=3)
        return self.encode_many([ready])[0]

    def warn_again(self) -> None:
        """Repeat warnings that were given before, if they hold for a later photo too."""
        self._warned.clear()

    def prepare(self, photo: Photo, camera: CameraOptions) -> NetworkPhoto:
        """Do everything that `encode` does before the network runs.

        Raises:
            InputError: if the photo's size or the camera is impossible.
            OutOfMemoryError: if it needs more memory than is left.
        """
        focal = camera.focal(photo.size, photo.exif_focal_px)
        return NetworkPhoto(photo.pixels, focal, warnings=_warnings(photo, camera))

    @abc.abstractmethod
    def encode_many(self, photos: Sequence[NetworkPhoto]) -> list[SceneT]:
        """Encode photos together; those with a plan must agree in `plan.model_size`."""


class PlannedPredictor(PhotoPredictor[SceneT]):
    """A predictor for SPD networks: it resamples photos to the training camera's scale."""

    @property
    @abc.abstractmethod
    def config(self) -> ModelConfig:
        """The model's configuration."""

    def prepare(self, photo: Photo, camera: CameraOptions) -> NetworkPhoto:
        """Plan and resample a photo.

        Raises:
            InputError: if the photo's size or the camera is impossible.
            OutOfMemoryError: if resampling needs more memory than is left.
        """
        focal = camera.focal(photo.size, photo.exif_focal_px)
        plan = self._plan(photo.size, focal)
        what = f"resampling a photo of {photo.size[1]}x{photo.size[0]}"
        padded_px = padded_pixels(photo.size, plan.scale, plan.model_size)
        needed = resample_bytes(photo.size, padded_px) - photo.pixels.nbytes
        with reserved(needed, what, "scale it down, or allow more memory"):
            pixels = resample(photo.pixels, plan.scale, plan.model_size)
        found = (*_warnings(photo, camera), *plan.warnings(self.config.camera))
        return NetworkPhoto(pixels, plan.focal, plan, found)

    def _plan(self, size: Size, focal: Focal | None) -> ImagePlan:
        """Resampling plan for a photo of `size`."""
        return ImagePlan.make(size, self.config.camera, focal, self.limits.max_input_pixels)

    def _memory_for(
        self, photos: Sequence[NetworkPhoto], runtime: str
    ) -> contextlib.AbstractContextManager[None]:
        """Reserve the memory of encoding photos together.

        Raises:
            OutOfMemoryError: if it is more than is left.
        """
        height, width = photos[0].pixels.shape[:2]
        config = self.config
        needed = encode_bytes(
            (height, width),
            len(photos),
            hidden=config.encoder.hidden_size,
            heads=config.encoder.heads,
            dim=config.dim,
            runtime=runtime,
        )
        what = f"encoding {len(photos)} image(s) of {height}x{width}"
        return reserved(needed, what, ENCODE_ADVICE)


def _warnings(photo: Photo, camera: CameraOptions) -> tuple[str, ...]:
    """Reasons to doubt a photo's metres that hold for every network."""
    exif_px = None if photo.focal_warnings else photo.exif_focal_px
    of_focal = camera.warnings(photo.size, exif_px) if camera.has_focal else photo.focal_warnings
    return (*photo.warnings, *of_focal)


def plans_of(photos: Sequence[NetworkPhoto]) -> list[ImagePlan]:
    """Resampling plan of each photo of a planned predictor."""
    return [photo.plan for photo in photos if photo.plan is not None]
