"""`spd.load`: from the name of a model to the predictor that answers for it."""

from pathlib import Path
from typing import TYPE_CHECKING

from spd.errors import missing_extras_named
from spd.photos.limits import PhotoLimits
from spd.predictors.model_options import AnyPredictor, ModelOptions
from spd.scenes.calibration import Calibration

if TYPE_CHECKING:  # at run time it is loaded only where torch computes
    import torch


@missing_extras_named()
def load(
    source: str | Path | None = None,
    *,
    device: "str | torch.device | None" = None,
    runtime: str | None = None,
    precision: str | None = None,
    calibration: "str | Path | Calibration | None" = None,
    max_megapixels: float | None = None,
    max_input_megapixels: float | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
) -> AnyPredictor:
    """Load a predictor from a checkpoint, a training run, a hub id or an exported model.

    Depth models in transformers' format answer through the same interface; `kind` tells whether
    in metres (`docs/peers.md`).

    Args:
        source: path or hub id of the model; None is the small shipped model, trained on synthetic
            rooms (`docs/model_card.md`).
        device: device of torch; by default CUDA or MPS where present, else the CPU.
        runtime: `torch`, `onnxruntime` or `openvino`; all give the same metres (to 1e-4, relative).
            By default torch if another device than the CPU is named, a GPU is present, or no
            export is beside the weights (the shipped ones have one); else ONNX Runtime, or
            OpenVINO where only that is installed (`docs/export.md`). Every runtime takes arrays
            and tensors and returns arrays; for gradients and results on a device use `spd.SPD`.
        precision: precision of an export's encoder: `float32` (the default), `bfloat16`, `int8`.
        calibration: calibration or its file, written by `spd calibrate`; every depth is multiplied
            by its factor. It holds for the model and the kind of photo it was made with.
        max_megapixels: largest photo; by default 178.95697. Larger ones are refused before they
            are decoded.
        max_input_megapixels: largest input of an SPD network; by default 1. A photo that needs a
            larger one is scaled down further, and its depth corrected for that.
        memory: most memory of this whole process, in bytes or as text such as "2GB": work that is
            predicted to exceed it is refused. By default what the machine or container leaves.
        threads: CPU threads; by default `OMP_NUM_THREADS`, else one per CPU that this process may
            use. Torch's number of threads is changed for the whole process (`docs/parallel.md`).

    Raises:
        CheckpointError: if no usable model is found.
        ConfigError: if the device, runtime or precision is not available, or a limit is invalid.
        InputError: if the calibration cannot be read, or the model is relative.
    """
    options = ModelOptions(
        model=source,
        device=device,
        runtime=runtime,
        precision=precision,
        calibration=calibration,
        limits=PhotoLimits.of(max_megapixels, max_input_megapixels),
        memory=memory,
        threads=threads,
    )
    return options.load()
