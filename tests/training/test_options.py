"""What a recipe can ask of the loop beside the specification's: each against its definition."""

import itertools

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from helpers.small_runs import (
    CPU,
    float64,
    gradients_of,
    last_weights,
    losses,
    same_weights,
    small_recipe,
)
from spd.checkpoints.checkpoint import stored_weights
from spd.config import ModelConfig
from spd.data.loader import ViewStream, batches
from spd.data.sources import open_samples
from spd.errors import ConfigError, StoppedError
from spd.losses import silog
from spd.models.spd import SPD
from spd.recipes import TrainConfig, override
from spd.train import Trainer
from spd.training.objective import Objective
from spd.training.runs import Run


@pytest.fixture
def samples(rgbd_folder):
    return open_samples([f"{rgbd_folder}:train"], metric_only=True)


def new_run(tmp_path, config, name="run", **changes) -> Run:
    return Run.create(tmp_path / name, small_recipe(config, **changes), ("d",))


def batch(points: int = 9) -> dict[str, torch.Tensor]:
    return {
        "image": torch.rand(2, 3, 42, 70),
        "depth_m": torch.rand(2, 1, 42, 70) + 1,
        "valid": torch.rand(2, 1, 42, 70) > 0.3,
        "points": torch.rand(2, points, 2) * 40,
        "point_depth_m": torch.rand(2, points) + 1,
        "point_valid": torch.ones(2, points, dtype=torch.bool),
    }


@pytest.mark.parametrize("weight", [0.25, 0.5])
def test_the_mixed_objective_is_the_weighted_sum_of_both(small_model, weight):
    given = batch()

    def loss(objective: str) -> float:
        config = TrainConfig(objective=objective, dense_weight=weight, precision="float32")
        return float(Objective(small_model, config)(given)[0].detach())

    expected = weight * loss("dense") + (1 - weight) * loss("query")
    assert loss("mix") == pytest.approx(expected, rel=1e-6)


def test_the_mixed_objective_encodes_once(small_model, monkeypatch):
    calls = []
    encode = SPD.encode
    monkeypatch.setattr(SPD, "encode", lambda self, x: calls.append(1) or encode(self, x))
    Objective(small_model, TrainConfig(objective="mix", precision="float32"))(batch())
    assert calls == [1]


def test_beside_paths_add_their_losses(small_model):
    given = batch()
    config = TrainConfig(
        objective="query",
        precision="float32",
        beside=("conv", "bilinear_mlp"),
        beside_points=4,
        silog="bts",
    )
    objective = Objective(small_model, config)
    maps = small_model.encode(given["image"])
    truth_m = given["point_depth_m"]
    expected = silog(small_model.query(maps, given["points"]), truth_m, truth_m > 0, 0.85)[0]
    for path in objective.beside:
        few_m = path.query(maps, given["points"][:, :4])
        expected = expected + silog(few_m, truth_m[:, :4], truth_m[:, :4] > 0, 0.85)[0]
    found = objective(given)[0]
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-6)
    found.backward()
    assert all(p.grad is not None for p in objective.beside.parameters())


def test_beside_paths_learn_resume_exactly_and_stay_out_of_the_model(
    small_config, samples, tmp_path
):
    options = {"beside": ("conv",), "beside_points": 4}
    whole = Trainer(new_run(tmp_path, small_config, "whole", **options), CPU)
    before = [p.detach().clone() for p in whole.beside.parameters()]
    whole.fit(samples)
    learnt = zip(before, whole.beside.parameters(), strict=True)
    assert not any(torch.equal(one, other) for one, other in learnt)
    run = new_run(tmp_path, small_config, "parts", **options)
    first = Trainer(run, CPU)
    stream = ViewStream(samples, small_config.camera, run.recipe.train)
    for part in itertools.islice(batches(stream, 0), 3):
        first.train_step([part], stop=False)
    first.save()
    second = Trainer(run, CPU)
    second.restore()
    second.fit(samples)
    for one, other in zip(whole.beside.parameters(), second.beside.parameters(), strict=True):
        assert torch.equal(one, other)
    assert same_weights(last_weights(whole.run), last_weights(run))
    assert last_weights(run).keys() == stored_weights(SPD(small_config)).keys()


def test_the_average_of_the_weights_is_saved(small_config, samples, tmp_path):
    run = new_run(tmp_path, small_config, ema_decay=0.75, steps=4)
    trainer = Trainer(run, CPU)
    history = []
    trainer.optimizer.register_step_post_hook(
        lambda *_: history.append({n: p.detach().clone() for n, p in named(trainer).items()})
    )
    trainer.fit(samples)
    expected = history[0]
    for weights in history[1:]:
        expected = {n: 0.75 * expected[n] + 0.25 * weights[n] for n in weights}
    saved = last_weights(run)
    for name, value in expected.items():
        assert torch.allclose(saved[name], value, rtol=1e-6, atol=1e-7), name
    assert not torch.equal(
        saved["local_path.head.2.weight"], history[-1]["local_path.head.2.weight"]
    )


def named(trainer: Trainer) -> dict[str, torch.nn.Parameter]:
    return dict(trainer.model.named_parameters())


def test_an_averaged_run_resumes_exactly(small_config, samples, tmp_path):
    whole = new_run(tmp_path, small_config, "whole", ema_decay=0.9)
    Trainer(whole, CPU).fit(samples)
    cut = new_run(tmp_path, small_config, "cut", ema_decay=0.9)
    first = Trainer(cut, CPU)
    original = first.train_step

    def step(parts, stop):
        return original(parts, first.step == 3)

    first.train_step = step
    with pytest.raises(StoppedError, match="stopped after step 4 of 6"):
        first.fit(samples)
    again = Trainer(Run.open(cut.folder), CPU)
    again.restore()
    again.fit(samples)
    assert losses(cut) == losses(whole)
    assert same_weights(last_weights(cut), last_weights(whole))


def test_a_frozen_encoder_is_unchanged_and_the_rest_learns(small_config, samples, tmp_path):
    trainer = Trainer(new_run(tmp_path, small_config, encoder_frozen=True), CPU)
    before = {n: p.detach().clone() for n, p in named(trainer).items()}
    trainer.fit(samples)
    for name, value in named(trainer).items():
        unchanged = torch.equal(value, before[name])
        assert unchanged == name.startswith("encoder."), name


def test_recomputing_the_encoder_gives_the_same_gradients(small_config, samples, tmp_path):
    found = []
    for again in (False, True):
        with float64():
            run = new_run(tmp_path, small_config, f"{again}", checkpoint_encoder=again, steps=3)
            trainer = Trainer(run, CPU)
            found.append(gradients_of(trainer, named(trainer)))
            trainer.fit(samples)
    for one, other in zip(*found, strict=True):
        assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-12


def test_float16_skips_a_step_that_overflows(small_config, samples, tmp_path):
    run = new_run(tmp_path, small_config, precision="float16", steps=3)
    trainer = Trainer(run, CPU)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    before = {n: p.detach().clone() for n, p in named(trainer).items()}
    trainer.fit(samples)
    assert trainer.scaler.get_scale() == 2.0**117
    assert all(torch.equal(p, before[n]) for n, p in named(trainer).items())
    assert run.restore(trainer.model)["scaler"]["scale"] == 2.0**117


def test_float16_trains(small_config, samples, tmp_path):
    run = new_run(tmp_path, small_config, precision="float16")
    reference = new_run(tmp_path, small_config, "float32")
    Trainer(run, CPU).fit(samples)
    Trainer(reference, CPU).fit(samples)
    # Half precision keeps three digits.
    assert losses(run) == pytest.approx(losses(reference), rel=0.02)


def test_tensorboard_has_the_numbers_of_the_log(small_config, rgbd_folder, samples, tmp_path):
    run = new_run(tmp_path, small_config, tracker="tensorboard")
    Trainer(run, CPU).fit(samples, open_samples([f"{rgbd_folder}:val"]))
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    shown = {event.step: event.value for event in events.Scalars("loss")}
    assert shown == pytest.approx({n + 1: loss for n, loss in enumerate(losses(run))}, rel=1e-6)
    assert {event.step for event in events.Scalars("val_abs_rel")} == {3, 6}


def test_a_tracker_that_is_not_installed_is_refused_at_once(small_config, tmp_path):
    with pytest.raises(
        ConfigError, match=r"pip install trackio, or set train\.tracker=tensorboard"
    ):
        Trainer(new_run(tmp_path, small_config, tracker="trackio"), CPU)


def test_override_changes_keys_by_name(small_config):
    changed = override(
        small_recipe(small_config),
        ["train.objective=mix", "train.ema_decay=0.999", "train.tracker=wandb"],
    ).train
    assert (changed.objective, changed.ema_decay, changed.tracker) == ("mix", 0.999, "wandb")
    for wrong in ("train.ema_decay=1", "train.tracker=paper", "train.dense_weight=0"):
        with pytest.raises(ConfigError, match=wrong.split("=")[0].split(".")[1]):
            override(small_recipe(small_config), [wrong])


def test_override_takes_any_configuration():
    assert override(ModelConfig(), ["encoder.taps=[1,3,5,7]", "dim=32"]).encoder.taps[0] == 1


def test_override_explains_how_to_write_a_list(small_config):
    with pytest.raises(ConfigError, match=r"train\.beside is a list, got 'conv'") as refused:
        override(small_recipe(small_config), ["train.beside=conv"])
    example = str(refused.value).partition(" quoted for the shell: ")[2]
    assert example == """'train.beside=["..."]'"""
