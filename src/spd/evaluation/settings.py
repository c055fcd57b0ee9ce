"""The settings of an evaluation, stored beside its numbers."""

import dataclasses
import datetime
import json
import platform
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np

from spd._version import __version__
from spd.errors import DataError, InputError, shortened
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M
from spd.evaluation.metrics.alignment import Kind
from spd.evaluation.protocols import View, camera_of
from spd.files import file_sha256, read_json
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.scene import PhotoScene


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """Everything that decides the predictions; a folder has predictions of one settings only."""

    model: str
    """The source of the weights."""
    weights_sha256: str | None
    """Digest of the weights file; None if the source is not a local checkpoint."""
    config: dict[str, Any]
    """The model's configuration."""
    device: str
    """The device that computed the predictions."""
    data: str
    """The data set, split included."""
    max_points: int | None
    """Readings scored per image at most, drawn at random; None: all."""
    seed: int
    """The seed of that draw."""
    default_protocol: str
    """The name of the protocol that this data is scored under by default."""
    versions: dict[str, str]
    """Versions of this package, torch, numpy and Python."""
    view: View = "whole"
    """The part of the photo that the network sees."""
    kind: Kind = "metric"
    """The quantity that the model predicts."""
    max_depth_m: float = MAX_DEPTH_M
    """Depth beyond it is neither predicted nor scored."""
    date: str = dataclasses.field(default="", compare=False)
    """Start of the predictions, ISO in UTC; two evaluations may differ in it alone."""

    def __post_init__(self) -> None:
        if self.max_points is not None and self.max_points < 1:
            raise InputError(
                f"max_points must be at least 1, or None for all, got {self.max_points}"
            )
        if self.view not in get_args(View):
            raise InputError(f"view must be whole or crop, got {self.view!r}")
        if self.kind not in get_args(Kind):
            raise InputError(
                f"a predictor's kind must be one of {', '.join(get_args(Kind))}; got {self.kind!r}"
            )

    @classmethod
    def of(
        cls,
        predictor: PhotoPredictor[PhotoScene],
        *,
        data: str,
        max_points: int | None = None,
        seed: int = 0,
        view: View = "whole",
        default_protocol: str = "native",
        max_depth_m: float = MAX_DEPTH_M,
    ) -> Self:
        """The settings of an evaluation of this predictor on this data.

        Raises:
            InputError: if `max_points` is less than 1, the view or kind is unknown, or the model
                has no training camera to crop to.
        """
        import torch  # for its version; scoring does not call this

        config = predictor.config.to_dict()
        if view == "crop":
            camera_of(config)
        return cls(
            model=predictor.source,
            weights_sha256=_weights_digest(predictor.source),
            config=config,
            device=str(predictor.device),
            data=data,
            max_points=max_points,
            seed=seed,
            default_protocol=default_protocol,
            versions={
                "spd": __version__,
                "torch": str(torch.__version__),
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            view=view,
            kind=predictor.kind,
            max_depth_m=max_depth_m,
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    def to_json(self) -> str:
        """The text of `settings.json`."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read `settings.json` back.

        Raises:
            DataError: if it is missing, or an evaluation did not write it.
        """
        if not path.is_file():
            raise DataError(f"{path} does not exist; expected the output folder of an evaluation")
        try:
            return cls(**read_json(path))
        except (OSError, ValueError, TypeError):
            raise DataError(
                f"{path} does not contain the settings of an evaluation{written_by(path)}; "
                "evaluate into an empty folder"
            ) from None

    def differences(self, other: "EvaluationSettings") -> list[str]:
        """The names of the fields in which the two differ, the date excepted."""
        names = [field.name for field in dataclasses.fields(self) if field.compare]
        return [name for name in names if getattr(self, name) != getattr(other, name)]

    def version_differences(self, stored: "EvaluationSettings") -> str:
        """Both versions of every package where they differ, in brackets; empty if none."""
        there, here = stored.versions, self.versions
        different = [
            f"{name} {there.get(name, 'unknown')}, now {here.get(name, 'unknown')}"
            for name in {**there, **here}
            if there.get(name) != here.get(name)
        ]
        return f" ({'; '.join(different)})" if different else ""


def written_by(settings: Path) -> str:
    """The SPD version that wrote an evaluation and this one, in brackets; empty if unknown."""
    try:
        version = read_json(settings)["versions"]["spd"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f" (SPD {shortened(str(version))} wrote it, this is {__version__})"


def _weights_digest(source: str) -> str | None:
    """SHA-256 of the weights: a checkpoint retrained in place keeps its path."""
    from spd.checkpoints.folder import SHIPPED, WEIGHTS, find_checkpoint
    from spd.runtimes.folder import ExportFolder, is_export

    if is_export(source):
        return ExportFolder.read(source).sha256()
    if source != SHIPPED and not Path(source).exists():
        return None
    return file_sha256(find_checkpoint(source) / WEIGHTS)
