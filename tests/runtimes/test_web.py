"""The exported graphs in onnxruntime-web, which is what a browser runs, under Node.

Needs Node and `npm install onnxruntime-web`, here or in the folder that ONNXRUNTIME_WEB names.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import exports
from helpers.paths import ROOT
from spd.runtimes.folder import FUSED, MAP_NAMES, QUERY

pytestmark = pytest.mark.slow  # `make test-slow` brings the web runtime
SCRIPT = Path(__file__).with_name("web_query.cjs")


@pytest.fixture
def web() -> Path:
    folder = Path(os.environ.get("ONNXRUNTIME_WEB", ROOT)) / "node_modules" / "onnxruntime-web"
    if shutil.which("node") is None or not folder.is_dir():
        pytest.skip("needs Node and onnxruntime-web: npm install onnxruntime-web")
    return folder


def test_query_and_fused_graphs_answer_the_same_metres_in_the_web_runtime(web, tmp_path):
    patches = (3, 5)
    request, expected = [], []

    def add(graph: str, answer: np.ndarray, **inputs: np.ndarray) -> None:
        number = len(request)
        named = {}
        for name, values in inputs.items():
            file = tmp_path / f"{number}-{name}.f32"
            file.write_bytes(np.ascontiguousarray(values, dtype="<f4").tobytes())
            named[name] = {"dims": values.shape, "file": str(file)}
        request.append({"graph": graph, "inputs": named, "out": str(tmp_path / f"{number}.out")})
        expected.append(answer)

    for batch in (1, 3):
        for count in (0, 1, 7, 4096):
            maps = exports.random_maps(batch, patches)
            points = exports.random_points(batch, count, patches)
            answer = exports.torch_answers(maps, points)
            add(QUERY, answer, **dict(zip(MAP_NAMES, maps, strict=True)), points=points)
    images, points = torch.rand(1, 3, 42, 70), exports.random_points(1, 30, patches)
    with torch.inference_mode():
        encoded = exports.model().encode(images)
        answer = exports.model().query(encoded, torch.from_numpy(points), outside="nan").numpy()
    add(FUSED, answer, image=images.numpy(), points=points)
    (tmp_path / "request.json").write_text(json.dumps(request))
    done = subprocess.run(
        ["node", SCRIPT, web, exports.exported(), tmp_path / "request.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for one, answer, said in zip(request, expected, done.stdout.splitlines(), strict=True):
        assert said == f"{one['graph']} {json.dumps(list(answer.shape), separators=(',', ':'))}"
        got = np.frombuffer(Path(one["out"]).read_bytes(), dtype="<f4").reshape(answer.shape)
        np.testing.assert_allclose(got, answer, **exports.CLOSE)
