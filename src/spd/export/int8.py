"""An encoder in 8 bits: calibrated on photos, and what it costs in accuracy.

The products of the transformer's blocks with their weights are quantised (ONNX Runtime's static
QDQ form, weights per channel); attention itself, the neck and the global path stay in floating
point, and so does the query.

Each runtime has a file of its own. ONNX Runtime multiplies unsigned activations about a zero point;
signed ones about zero took it a sixth longer. OpenVINO subtracts a zero point in a pass of its own
before each product, and a third of its time goes if there is none.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spd.errors import ConfigError, InputError
from spd.export.half_weights import widen_weights
from spd.export.scoring import EngineScore, score_engine, working_plan
from spd.runtimes.engines import installed_runtimes, open_engine
from spd.runtimes.export_predictor import network_input
from spd.runtimes.folder import ENCODE, ENCODE_INT8, ExportFolder

if TYPE_CHECKING:
    from spd.data.sample import RGBDSample


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """Photos to choose ranges by, and others to score by."""

    calibrate: Sequence["RGBDSample"]
    """What the ranges of activations are taken from."""
    score: Sequence["RGBDSample"]
    """What the accuracy is measured on; none of them is in the other."""

    @classmethod
    def draw(cls, samples: Sequence["RGBDSample"], images: int) -> "Calibration":
        """`images` of each, taken in turns from all over the data.

        Raises:
            InputError: if there are fewer than two samples.
        """
        if len(samples) < 2:
            raise InputError(
                f"int8 needs at least 2 frames with a known focal length, got {len(samples)}"
            )
        count = min(2 * images, len(samples))
        drawn = [samples[n * len(samples) // count] for n in range(count)]
        return cls(drawn[::2], drawn[1::2])


@dataclasses.dataclass(frozen=True, slots=True)
class Int8Change:
    """int8 against float32 in one runtime, over the scored photos."""

    runtime: str
    """What computed both."""
    frames: int
    """How many photos were scored."""
    float32: EngineScore
    """Of the encoder as it was trained."""
    int8: EngineScore
    """Of the encoder in 8 bits."""

    def __str__(self) -> str:
        before, after = self.float32, self.int8
        change = after.abs_rel / before.abs_rel - 1
        speed = before.encode_s / after.encode_s
        return (
            f"int8 in {self.runtime}, {self.frames} frames: AbsRel {before.abs_rel:.4f} -> "
            f"{after.abs_rel:.4f} ({100 * change:+.2f} %), encoder "
            f"{1e3 * before.encode_s:.1f} -> {1e3 * after.encode_s:.1f} ms "
            f"({speed:.2f}x as fast)"
        )


def quantise_encoder(folder: ExportFolder, calibration: Calibration) -> None:
    """Write every runtime's int8 encoder beside `encode.onnx`; the digests are the caller's.

    Raises:
        ConfigError: if ONNX Runtime is not installed.
    """
    photos = [
        network_input(sample.image, working_plan(folder, sample))
        for sample in calibration.calibrate
    ]
    for runtime, name in ENCODE_INT8.items():
        quantise_graph(folder.graph(ENCODE), folder.path / name, photos, runtime)


def quantise_graph(source: Path, out: Path, images: Iterable[np.ndarray], runtime: str) -> None:
    """The same for any graph of one input, `image`, and so for networks that are compared.

    Args:
        source: in float32.
        out: where to write it in 8 bits.
        images: what the ranges of activations are taken from.
        runtime: which one it is for.

    Raises:
        ConfigError: if ONNX Runtime is not installed.
    """
    check_quantiser()
    import onnx
    from onnxruntime import quantization as q

    symmetric = runtime == "openvino"
    graph = onnx.load(source)
    widen_weights(graph)  # the quantiser passes over a weight that an operation makes

    class Photos(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._inputs = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self._inputs, None)
            return None if image is None else {"image": image}

    with _quiet():
        q.quantize_static(
            graph,
            str(out),
            Photos(),
            quant_format=q.QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            # CPUs without VNNI add pairs of products in 16 bits; 7-bit weights cannot overflow.
            reduce_range=True,
            activation_type=q.QuantType.QInt8 if symmetric else q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            calibrate_method=q.CalibrationMethod.MinMax,
            extra_options={"MatMulConstBOnly": True, "ActivationSymmetric": symmetric},
        )


def check_quantiser() -> None:
    """Refuse int8 where ONNX Runtime, which quantises, is missing.

    Raises:
        ConfigError: naming the extra to install.
    """
    if "onnxruntime" not in installed_runtimes():
        raise ConfigError('onnxruntime is not installed; pip install "spd[export]"')


def score_int8(
    folder: ExportFolder, calibration: Calibration, threads: int | None = None
) -> list[Int8Change]:
    """Both precisions of every installed runtime on the photos that were kept for it."""
    changes = []
    for runtime in installed_runtimes():
        float32, int8 = (
            score_engine(
                folder, open_engine(folder, runtime, precision, threads), calibration.score
            )
            for precision in ("float32", "int8")
        )
        changes.append(Int8Change(runtime, len(calibration.score), float32, int8))
    return changes


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice, which goes to the root logger."""
    root: Any = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
