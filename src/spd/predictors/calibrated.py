"""A predictor whose depths are multiplied by the factor of a calibration."""

import dataclasses
from collections.abc import Sequence

from spd.photos.camera import CameraOptions
from spd.photos.reading import Photo
from spd.scenes.calibration import CalibratedScene, Calibration
from spd.scenes.depth_kind import refuse_relative
from spd.scenes.photo_predictor import NetworkConfig, NetworkPhoto, PhotoPredictor
from spd.scenes.scene import PhotoScene


class CalibratedPredictor(PhotoPredictor[CalibratedScene]):
    """A predictor with a calibration: every depth is multiplied by its factor.

    Args:
        predictor: the predictor to calibrate.
        calibration: made with this model, on a photo of the same camera.

    Raises:
        InputError: if the model is relative. `encode` raises it too if the focal length is known
            for the photo and was not for the calibration's, or the reverse.
    """

    def __init__(self, predictor: PhotoPredictor[PhotoScene], calibration: Calibration) -> None:
        super().__init__()
        refuse_relative(predictor.kind, predictor.source)
        self.predictor = predictor
        """The predictor before calibration."""
        self.calibration = calibration
        self.source = predictor.source
        self.device = predictor.device
        self.limits = predictor.limits
        self.training_median_m = predictor.training_median_m

    @property
    def config(self) -> NetworkConfig:
        """The model's configuration."""
        return self.predictor.config

    def prepare(self, photo: Photo, camera: CameraOptions) -> NetworkPhoto:
        """Prepare a photo as the model does."""
        ready = self.predictor.prepare(photo, camera)
        found = (*ready.warnings, *self.calibration.warnings())
        return dataclasses.replace(ready, warnings=found)

    def encode_many(self, photos: Sequence[NetworkPhoto]) -> list[CalibratedScene]:
        """Encode photos together, with calibrated depths."""
        return [self.calibration.apply(scene) for scene in self.predictor.encode_many(photos)]
