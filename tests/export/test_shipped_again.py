"""The shipped export can be written again by the command that the documentation names."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spd.checkpoints.folder import shipped_folder
from spd.predictors.model_options import EXPORT_FOLDER
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import ENCODE, QUERY, ExportFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def again(tmp_path_factory) -> ExportFolder:
    """In a process of its own: the checks of shapes in this one cannot be traced."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason='pip install "spd[export]"')
    out = tmp_path_factory.mktemp("again") / "onnx"
    command = [sys.executable, "-m", "spd", "export", "onnx", "shipped", "-o", str(out)]
    subprocess.run([*command, "--no-fused"], check=True, capture_output=True, timeout=900)
    return ExportFolder.read(out)


@pytest.fixture(scope="module")
def shipped() -> ExportFolder:
    return ExportFolder.read(shipped_folder() / EXPORT_FOLDER)


def weights(path: Path) -> dict[str, np.ndarray]:
    import onnx

    return {
        weight.name: onnx.numpy_helper.to_array(weight)
        for weight in onnx.load(path).graph.initializer
    }


@pytest.mark.parametrize("name", [ENCODE, QUERY])
def test_exporting_again_gives_the_shipped_graphs(again, shipped, name):
    onnx = pytest.importorskip("onnx", reason='pip install "spd[export]"')
    ours, theirs = again.graph(name), shipped.graph(name)
    assert again.weights_sha256 == shipped.weights_sha256
    if onnx.load(ours).producer_version == onnx.load(theirs).producer_version:
        assert ours.read_bytes() == theirs.read_bytes()
        return
    # Another torch may arrange the graph otherwise, of the same weights.
    large = [
        sorted(values.tobytes() for values in weights(path).values() if values.size >= 64)
        for path in (ours, theirs)
    ]
    assert large[0] == large[1]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_exporting_again_gives_the_shipped_answers(again, shipped, runtime):
    pytest.importorskip(runtime, reason='pip install "spd[export]"')
    generator = np.random.default_rng(0)
    images = generator.random((2, 3, 70, 98)).astype(np.float32)
    points = generator.random((2, 40, 2)).astype(np.float32) * np.float32([97, 69])
    answers = []
    for folder in (again, shipped):
        engine = open_engine(folder, runtime, "float32", 1)
        answers.append(engine.query(engine.encode(images), points))
    assert answers[0].std() > 0
    # The same numbers in the same order, unless another torch arranged the graph.
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5, atol=1e-5)
