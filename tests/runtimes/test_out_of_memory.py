"""Too little memory: parts become smaller, or one error says what does not fit; nothing is guessed.

Real shortage too, in a process whose address space is limited: OpenVINO's plain call then answers
what it answered before, and says nothing.
"""

import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers import exports
from helpers.samples import random_maps
from spd.cli import run
from spd.memory import OutOfMemoryError, in_parts, memory_for
from spd.predictors.torch_predictor import Predictor
from spd.runtimes.blocks import ask_in_blocks
from spd.runtimes.engines import open_engine
from spd.runtimes.export_predictor import RuntimePredictor
from spd.runtimes.folder import ExportFolder

CPU = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."

# Small photos at the focal length of a large camera cover a few degrees, of which is warned.
pytestmark = pytest.mark.filterwarnings("ignore:the photo covers")


class Short:
    """Fails while more than so many points are asked together, or always."""

    def __init__(self, answer, most: int, error: Exception) -> None:
        self.answer, self.most, self.error = answer, most, error
        self.asked: list[int] = []

    def __call__(self, first, points, *more):
        self.asked.append(points.shape[1])
        if points.shape[1] > self.most:
            raise self.error
        return self.answer(first, points, *more)


def test_parts_are_halved_for_good_and_what_was_answered_is_kept():
    asked = []

    def ask(part: slice) -> list[int]:
        asked.append((part.start, part.stop))
        if part.start >= 8 and part.stop - part.start > 2:
            raise OutOfMemoryError("full")
        return list(range(20))[part]

    assert [n for part in in_parts(ask, 20, 8) for n in part] == list(range(20))
    assert asked[:6] == [(0, 8), (8, 16), (8, 12), (8, 10), (10, 12), (12, 14)]
    assert in_parts(lambda part: part, 0, 8) == [slice(0, 0)]


def test_a_single_one_that_does_not_fit_is_the_end():
    sizes = []

    def ask(part: slice) -> None:
        sizes.append(part.stop - part.start)
        raise OutOfMemoryError("full")

    with pytest.raises(OutOfMemoryError, match="full"):
        in_parts(ask, 5, 1024)
    assert sizes[-1] == 1
    assert len(sizes) <= 12


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(CPU),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB)"),
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[CPU] Select node with name 'n10_9' can't alloc"),
        Exception("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer"),
    ],
)
def test_whatever_a_library_calls_it_is_one_error_and_others_pass(error):
    with (
        pytest.raises(
            OutOfMemoryError, match="a map needs more memory than is available; free some"
        ),
        memory_for("a map", "free some"),
    ):
        raise error
    with pytest.raises(RuntimeError, match="another"), memory_for("a map", "free some"):
        raise RuntimeError("another reason")


@pytest.mark.parametrize("error", [RuntimeError(CPU), torch.OutOfMemoryError("CUDA out of memory")])
def test_torch_queries_go_on_in_smaller_chunks_with_the_same_answers(
    small_model, monkeypatch, error
):
    model = small_model.double()
    maps = random_maps(model.config.dim, (3, 5))
    points = torch.rand(1, 3000, 2, dtype=torch.float64) * 40
    expected = model.query(maps, points)
    gradient = torch.autograd.grad(expected.sum(), model.local_path.stage1.v_proj.weight)[0]
    short = Short(model.local_path.query, 300, error)
    monkeypatch.setattr(model.local_path, "query", short)
    got = model.query(maps, points)
    assert short.asked[:3] == [512, 256, 256]
    assert (got - expected).abs().max() <= 1e-12
    again = torch.autograd.grad(got.sum(), model.local_path.stage1.v_proj.weight)[0]
    assert (again - gradient).abs().max() <= 1e-10
    short.most = 0
    with pytest.raises(
        OutOfMemoryError, match="querying a point needs more memory than is available"
    ):
        model.query(maps, points)
    short.error = RuntimeError("no shortage but a mistake")
    with pytest.raises(RuntimeError, match="a mistake"):
        model.query(maps, points)


@pytest.mark.slow
def test_runtimes_continue_in_smaller_chunks_with_the_same_answers(monkeypatch):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    engine = open_engine(ExportFolder.read(exports.exported()), "onnxruntime", "float32", 1)
    maps = engine.encode(np.zeros((1, 3, 42, 70), np.float32))
    points = np.random.default_rng(0).random((1, 3000, 2)).astype(np.float32) * 41
    expected = engine.query(maps, points)
    short = Short(ask_in_blocks, 300, OutOfMemoryError("full"))
    monkeypatch.setattr("spd.runtimes.engines.ask_in_blocks", short)
    np.testing.assert_allclose(engine.query(maps, points), expected, rtol=1e-6)
    assert short.asked[:6] == [3000, 1500, 750, 375, 187, 187]
    short.most = 0
    with pytest.raises(OutOfMemoryError, match="full"):
        engine.query(maps, points)


def always(error: Exception):
    def fail(*_, **__):
        raise error

    return fail


def test_what_cannot_be_cut_names_its_size_and_what_to_do(monkeypatch):
    predictor = Predictor(exports.model(), torch.device("cpu"), "test")
    scene = predictor.encode(exports.noise(42, 70), focal_px=52.0)
    with monkeypatch.context() as patch:
        patch.setattr(predictor._model, "dense", always(RuntimeError(CPU)))
        with pytest.raises(OutOfMemoryError, match=r"the 42x70 depth map needs more .*fast=False"):
            scene.depth_map(fast=True)
    monkeypatch.setattr(predictor._model, "encode", always(RuntimeError(CPU)))
    pattern = (
        r"encoding 1 image\(s\) of \d+x\d+ on cpu needs more memory than is available; .* crop"
    )
    with pytest.raises(OutOfMemoryError, match=pattern) as caught:
        predictor.encode(exports.noise(42, 70), focal_px=52.0)
    assert "\n" not in str(caught.value)


def test_the_command_says_it_in_one_line(tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    from PIL import Image

    Image.fromarray(exports.noise(48, 64)).save(tmp_path / "photo.png")
    full = OutOfMemoryError("encoding 1 image(s) of 42x70 needs more memory than is available; ...")
    monkeypatch.setattr(RuntimePredictor, "encode_many", always(full))
    words = ["query", str(tmp_path / "photo.png"), "--points", "3,4", "--focal-px", "52"]
    assert run([*words, "-m", str(exports.exported())]) == 2
    assert capsys.readouterr().err == f"spd: {full}\n"


SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
from spd.memory import OutOfMemoryError
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import ExportFolder

engine = open_engine(ExportFolder.read(sys.argv[1]), sys.argv[2], "float32", 1)
maps = engine.encode(np.zeros((1, 3, 42, 70), np.float32))
before = engine.query(maps, np.full((1, 5, 2), 3, np.float32))
# A block holds the cells of so many points of each image: 0.23 GB of them are too much for 0.1.
many = tuple(np.repeat(feature_map, 1000, axis=0) for feature_map in maps)
points = np.random.default_rng(0).random((1000, 128, 2), np.float32) * 41
images = np.zeros((2, 3, 1400, 1400), np.float32)
before_limit = resource.getrlimit(resource.RLIMIT_AS)
pages = int(open("/proc/self/statm").read().split()[0])
room = pages * resource.getpagesize() + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (room, before_limit[1]))
answers = []
for ask in (lambda: engine.query(many, points), lambda: engine.encode(images)):
    try:
        answers.append(ask())  # in smaller parts, if what the runtime still holds leaves room
    except OutOfMemoryError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_AS, before_limit)
assert np.array_equal(before, engine.query(maps, np.full((1, 5, 2), 3, np.float32)))
for answer in answers:
    np.testing.assert_allclose(answer, engine.query(many, points), rtol=1e-5)
    print("the same answer")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_real_shortage_in_a_runtime_is_an_error_and_afterwards_it_answers(runtime):
    pytest.importorskip(runtime, reason='pip install "spd[export]"')
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, str(exports.exported()), runtime],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [
        line.partition(" needs more memory than is available; ")[0]
        for line in done.stdout.splitlines()
    ]
    refused = "encoding 2 image(s) of 1400x1400"
    assert said in (
        [refused, "the same answer"],
        ["querying 1 point(s)", refused],
        ["querying 128 point(s)", refused],  # each of them fits, their answers together do not
    )
