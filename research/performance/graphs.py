"""Export, quantise and open the measured networks in ONNX Runtime and OpenVINO."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from research.performance.subjects import EncoderAlone, Peer, Setup
from spd.data.sample import RGBDSample
from spd.errors import ConfigError
from spd.export.graphs import OPSET, quiet_exporter
from spd.export.int8 import CalibrationFrames, quantise_graph
from spd.export.onnx_folder import write_export
from spd.pixels import Intrinsics
from spd.runtimes.engines import (
    check_bfloat16,
    installed_runtimes,
    openvino_core,
    openvino_hint,
)
from spd.runtimes.folder import ENCODE_INT8
from spd.runtimes.onnx_runtime import import_onnxruntime, session_options

_PHOTOS = 2  # of noise; the time of an int8 product does not depend on its ranges
EXPORT = "spd"
"""Folder of the exported SPD beside the graphs of other networks."""


@dataclasses.dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime and its precision."""

    name: str
    """`torch`, `onnxruntime` or `openvino`."""
    precision: str = "float32"
    """Precision of SPD's encoder, or of a whole dense network."""

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"


def runtimes_here() -> tuple[list[Runtime], dict[str, str]]:
    """The runtimes and precisions available here, and why the others are not."""
    found, missing = [Runtime("torch")], dict[str, str]()
    installed: list[str] = list(installed_runtimes())
    for name in ("onnxruntime", "openvino"):
        if name not in installed:
            missing[name] = 'not installed (pip install "spd[export]")'
            continue
        found.append(Runtime(name))
        if name == "openvino":
            try:
                check_bfloat16(openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
                found.append(Runtime(name, "bfloat16"))
            except ConfigError:
                missing["openvino bfloat16"] = "this CPU has no bfloat16 instructions"
        if "onnxruntime" in installed:  # which quantises
            found.append(Runtime(name, "int8"))
    return found, missing


def export_spd(setup: Setup, folder: Path) -> Path:
    """Export SPD for one size, with an int8 encoder; returns the folder."""
    setup.enter()
    photos = [_photo(setup, number) for number in range(_PHOTOS)]
    exported = write_export(
        setup.model(),
        folder / EXPORT,
        source="benchmark",
        weights_sha256="0",
        size=setup.size,
        calibration=CalibrationFrames(photos, []),
    )
    return exported.path


def export_network(setup: Setup, network: str, folder: Path) -> None:
    """Export the peer or the encoder alone in float32, and in int8 for each runtime."""
    setup.enter()
    module: nn.Module
    if network == "peer":
        module = Peer(setup.config, attention="eager")
    else:
        model = setup.model()
        model.encoder.backbone.set_attn_implementation("eager")
        module = EncoderAlone(model)
    path = graph_path(folder, network, Runtime("onnxruntime"))
    with quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            (setup.image(),),
            dynamo=True,
            input_names=["image"],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    path.write_bytes(program.model_proto.SerializeToString())
    images = [setup.image().numpy() for _ in range(_PHOTOS)]
    for runtime in ENCODE_INT8:
        quantised = graph_path(folder, network, Runtime(runtime, "int8"))
        quantise_graph(path, quantised, images, runtime)


def graph_path(folder: Path, network: str, runtime: Runtime) -> Path:
    """Path of a graph of `export_network`; bfloat16 is computed from the one in float32."""
    suffix = f".int8.{runtime.name}" if runtime.precision == "int8" else ""
    return folder / f"{network}{suffix}.onnx"


def open_graph(path: Path, runtime: Runtime, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Load a graph with one input; the returned function gives its first output."""
    if runtime.name == "openvino":
        core = openvino_core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": openvino_hint(runtime.precision, capabilities),
            "INFERENCE_NUM_THREADS": threads,
        }
        compiled = core.compile_model(str(path), "CPU", settings)
        return lambda image: compiled([image], share_inputs=True)[0]
    ort = import_onnxruntime()
    options = session_options(ort, threads)
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image})[0]


def _photo(setup: Setup, seed: int) -> RGBDSample:
    """A photo of noise that the model sees at scale one."""
    image = np.random.default_rng(seed).integers(0, 256, (*setup.size, 3), dtype=np.uint8)
    depth_m = np.ones(setup.size, dtype=np.float32)
    camera = Intrinsics.centred(setup.config.camera.focal_px, setup.size)
    return RGBDSample(image, depth_m, depth_m > 0, camera, f"noise {seed}")
