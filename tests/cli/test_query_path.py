"""One `spd query` of the shipped model: each depth, hash and file once, through few calls."""

import collections
import hashlib
import re
import traceback
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spd
from spd.cli import run
from spd.cli.query import query_photo
from spd.models.kernel import ask as kernel_ask
from spd.models.kernel.build import compiler
from spd.runtimes import folder as export_folder
from spd.scenes.scene import PhotoScene

pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')

PACKAGE = Path(spd.__file__).parent
SIZE = (48, 64)
QUESTIONS = {
    "points": (["--points", "3,4", "50,40"], 2),
    "grid": (["--grid", "8x6"], 48),
    "box": (["--box", "4,4,20,30", "2,2,9,9"], 16 * 26 + 7 * 7),
    "distance": (["--distance", "3,4", "50,40", "1,1", "1,2"], 4),
    # Samples at most a pixel apart, with both ends, and the vertex between them.
    "line": (["--line", "3,4", "13,4", "13,14"], 21 + 1),
}


@pytest.fixture
def photo(tmp_path) -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


@pytest.fixture
def asked_of_scene(monkeypatch) -> list[int]:
    """Numbers of points of each call of a scene."""
    counts = []
    depth_at = PhotoScene.depth_at

    def counted(self, points, **options):
        counts.append(len(points))
        return depth_at(self, points, **options)

    monkeypatch.setattr(PhotoScene, "depth_at", counted)
    return counts


@pytest.mark.parametrize(("words", "count"), QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("camera", [["--focal-px", "52"], []], ids=["focal", "no focal"])
def test_each_depth_is_computed_once(photo, asked_of_scene, words, count, camera):
    if "--distance" in words and not camera:
        pytest.skip("a distance needs the focal length")
    assert run(["query", photo, *words, *camera]) == 0
    assert asked_of_scene == [count]


@pytest.mark.skipif(compiler() is None, reason="this machine has no C compiler")
def test_the_kernel_is_called_once_by_at_most_seven_functions_in_six_files(photo, monkeypatch):
    stacks = []
    ask = kernel_ask.ask

    def traced(*arguments):
        frames = traceback.extract_stack()[:-1]  # without this function
        stacks.append([f for f in frames if PACKAGE in Path(f.filename).parents])
        return ask(*arguments)

    monkeypatch.setattr("spd.runtimes.kernel_engine.ask", traced)
    for words, _ in QUESTIONS.values():
        stacks.clear()
        assert run(["query", photo, *words, "--focal-px", "52"]) == 0
        (stack,) = stacks
        functions = [(Path(frame.filename), frame.name) for frame in stack]
        functions.append((PACKAGE / "models" / "kernel" / "ask.py", "ask"))
        assert len(functions) <= 7, functions
        assert len({file for file, _ in functions}) <= 6, functions
        path = [name for file, name in functions if name not in ("run", "query")]
        path.insert(-1, "query")  # of the engine, not of the command
        shown = re.findall(r"^ {8}(\w+) {2,}(\S+)", query_photo.__doc__, re.M)
        assert [name for name, _ in shown] == [*path, "spd_query"], "query_photo shows the path"


def test_each_file_is_hashed_at_most_once_and_the_export_is_read_once(photo, monkeypatch):
    hashed, read = collections.Counter(), []
    digest, parse = hashlib.file_digest, export_folder.ExportFolder.read

    def counted(file, name):
        hashed[file.name] += 1
        return digest(file, name)

    def counted_read(source):
        read.append(source)
        return parse(source)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    monkeypatch.setattr(export_folder.ExportFolder, "read", counted_read)
    assert run(["query", photo, "--points", "3,4", "--focal-px", "52"]) == 0
    assert set(hashed.values()) == {1}
    assert len(hashed) == 4  # the weights, and three files of the export
    assert len(read) == 1


def test_the_model_is_found_once(photo, monkeypatch):
    found = []
    find = spd.predictors.model_options.find_checkpoint

    def counted(source):
        found.append(source)
        return find(source)

    monkeypatch.setattr("spd.predictors.model_options.find_checkpoint", counted)
    monkeypatch.setattr("spd.checkpoints.folder.find_checkpoint", counted)
    assert run(["query", photo, "--points", "3,4", "--focal-px", "52"]) == 0
    assert found == [None]
