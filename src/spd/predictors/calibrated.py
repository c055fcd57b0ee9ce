"""A predictor whose metres are multiplied by what `spd calibrate` found."""

from typing import TYPE_CHECKING, Any

from spd.peers.kinds import DepthKind, refuse_relative
from spd.photos.focal import Focal
from spd.photos.reading import Photo
from spd.scenes.calibration import CalibratedScene, Calibration
from spd.scenes.photo_predictor import PhotoPredictor

if TYPE_CHECKING:  # at run time some of these load torch
    from spd.config import ModelConfig
    from spd.peers.predictor import PeerConfig, PeerPredictor
    from spd.predictors.torch_predictor import Predictor
    from spd.runtimes.predictor import RuntimePredictor


class CalibratedPredictor(PhotoPredictor[CalibratedScene]):
    """A predictor that answers in true metres, as far as one factor brings it there.

    Args:
        predictor: whose metres they are.
        calibration: made with this model, on a photo of the same camera.

    Raises:
        InputError: if the model answers no metres. `encode` raises it too, for a photo whose focal
            length is known where that of the calibration's photo was not, or the other way round.
    """

    kind: DepthKind = "metric"

    def __init__(
        self,
        predictor: "Predictor | PeerPredictor | RuntimePredictor",
        calibration: Calibration,
    ) -> None:
        refuse_relative(predictor.kind, predictor.source)
        self.predictor = predictor
        """As the model answers."""
        self.calibration = calibration

    @property
    def config(self) -> "ModelConfig | PeerConfig":
        """The model's configuration."""
        return self.predictor.config

    @property
    def device(self) -> Any:
        """What computes it."""
        return self.predictor.device

    @property
    def source(self) -> str:
        """Where the model comes from."""
        return self.predictor.source

    @property
    def training_median_m(self) -> float | None:
        """Of the depth it learnt from, where that is known; not multiplied."""
        return getattr(self.predictor, "training_median_m", None)

    def _encode(self, photo: Photo, focal: Focal | None) -> CalibratedScene:
        return self.calibration.apply(self.predictor._encode(photo, focal))
