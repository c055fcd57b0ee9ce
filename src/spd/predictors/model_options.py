"""Model options: from a model's name, device, runtime and precision to a predictor.

Nothing here loads torch before a torch model is opened.
"""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from spd.checkpoints.folder import CONFIG, SHIPPED, WEIGHTS, find_checkpoint
from spd.errors import CheckpointError, ConfigError, require
from spd.files import file_sha256, read_json
from spd.memory import limit_memory
from spd.peers.kinds import Peer, read_peer
from spd.photos.limits import DEFAULT_LIMITS, PhotoLimits
from spd.predictors.calibrated import CalibratedPredictor
from spd.predictors.gpus import gpu_present
from spd.processes import limit_torch, threads_to_use
from spd.runtimes.engines import check_names, installed_runtimes
from spd.runtimes.folder import EXPORT, ExportFolder, is_export
from spd.scenes.calibration import Calibration
from spd.scenes.depth_kind import refuse_relative
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.reloading import Source
from spd.scenes.scene import PhotoScene

if TYPE_CHECKING:  # at run time it is loaded only where torch computes
    import torch

AnyPredictor: TypeAlias = PhotoPredictor[PhotoScene]

EXPORT_FOLDER = "onnx"  # an export in this folder of a checkpoint belongs to its weights


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """A model, and the device, runtime and precision to compute it with; None is the default.

    Raises:
        ConfigError: if `threads` is not a whole number from 1 to 1,024.
    """

    model: str | Path | None = None
    """Checkpoint, training run, export or hub id; None is the shipped model."""
    device: "str | torch.device | None" = None
    """Device of torch; exports take only the CPU."""
    runtime: str | None = None
    """`torch`, `onnxruntime` or `openvino`; by default the quickest with the same metres."""
    precision: str | None = None
    """Precision of an export's encoder: `float32` (the default), `bfloat16` or `int8`."""
    calibration: "str | Path | Calibration | None" = None
    """Calibration that scales every depth, or its file."""
    threads: int | None = None
    """CPU threads; None: `OMP_NUM_THREADS`, or one per usable CPU. Torch has one number for all."""
    limits: PhotoLimits = DEFAULT_LIMITS
    """Largest photo, and largest input of the network."""
    memory: str | int | None = None
    """Memory limit of the process that loads the model (`limit_memory`); None: no change."""

    def __post_init__(self) -> None:
        if self.threads is not None:
            object.__setattr__(self, "threads", threads_to_use(self.threads))

    @property
    def name(self) -> str:
        """Name of the model for messages and reports."""
        return str(self.model or SHIPPED)

    def locate(self) -> "ModelLocation":
        """Find the model and choose its runtime, without loading it.

        Without a runtime, an export answers if the model is one, or if one for any photo size
        lies beside the weights, a runtime for it is installed, and neither another device than
        the CPU is named nor a GPU is present. Else torch does.

        Raises:
            CheckpointError: if the model is not found, or its export is of other weights.
            ConfigError: if the runtime or precision is not available for it.
        """
        check_names(self.runtime, self.precision)
        calibration = self._read_calibration()
        if is_export(self.model):
            return self._exported(ExportFolder.read(str(self.model)), None, calibration)
        folder = find_checkpoint(self.model)
        export = self._export_beside(folder)
        if export is not None:
            return self._exported(export, folder, calibration)
        if self.precision not in (None, "float32"):
            raise ConfigError(
                f"torch computes in float32, not in {self.precision}, as an export can; "
                f"{self._other_way(folder)}"
            )
        return ModelLocation(self, "torch", folder, None, read_peer(folder), calibration)

    def load(self) -> AnyPredictor:
        """Load the model.

        Raises:
            CheckpointError: if no usable model is found.
            ConfigError: if the device, runtime or precision is not available.
            InputError: if the calibration cannot be read, or the model is relative.
        """
        return self.locate().load()

    def elsewhere(self) -> "ModelOptions":
        """Options that load the same model, without calibration, from any current folder."""
        local = self.model is not None and os.path.exists(self.model)
        model = os.path.abspath(str(self.model)) if local else self.model
        return dataclasses.replace(self, model=model, calibration=None)

    def _read_calibration(self) -> Calibration | None:
        given = self.calibration
        return given if given is None or isinstance(given, Calibration) else Calibration.read(given)

    def _export_beside(self, folder: Path) -> ExportFolder | None:
        """The export beside the weights, if it answers; None where torch does."""
        beside = folder / EXPORT_FOLDER
        if self.runtime == "torch":
            return None
        if self.runtime is None:
            quicker = is_export(beside) and self._on_cpu() and installed_runtimes(self.precision)
            if not quicker:
                return None
        elif not is_export(beside):
            raise CheckpointError(
                f"{self.name} is a checkpoint without an export; {self._other_way(folder)}"
            )
        export = ExportFolder.read(beside)
        if self.runtime is None and export.image_size is not None:
            return None  # padding photos to one size changes the metres
        if export.weights_sha256 != file_sha256(folder / WEIGHTS):
            raise CheckpointError(
                f"{beside} was exported from different weights than {folder / WEIGHTS}; remove it "
                "and export again, or use the torch runtime"
            )
        return export

    def _other_way(self, folder: Path) -> str:
        """Advice for an error where only an export has the requested runtime or precision."""
        only = "omit the runtime and the precision: it runs only in torch, in float32"
        if read_peer(folder) is not None:
            return f"{only}, as all published models"
        path = _local_path_of(folder)
        if path not in (None, "cross_attention"):
            return f"{only}, because its local path is {path}"
        torch_alone = []  # what an export refuses
        if self.runtime == "torch":
            torch_alone.append("the runtime")
        if self.device is not None and not _is_cpu(self.device):
            torch_alone.append("the device")
        omit = " and ".join(torch_alone)
        if self.precision == "bfloat16" and omit and is_export(folder / EXPORT_FOLDER):
            return f"omit {omit}, so that the export beside its weights computes"
        int8 = " --int8 --calibrate DATA" if self.precision == "int8" else ""
        return (
            f"create one with: spd export onnx {self.name} -o FOLDER{int8}, and use FOLDER as the "
            f"model{omit and f', without {omit}'}"
        )

    def _exported(
        self, export: ExportFolder, folder: Path | None, calibration: Calibration | None
    ) -> "ModelLocation":
        if self.runtime == "torch":
            raise ConfigError(
                f"{self.name} is an exported model, which torch cannot run; use the checkpoint it "
                "was exported from, or omit the runtime"
            )
        installed = installed_runtimes(self.precision)
        if self.runtime is None and not installed:
            require("onnxruntime")
        runtime = self.runtime or installed[0]
        if self.device is not None and not _is_cpu(self.device):
            device = str(self.device)
            raise ConfigError(f"{runtime} computes on the CPU only; omit device={device!r}")
        return ModelLocation(self, runtime, folder, export, None, calibration)

    def _on_cpu(self) -> bool:
        """True if torch would compute on the CPU."""
        return _is_cpu(self.device) if self.device is not None else not gpu_present()


@dataclasses.dataclass(frozen=True, slots=True)
class ModelLocation:
    """A model that was found: its files are known, and none of its weights is loaded."""

    options: ModelOptions
    runtime: str
    """Runtime that computes: `torch`, `onnxruntime` or `openvino`."""
    folder: Path | None
    """Folder of the weights; None for an export without them."""
    export: ExportFolder | None
    """Export that answers; None where torch does."""
    peer: Peer | None
    """Published depth model in the folder; None for an SPD."""
    calibration: Calibration | None
    """Calibration that scales every depth."""

    def refuse_relative(self) -> None:
        """Refuse a model that answers without a scale.

        Raises:
            InputError: naming what to do instead.
        """
        if self.peer is not None:
            refuse_relative(self.peer.kind, self.options.name)

    def sha256(self) -> str:
        """Digest of the weights, or of the export's graphs."""
        if self.export is not None:
            return self.export.sha256()
        return file_sha256(Path(str(self.folder)) / WEIGHTS)

    def load(self) -> AnyPredictor:
        """Load the model.

        Raises:
            CheckpointError: if a file of it is missing or damaged.
            ConfigError: if the device, runtime or precision is not available.
            InputError: if the calibration cannot be read, or the model is relative.
        """
        if self.options.memory is not None:
            limit_memory(self.options.memory)
        if self.options.threads is not None and self.runtime == "torch":
            limit_torch(self.options.threads)
        predictor = self._open()
        file = self.export.path / EXPORT if self.export else Path(str(self.folder)) / WEIGHTS
        predictor.loaded_from(Source.of(self.options.elsewhere().load, file))
        predictor.limits = self.options.limits
        return CalibratedPredictor(predictor, self.calibration) if self.calibration else predictor

    def _open(self) -> AnyPredictor:
        options = self.options
        if self.export is not None:
            from spd.runtimes.export_predictor import open_export

            return open_export(
                self.export,
                self.runtime,
                options.precision or "float32",
                options.threads,
                options.name if self.folder is not None else None,
            )
        from spd.predictors.torch_predictor import open_torch

        return open_torch(Path(str(self.folder)), self.peer, options.name, options.device)


def _local_path_of(folder: Path) -> str | None:
    """Name of an SPD's local path; None if `config.json` does not contain it."""
    try:
        path = read_json(folder / CONFIG)["model"]["local_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the reader of checkpoints reports the error
    return str(path)


def _is_cpu(device: "str | torch.device") -> bool:
    return str(device) in ("cpu", "cpu:0")
