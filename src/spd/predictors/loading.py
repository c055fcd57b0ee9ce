"""`spd.load`: whatever a model is called, the predictor that answers for it.

Apart from the predictors, so that an exported model is opened without loading torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from spd.checkpoints.folder import WEIGHTS, find_checkpoint
from spd.errors import CheckpointError, ConfigError, missing_extras_named
from spd.predictors.calibrated import CalibratedPredictor
from spd.runtimes.engines import check_asked, installed_runtimes
from spd.runtimes.folder import ExportFolder, file_sha256, is_export
from spd.scenes.calibration import Calibration

if TYPE_CHECKING:  # at run time these load torch
    import torch

    from spd.peers.predictor import PeerPredictor
    from spd.predictors.torch_predictor import Predictor
    from spd.runtimes.predictor import RuntimePredictor

    AnyPredictor: TypeAlias = Predictor | PeerPredictor | RuntimePredictor | CalibratedPredictor

BESIDE = "onnx"  # an export in this folder of a checkpoint belongs to its weights


@missing_extras_named()
def load(
    source: str | Path | None = None,
    *,
    device: "str | torch.device | None" = None,
    runtime: str | None = None,
    precision: str | None = None,
    calibration: "str | Path | Calibration | None" = None,
) -> "AnyPredictor":
    """A predictor from a checkpoint, a training run, a hub id, or an exported model.

    A depth model in transformers' own format answers like one of ours; its `kind` says whether in
    metres (`docs/peers.md`).

    Args:
        source: where the model is; None is the small one that comes with the package, which
            learnt from synthetic rooms (`docs/model_card.md`).
        device: for torch; by default CUDA or MPS where present, else the CPU.
        runtime: `torch`, or for an export `onnxruntime` or `openvino` (`docs/export.md`). By
            default torch for weights, and for an export the first of the two that is installed:
            what comes back, on which device, and its last digits then depend on what is asked
            for alone and not on what is installed. `spd query` asks one photo, where starting is
            most of the wait, and so prefers the export beside the weights (`quickest_runtime`).
        precision: of an export's encoder: `float32` (the default), `bfloat16` or `int8`.
        calibration: what `spd calibrate` wrote; every scene then answers metres times its factor.
            It holds for the model and the kind of photo it was made with.

    Raises:
        CheckpointError: if there is no usable model there.
        ConfigError: if the runtime or precision is not to be had for it, or on this machine.
        InputError: if the calibration is none, or the model answers no metres.
    """
    if calibration is None:
        return _load(source, device, runtime, precision)
    if not isinstance(calibration, Calibration):
        calibration = Calibration.read(calibration)
    return CalibratedPredictor(_load(source, device, runtime, precision), calibration)


def _load(
    source: str | Path | None,
    device: "str | torch.device | None",
    runtime: str | None,
    precision: str | None,
) -> "Predictor | PeerPredictor | RuntimePredictor":
    chosen = runtime_of(source, runtime, precision)
    if chosen == "torch":
        check_torch(precision)
        from spd.predictors.torch_predictor import load_torch

        return load_torch(source, device=device)
    if device is not None and str(device) != "cpu":
        raise ConfigError(f"{chosen} computes on the CPU; leave device={str(device)!r} out")
    check_asked(chosen, precision or "float32")
    from spd.runtimes.predictor import open_export

    return open_export(find_export(source), chosen, precision or "float32")


def quickest_runtime(
    source: str | Path | None,
    runtime: str | None,
    device: str | None,
    precision: str | None = None,
) -> str:
    """The runtime to ask a single photo in: the one that is named, or the first to have an answer.

    Torch and transformers take seconds to load. Where weights have an export beside them, as the
    shipped ones do, and a runtime for it is installed, that answers unless another device than
    the CPU is named. An export that is damaged or of other weights is an error then, not slowness
    that nobody can explain.

    Raises:
        CheckpointError: if there is no such model.
        ConfigError: as `runtime_of`.
    """
    if runtime is None and device in (None, "cpu") and not is_export(source):
        installed = _installed(precision)
        if installed and is_export(find_checkpoint(source) / BESIDE):
            return installed[0]
    return runtime_of(source, runtime, precision)


def runtime_of(source: str | Path | None, runtime: str | None, precision: str | None = None) -> str:
    """The runtime to take for a source where none is named, or the one that is.

    Raises:
        ConfigError: if an export is to run in torch, or no runtime for one is installed.
    """
    if runtime not in (None, "torch"):
        check_asked(str(runtime), "float32")
    if not is_export(source):
        return runtime or "torch"
    if runtime == "torch":
        raise ConfigError(
            f"{source} is an exported model, which torch does not run; take the checkpoint it was "
            "made from, or leave the runtime out"
        )
    installed = _installed(precision)
    if runtime is None and not installed:
        raise ConfigError(
            f'{source} needs onnxruntime or openvino; pip install "spd[export]" brings both'
        )
    return runtime or installed[0]


def _installed(precision: str | None) -> list[str]:
    """The installed runtimes, those that compute a precision before the others."""
    installed: list[str] = list(installed_runtimes())
    if precision == "bfloat16":
        installed.sort(key=lambda name: name != "openvino")  # ONNX Runtime has none on a CPU
    return installed


def check_torch(precision: str | None) -> None:
    """Refuse another precision than torch computes in.

    Raises:
        ConfigError: naming what has them.
    """
    if precision not in (None, "float32"):
        raise ConfigError(
            f"torch answers in float32, not in {precision}; export the model (spd export onnx) and "
            "ask the export"
        )


def find_export(source: str | Path | None) -> Path:
    """The export that is meant: the folder itself, or the one beside a checkpoint's weights.

    Raises:
        CheckpointError: if there is none, or it was made from other weights.
    """
    if source is not None and is_export(source):
        return Path(source)
    folder = find_checkpoint(source)
    beside = folder / BESIDE
    if not is_export(beside):
        raise CheckpointError(
            f"{source or folder} is a checkpoint without an export; write one with: spd export "
            f"onnx {source or 'shipped'} -o FOLDER"
        )
    if ExportFolder.read(beside).weights_sha256 != file_sha256(folder / WEIGHTS):
        raise CheckpointError(
            f"{beside} was exported from other weights than {folder / WEIGHTS}; remove it and "
            "export again, or take the runtime torch"
        )
    return beside
