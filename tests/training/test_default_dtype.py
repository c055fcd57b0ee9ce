"""Training does not depend on torch's default dtype, which other libraries of a program may set."""

import numpy as np
import pytest
import torch

from helpers import exports
from helpers.small_runs import CPU, default_dtype, last_weights, losses, same_weights, small_recipe
from spd.benchmark.steps import _training_step
from spd.checkpoints.checkpoint import write_model
from spd.data.sources import open_samples
from spd.errors import TrainingError
from spd.export.graphs import encode_graph, query_graph
from spd.export.onnx_folder import random_question
from spd.models.spd import SPD
from spd.peers.processing import _DepthPro
from spd.train import Trainer
from spd.training.memory import estimate_memory
from spd.training.results import StepResult
from spd.training.runs import Run

OTHERS = [torch.bfloat16, torch.float16, torch.float64]


@pytest.fixture
def samples(rgbd_folder):
    return open_samples([f"{rgbd_folder}:train"], metric_only=True)


def trained(folder, samples, model, **changes) -> Run:
    run = Run.create(folder, small_recipe(model, **changes), ("data",))
    Trainer(run, CPU).fit(samples, samples)
    return run


@pytest.mark.parametrize("dtype", OTHERS)
def test_a_run_is_the_same_for_every_default_dtype(dtype, small_config, samples, tmp_path):
    changes = {"objective": "mix", "ema_decay": 0.9, "steps": 3, "beside": ["bilinear_mlp"]}
    expected = trained(tmp_path / "expected", samples, small_config, **changes)
    with default_dtype(dtype):
        run = trained(tmp_path / "run", samples, small_config, **changes)
        resumed = Trainer(Run.open(run.folder), CPU)
        resumed.restore()
        assert torch.get_default_dtype() == dtype
    assert losses(run) == losses(expected)
    assert run.best_abs_rel() == expected.best_abs_rel()
    assert same_weights(last_weights(run), last_weights(expected))
    assert {p.dtype for p in resumed.objective.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", OTHERS)
def test_a_loss_beyond_half_precision_is_finite(dtype, small_config, tmp_path):
    trainer = Trainer(Run.create(tmp_path / "run", small_recipe(small_config), ("data",)), CPU)
    with default_dtype(dtype):
        trainer._check_finite(StepResult(70_000.0, 1e30, 0, False), [])
        with pytest.raises(TrainingError, match=r"the loss \(inf\)"):
            trainer._check_finite(StepResult(float("inf"), 1.0, 0, False), [])


@pytest.mark.parametrize("dtype", OTHERS)
def test_models_graphs_and_counts_are_the_same_for_every_default_dtype(
    dtype, small_config, tmp_path
):
    def found():
        torch.manual_seed(0)
        model = SPD(small_config)
        size = (28, 42)
        processing = _DepthPro({"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229] * 3})
        return {
            "weights": [value.numpy() for value in model.state_dict().values()],
            "memory": estimate_memory(small_recipe(small_config, objective="mix"), 2),
            "question": [value.numpy() for value in random_question(size)],
            "processing": processing.prepare(
                np.full((30, 40, 3), 77, np.uint8)
            ).pixel_values.numpy(),
        }

    expected = found()
    with default_dtype(dtype):
        got = found()
    for name, value in expected.items():
        np.testing.assert_equal(got[name], value, err_msg=name)
    assert {array.dtype for array in got["question"]} == {np.dtype("float32")}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", OTHERS)
def test_exports_and_benchmarks_work_for_every_default_dtype(dtype, tmp_path):
    model = exports.model()
    (tmp_path / "model").mkdir()
    write_model(model, tmp_path / "model", {})
    expected = query_graph(model).SerializeToString()
    torch.manual_seed(0)
    loss = _training_step(tmp_path / "model", (42, 42), "cpu")()
    with default_dtype(dtype):
        torch.manual_seed(0)
        assert _training_step(tmp_path / "model", (42, 42), "cpu")() == loss
        assert query_graph(model).SerializeToString() == expected
        encode_graph(model, (42, 42))
