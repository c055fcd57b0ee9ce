"""Static int8 quantisation of the encoder, and its cost in accuracy.

The matrix products of the transformer's blocks with their weights are quantised (ONNX Runtime's
static QDQ format, weights per channel). Attention, neck, global path and query stay in floating
point.

Each runtime has its own file. ONNX Runtime takes a sixth longer with signed activations than with
unsigned ones and a zero point. OpenVINO subtracts a zero point in a separate pass; without one it
takes a third less time.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spd.errors import InputError, counted, require
from spd.export.half_weights import widen_weights
from spd.export.scoring import EngineScore, score_engine, working_plan
from spd.runtimes.engines import installed_runtimes, open_engine
from spd.runtimes.export_predictor import network_input
from spd.runtimes.folder import ENCODE, ENCODE_INT8, ExportFolder
from spd.runtimes.onnx_runtime import import_onnxruntime
from spd.terminal import quiet_loggers

if TYPE_CHECKING:
    from spd.data.sample import RGBDSample


@dataclasses.dataclass(frozen=True, slots=True)
class CalibrationFrames:
    """Frames to calibrate int8 on, and other frames to score it."""

    calibrate: Sequence["RGBDSample"]
    """Frames that determine the ranges of activations."""
    score: Sequence["RGBDSample"]
    """Frames to measure the accuracy on; disjoint from `calibrate`."""

    @classmethod
    def draw(cls, samples: Sequence["RGBDSample"], images: int) -> "CalibrationFrames":
        """Draw `images` frames of each kind, alternating, evenly over the data.

        Raises:
            InputError: if there are fewer than two frames.
        """
        if len(samples) < 2:
            raise InputError(
                f"int8 needs at least 2 frames with a known focal length, got {len(samples)}"
            )
        count = min(2 * images, len(samples))
        drawn = [samples[n * len(samples) // count] for n in range(count)]
        return cls(drawn[::2], drawn[1::2])


@dataclasses.dataclass(frozen=True, slots=True)
class Int8Comparison:
    """int8 against float32 in one runtime, over the scored frames."""

    runtime: str
    """Name of the runtime."""
    frames: int
    """Number of scored frames."""
    float32: EngineScore
    """Score of the float32 encoder."""
    int8: EngineScore
    """Score of the int8 encoder."""

    def __str__(self) -> str:
        before, after = self.float32, self.int8
        change = after.abs_rel / before.abs_rel - 1
        speed = before.encode_s / after.encode_s
        return (
            f"int8 in {self.runtime}, {counted(self.frames, 'frame')}: "
            f"AbsRel {before.abs_rel:.4f} -> {after.abs_rel:.4f} ({100 * change:+.2f} %), encoder "
            f"{1e3 * before.encode_s:.1f} -> {1e3 * after.encode_s:.1f} ms "
            f"({speed:.2f}x as fast)"
        )


def quantise_encoder(folder: ExportFolder, calibration: CalibrationFrames) -> None:
    """Write every runtime's int8 encoder beside `encode.onnx`; the caller updates `export.json`.

    Raises:
        MissingExtraError: if ONNX or ONNX Runtime is not installed.
    """
    photos = [
        network_input(sample.image, working_plan(folder, sample))
        for sample in calibration.calibrate
    ]
    for runtime, name in ENCODE_INT8.items():
        quantise_graph(folder.graph(ENCODE), folder.path / name, photos, runtime)


def quantise_graph(source: Path, out: Path, images: Iterable[np.ndarray], runtime: str) -> None:
    """Quantise the matrix products of a graph with a single input, `image`.

    Args:
        source: graph in float32.
        out: file to write the int8 graph to.
        images: inputs that determine the ranges of activations.
        runtime: runtime the graph is for.

    Raises:
        MissingExtraError: if ONNX or ONNX Runtime is not installed.
    """
    require("onnx", "onnxruntime")
    import onnx

    import_onnxruntime()  # without telemetry
    from onnxruntime import quantization as q

    symmetric = runtime == "openvino"
    graph = onnx.load(source)
    widen_weights(graph)  # the quantiser ignores weights behind a cast

    class Photos(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._inputs = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._inputs, None)
            return None if image is None else {"image": image}

    with quiet_loggers(""):  # the quantiser sends advice to the root logger
        q.quantize_static(
            graph,
            str(out),
            Photos(),
            quant_format=q.QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            # CPUs without VNNI add pairs of products in 16 bits; 7-bit weights do not overflow.
            reduce_range=True,
            activation_type=q.QuantType.QInt8 if symmetric else q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            calibrate_method=q.CalibrationMethod.MinMax,
            extra_options={"MatMulConstBOnly": True, "ActivationSymmetric": symmetric},
        )


def score_int8(
    folder: ExportFolder, calibration: CalibrationFrames, threads: int | None = None
) -> list[Int8Comparison]:
    """Score both precisions in every installed runtime on `calibration.score`."""
    comparisons = []
    for runtime in installed_runtimes():
        float32, int8 = (
            score_engine(
                folder, open_engine(folder, runtime, precision, threads), calibration.score
            )
            for precision in ("float32", "int8")
        )
        comparisons.append(Int8Comparison(runtime, len(calibration.score), float32, int8))
    return comparisons
