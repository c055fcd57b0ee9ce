"""The service answers through the shipped export where torch is not installed."""

import subprocess
import sys

import pytest

from helpers.small_service import photo

pytest.importorskip("onnxruntime", reason="the shipped export needs ONNX Runtime")

PROGRAM = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None  # importing them raises ImportError
import spd
from spd.serve.app import create_app
from spd.serve.service import ServedModel
from starlette.testclient import TestClient

model = ServedModel(predictor=spd.load(), name="shipped", runtime="onnxruntime")
with TestClient(create_app(model)) as client:
    data = sys.stdin.buffer.read()
    kind = {"content-type": "image/png"}
    image = client.post("/v1/images?focal_px=60", content=data, headers=kind).json()["id"]
    path = f"/v1/images/{image}"
    answers = [
        client.post(f"{path}/points", json={"points": [[1, 2]], "xyz": True}),
        client.post(f"{path}/boxes", json={"boxes": [[1, 2, 9, 9]]}),
        client.get(f"{path}/depth.npy"),
        client.get(f"{path}/overlay.png"),
        client.get("/v1/model"),
    ]
    print([answer.status_code for answer in answers], answers[-1].json()["parameters"])
"""


def test_the_service_answers_without_torch():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=photo(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().startswith("[200, 200, 200, 200, 200] 2")
