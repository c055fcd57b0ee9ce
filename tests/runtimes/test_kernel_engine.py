"""Exports whose questions the compiled kernel answers: the same metres, and what is refused."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from helpers import exports
from spd.checkpoints.folder import shipped_folder
from spd.errors import CheckpointError
from spd.export.onnx_folder import write_about
from spd.models.kernel.ask import ask
from spd.models.kernel.build import compiler, weight_count
from spd.predictors.loading import load
from spd.runtimes.engines import open_engine
from spd.runtimes.folder import QUERY_WEIGHTS, ExportFolder
from spd.runtimes.kernel_engine import KernelEngine, with_kernel

needs_compiler = pytest.mark.skipif(compiler() is None, reason="this machine has no C compiler")


@pytest.fixture(params=["onnxruntime", "openvino"])
def graphs(request):
    pytest.importorskip(request.param, reason='pip install "spd[export]"')
    return open_engine(shipped(), request.param, "float32", 1)


def shipped() -> ExportFolder:
    return ExportFolder.read(shipped_folder() / "onnx")


def maps(batch: int, patches: tuple[int, int]) -> tuple[np.ndarray, ...]:
    h, w = patches
    rng = np.random.default_rng(0)
    return tuple(
        rng.standard_normal((batch, n * h, n * w, 64)).astype(np.float32) for n in (2, 2, 4)
    )


@needs_compiler
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_it_gives_the_metres_of_the_graph_and_nan_outside(graphs, batch, count):
    fast = with_kernel(graphs, shipped(), 2)
    assert isinstance(fast, KernelEngine)
    given, points = maps(batch, (3, 5)), exports.random_points(batch, count, (3, 5))
    got, expected = fast.query(given, points), graphs.query(given, points)
    assert (got.shape, got.dtype) == ((batch, count), np.float32)
    np.testing.assert_allclose(got, expected, **exports.CLOSE)
    assert np.isnan(got).any() == (count >= 7)


@needs_compiler
def test_the_predictor_of_an_export_asks_it_and_answers_as_torch_does():
    pytest.importorskip("onnxruntime", reason='pip install "spd[export]"')
    photo = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    points = [(0.0, 0.0), (100.5, 60.25), (159.0, 119.0)]
    answers = [
        load("shipped", runtime="torch").encode(photo, focal_px=130.0).depth_at(points),
        load("shipped", runtime="onnxruntime").encode(photo, focal_px=130.0).depth_at(points),
    ]
    np.testing.assert_allclose(*answers, rtol=1e-5)
    predictor = load("shipped", runtime="onnxruntime")
    assert isinstance(predictor._engine, KernelEngine)


def changed(folder, weights: bytes) -> ExportFolder:
    """The shipped export with other weights for the kernel, digests and all."""
    shutil.copytree(shipped_folder() / "onnx", folder)
    (folder / QUERY_WEIGHTS).write_bytes(weights)
    about = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    write_about(folder, {key: about[key] for key in about if key != "files"})
    return ExportFolder.read(folder)


def test_an_export_without_its_weights_keeps_its_graph(graphs):
    old = {name: digest for name, digest in shipped().digests.items() if name != QUERY_WEIGHTS}
    assert with_kernel(graphs, dataclasses.replace(shipped(), digests=old)) is graphs


def test_weights_that_are_not_what_was_written_are_refused(graphs, tmp_path):
    folder = tmp_path / "truncated"
    shutil.copytree(shipped_folder() / "onnx", folder)
    (folder / QUERY_WEIGHTS).write_bytes(b"\0" * 8)
    with pytest.raises(CheckpointError, match="truncated or modified"):
        with_kernel(graphs, ExportFolder.read(folder))


@needs_compiler
def test_weights_of_another_count_never_reach_the_kernel(graphs, tmp_path):
    with pytest.raises(CheckpointError, match="contains 2 numbers, expected"):
        with_kernel(graphs, changed(tmp_path / "export", b"\0" * 8))
    shape = (("DIM", 64), ("HEADS", 4), ("FFN", 256), ("HEAD_WIDTH", 128), ("WINDOW", 5))
    with pytest.raises(ValueError, match=f"expected {weight_count(shape)} weights"):
        ask(shape, np.zeros(3, np.float32), maps(1, (2, 2)), (28, 28), np.zeros((1, 1, 2)), 1)


@needs_compiler
def test_torch_packs_as_many_weights_as_the_kernel_reads():
    model = load("shipped", runtime="torch")._model
    packed = model.local_path.packed()
    assert packed.shape == (weight_count(model.local_path.shape),)
    written = np.fromfile(shipped().graph(QUERY_WEIGHTS), dtype="<f4")
    assert torch.equal(packed, torch.from_numpy(written))
