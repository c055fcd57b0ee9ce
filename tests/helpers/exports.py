"""One exported model for all tests that ask one: writing it takes the exporter half a minute."""

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import torch

from spd.config import EncoderConfig, ModelConfig
from spd.export import graphs, onnx_folder
from spd.export.int8 import quantise_graph
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.runtimes import RuntimePredictor, open_export
from spd.runtimes.folder import ENCODE, ENCODE_INT8, EXPORT, ExportFolder

SIZE = (42, 70)  # the one that the baked export takes
# Differences are those of float32 sums in another order; OpenVINO's softplus is right to 2e-6 m.
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5, "equal_nan": True}


@functools.cache
def model() -> SPD:
    """A small model whose answers differ from point to point."""
    tiny = ModelConfig.tiny()
    encoder = EncoderConfig(
        hidden_size=22, layers=4, heads=2, taps=(0, 1, 2, 3), position_size_px=42
    )
    camera = tiny.camera.model_copy(update={"crop_height_px": 42, "crop_width_px": 70})
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = SPD(ModelConfig(encoder=encoder, dim=12, heads=4, head_width=17, camera=camera))
        with torch.no_grad():
            for parameter in made.local_path.parameters():
                parameter.mul_(1.5).add_(0.05 * torch.randn_like(parameter))
    return made.eval()


@functools.cache
def graph(size: tuple[int, int] | None, name: str) -> Any:
    """A graph of that model; the query's is the same for every size."""
    # While it is traced, sizes are symbols, which the checks of the tests take for no integers.
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        if name == "encode":
            return graphs.encode_graph(model(), size)
        return graphs.query_graph(model())
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


def use_made_graphs(monkeypatch: Any) -> None:
    """Let exports of this model take the graphs that are made already."""
    monkeypatch.setattr(onnx_folder, "encode_graph", lambda _, size: graph(size, "encode"))
    monkeypatch.setattr(onnx_folder, "query_graph", lambda _: graph(None, "query"))


@functools.cache
def exported(size: tuple[int, int] | None = None) -> Path:
    """The folder of an export; do not change it, copy it."""
    import pytest

    pytest.importorskip("onnx", reason='pip install "spd[export]"')
    pytest.importorskip("onnxscript", reason='pip install "spd[export]"')
    folder = Path(tempfile.mkdtemp(prefix="spd-export-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_made_graphs(monkeypatch)
        onnx_folder.write_export(
            model(), folder / "export", source="test", weights_sha256="0", size=size
        )
    return folder / "export"


def write_int8(path: Path, photos: list[np.ndarray]) -> ExportFolder:
    """A copy of that export with int8 encoders, whose ranges are those of the photos."""
    shutil.copytree(exported(), path)
    for runtime, name in ENCODE_INT8.items():
        quantise_graph(path / ENCODE, path / name, photos, runtime)
    about = json.loads((path / EXPORT).read_text(encoding="utf-8"))
    onnx_folder.write_about(path, {key: about[key] for key in about if key != "files"})
    return ExportFolder.read(path)


@functools.cache
def opened(runtime: str, size: tuple[int, int] | None = None) -> RuntimePredictor:
    """The predictor of that export; OpenVINO takes a second to make one."""
    return open_export(exported(size), runtime, threads=1)


def random_maps(batch: int, patches: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """Maps as `query.onnx` takes them, of an image of h x w patches."""
    generator = np.random.default_rng(seed)
    h, w = patches
    shapes = [(batch, n * h, n * w, model().config.dim) for n in (2, 2, 4)]
    return [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]


def random_points(batch: int, count: int, patches: tuple[int, int]) -> np.ndarray:
    """Points of such an image: inside, on borders and corners, outside, and not finite."""
    height, width = (14 * n for n in patches)
    generator = np.random.default_rng(count)
    points = generator.random((batch, count, 2), dtype=np.float32) * np.float32([width, height])
    special = np.array(
        [[-0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5], [width - 0.5, 3],
         [np.nan, 3], [width - 0.4, 3], [5, -0.6]],
        dtype=np.float32,
    )  # fmt: skip
    points -= np.float32(0.5)
    points[:, : len(special)] = special[:count]
    return points


def torch_answers(maps: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    """What the model itself says."""
    size = (maps[2].shape[1] * 14 // 4, maps[2].shape[2] * 14 // 4)
    s8, l2, l1 = (torch.from_numpy(m).permute(0, 3, 1, 2) for m in maps)
    with torch.inference_mode():
        answers = model().query(
            FeatureMaps(s8, l2, l1, size), torch.from_numpy(points), outside="nan"
        )
    return answers.numpy()


def noise(height: int, width: int) -> np.ndarray:
    """A photo."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
