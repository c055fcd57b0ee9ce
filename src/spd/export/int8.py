"""An encoder in 8 bits: calibrated on photos, and what it costs in accuracy.

The products of the transformer's blocks with their weights are quantised (ONNX Runtime's static
QDQ form, weights per channel); attention itself, the neck and the global path stay in float32, and
so does the query. OpenVINO runs the same file.
"""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spd.errors import ConfigError, InputError
from spd.export.half_weights import widen_weights
from spd.runtimes.engines import Engine, installed_runtimes, open_engine
from spd.runtimes.folder import ENCODE, ENCODE_INT8, ExportFolder
from spd.runtimes.predictor import RuntimeScene, network_input, plan_for

if TYPE_CHECKING:
    from spd.data.sample import RGBDSample

_POINTS = 2000  # readings asked of a frame


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
    abs_rel_float32: float
    """Mean absolute relative error of float32."""
    abs_rel_int8: float
    """The same of int8."""
    seconds_float32: float
    """Median time of the encoder per photo."""
    seconds_int8: float
    """The same of int8."""

    def __str__(self) -> str:
        change = self.abs_rel_int8 / self.abs_rel_float32 - 1
        speed = self.seconds_float32 / self.seconds_int8
        return (
            f"int8 in {self.runtime}, {self.frames} frames: AbsRel {self.abs_rel_float32:.4f} -> "
            f"{self.abs_rel_int8:.4f} ({100 * change:+.2f} %), encoder "
            f"{1e3 * self.seconds_float32:.1f} -> {1e3 * self.seconds_int8:.1f} ms "
            f"({speed:.2f}x as fast)"
        )


def quantise_encoder(folder: ExportFolder, calibration: Calibration) -> Path:
    """Write `encode.int8.onnx` beside `encode.onnx`; the folder's digests are the caller's.

    Raises:
        ConfigError: if ONNX Runtime is not installed.
    """
    out = folder.path / ENCODE_INT8
    photos = (_input(folder, sample) for sample in calibration.calibrate)
    quantise_graph(folder.graph(ENCODE), out, photos)
    return out


def quantise_graph(source: Path, out: Path, images: Iterable[np.ndarray]) -> None:
    """The same for any graph of one input, `image`, and so for networks that are compared.

    Raises:
        ConfigError: if ONNX Runtime is not installed.
    """
    check_quantiser()
    import onnx
    from onnxruntime import quantization as q

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
            activation_type=q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            calibrate_method=q.CalibrationMethod.MinMax,
            extra_options={"MatMulConstBOnly": True},
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
        scored = [
            score_engine(
                folder, open_engine(folder, runtime, precision, threads), calibration.score
            )
            for precision in ("float32", "int8")
        ]
        (error, seconds), (error_int8, seconds_int8) = scored
        frames = len(calibration.score)
        changes.append(Int8Change(runtime, frames, error, error_int8, seconds, seconds_int8))
    return changes


def score_engine(
    folder: ExportFolder, engine: Engine, samples: Sequence["RGBDSample"]
) -> tuple[float, float]:
    """Mean AbsRel over the photos, and the encoder's median seconds."""
    errors, times = [], []
    for sample in samples:
        image = _input(folder, sample)
        engine.encode(image)  # the first call of a size is slower
        start = time.perf_counter()
        maps = engine.encode(image)
        times.append(time.perf_counter() - start)
        plan = plan_for(folder, sample.image_size, _focal(sample))
        scene = RuntimeScene(engine, maps, sample.image_size, plan)
        points, truth_m = sample.reading_points(), sample.depth_m[sample.valid]
        step = max(1, len(points) // _POINTS)
        answers_m = scene.depth_at(points[::step])
        errors.append(float(np.mean(np.abs(answers_m - truth_m[::step]) / truth_m[::step])))
    return float(np.mean(errors)), float(np.median(times))


def _input(folder: ExportFolder, sample: "RGBDSample") -> np.ndarray:
    plan = plan_for(folder, sample.image_size, _focal(sample))
    return network_input(sample.image, plan)


def _focal(sample: "RGBDSample") -> float | None:
    return None if sample.intrinsics is None else sample.intrinsics.focal_px


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
