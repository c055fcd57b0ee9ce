"""docs/serving.md: its commands and its Python run, its tables match the program."""

import inspect
import re
import shlex
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.paths import DOCS
from helpers.small_service import small_app, small_service
from spd.cli.serve import serve
from spd.serve.config import ServeConfig

TEXT = (DOCS / "serving.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


@pytest.fixture(scope="module")
def address():
    """The address of a service started with the page's command, at a free port."""
    (command,) = (line for line in TEXT.splitlines() if line.startswith("spd serve"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = shlex.split(command.replace("8000", port))
    with subprocess.Popen(
        [sys.executable, "-m", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert f" at http://127.0.0.1:{port} " in process.stderr.readline()
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save("photo.jpg")
    Image.fromarray(noise[..., 0] > 127).save("person.png")
    return tmp_path


def test_the_commands_run(address, folder):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    script = blocks("bash")[1].replace(ADDRESS, address)
    done = subprocess.run(
        ["bash", "-eu", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "error" not in done.stdout
    for answer in ("depth_m", "median_m", "length_m", "distance_m", '"width":160'):
        assert answer in done.stdout
    assert done.stdout.count('"median_m"') == 3  # of a box, a mask and a line
    assert np.load("depth.npy").shape == (120, 160)
    with Image.open("depth.png") as depth, Image.open("overlay.png") as overlay:
        assert depth.size == (160, 120)
        assert overlay.width > 900


def test_the_python_runs(address, folder, capsys):
    (code,) = blocks("python")
    exec(compile(code.replace(ADDRESS, address), "serving.md", "exec"), {})
    said = capsys.readouterr().out
    assert said.count("[") == 4


def test_the_limits_are_those_of_the_command():
    table = TEXT.split("## Limits")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `--([\w-]+)` \| ([\d.]+) \|", table, re.M))
    defaults = {
        name.replace("_", "-"): f"{parameter.default:g}".replace("1e+06", "1000000")
        for name, parameter in inspect.signature(serve).parameters.items()
        if name.startswith(("max_", "keep_", "timeout"))
    }
    assert rows == defaults
    config = ServeConfig()
    for said in (
        f"{config.max_requests} admitted requests at a time",
        f"{config.max_encodes_waiting} photos waiting",
        f"{config.max_buffered_bytes // 10**6} MB of bodies",
        f"{config.head_seconds:g} s for a client to begin",
        f"{config.answer_seconds:g} s for a client to receive a response",
        f"{config.grace_seconds:g} s for running requests",
    ):
        assert said in TEXT.replace("\n", " "), said


def test_the_operations_are_those_of_the_service():
    table = TEXT.split("## Operations")[1].split("\n## ")[0]
    said = set(re.findall(r"^\| `(\w+ /[\w/{}.]*)`", table, re.M))
    described = small_app().openapi()["paths"]
    there = {
        f"{method.upper()} {path.replace('image_id', 'id')}"
        for path, methods in described.items()
        for method in methods
    }
    assert said - there == {"GET /metrics", "GET /docs"}
    assert there <= said


def test_every_status_of_the_description_is_on_the_page():
    said = set(re.findall(r"^\| (\d{3}) \|", TEXT, re.M))
    paths = small_app().openapi()["paths"].values()
    there = {
        status
        for methods in paths
        for operation in methods.values()
        for status in operation["responses"]
        if int(status) >= 400
    }
    assert said == there


def test_every_metric_is_on_the_page():
    with small_service() as client:
        names = re.findall(r"^# TYPE (\w+) ", client.get("/metrics").text, re.M)
    table = TEXT.split("## Metrics")[1].split("\n## ")[0]
    said = set(re.findall(r"`(spd_\w+)`", table))
    assert said == {name for name in names if not name.endswith("_created")}
