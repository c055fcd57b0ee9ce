"""The specification's optimiser and schedule, at the steps where it could be off by one."""

import math

import pytest
import torch

from spd.models.spd import SPD
from spd.recipes import SILOG_LAMBDA, TrainConfig, nyu_v15_2
from spd.training.objective import Objective
from spd.training.optim import make_optimizer, make_schedule


def rates_at(config: TrainConfig, steps: set[int]) -> dict[int, list[float]]:
    """The learning rates used by the given steps, counted from 0."""
    groups = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate}
        for rate in (config.encoder_lr, config.decoder_lr)
    ]
    optimizer = torch.optim.AdamW(groups)
    schedule = make_schedule(optimizer, config)
    found = {}
    for step in range(config.steps):
        if step in steps:
            found[step] = schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    found[config.steps] = schedule.get_last_lr()
    return found


def cosine(peak: float, step: int) -> float:
    """Torch's closed form, `step` steps after a warm-up of 500 of 3,000."""
    return 1e-6 + (peak - 1e-6) * (1 + math.cos(math.pi * step / 2500)) / 2


def test_schedule_at_steps_0_1_499_500_and_last():
    config = TrainConfig(steps=3000)
    rates = rates_at(config, {0, 1, 499, 500, 501, 2999})
    for group, peak in enumerate((5e-6, 1e-4)):
        got = {step: r[group] for step, r in rates.items()}
        assert got[0] == pytest.approx(0.01 * peak, rel=1e-9)
        assert got[1] == pytest.approx((0.01 + 0.99 / 500) * peak, rel=1e-9)
        assert got[499] == pytest.approx((0.01 + 0.99 * 499 / 500) * peak, rel=1e-9)
        assert got[500] == pytest.approx(peak, rel=1e-9)
        assert got[501] == pytest.approx(cosine(peak, 1), rel=1e-9)
        assert got[2999] == pytest.approx(
            cosine(peak, 2499), rel=1e-6
        )  # torch's cosine is recursive
        assert got[3000] == pytest.approx(1e-6, rel=1e-6)


def test_the_specifications_recipe_is_the_default():
    config = nyu_v15_2().train
    assert config.steps == 237_920 == 10 * 47_584 // config.batch_size
    assert (config.encoder_lr, config.decoder_lr, config.weight_decay) == (5e-6, 1e-4, 0.01)
    assert (config.warmup_steps, config.warmup_start, config.final_lr) == (500, 0.01, 1e-6)
    assert (config.batch_size, config.clip_norm, config.precision) == (2, 1.0, "bfloat16")
    assert (config.silog, config.objective) == ("specification", "dense")
    assert SILOG_LAMBDA == {"specification": 0.5, "bts": 0.85}


def test_parameter_groups_go_by_module(small_model: SPD):
    optimizer = make_optimizer(small_model, TrainConfig(steps=1000))
    encoder, decoder = (group["params"] for group in optimizer.param_groups)
    of_encoder = [p for p in small_model.encoder.parameters() if p.requires_grad]
    assert {id(p) for p in encoder} == {id(p) for p in of_encoder}
    trainable = sum(p.requires_grad for p in small_model.parameters())
    assert len(encoder) + len(decoder) == trainable
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.01]


@pytest.mark.parametrize("name", ["dense", "query"])
def test_each_objective_uses_its_own_readings(small_model: SPD, name):
    batch = {
        "image": torch.rand(2, 3, 42, 70),
        "depth_m": torch.full((2, 1, 42, 70), 2.5),
        "valid": torch.ones(2, 1, 42, 70, dtype=torch.bool),
        "points": torch.rand(2, 9, 2) * 40,
        "point_depth_m": torch.full((2, 9), 2.5),
        "point_valid": torch.ones(2, 9, dtype=torch.bool),
    }
    config = TrainConfig(objective=name, precision="float32")
    objective = Objective(small_model, config)
    loss, empty = objective(batch)
    assert empty == 0
    used, other = ("valid", "point_valid") if name == "dense" else ("point_valid", "valid")
    unchanged, _ = objective(batch | {other: ~batch[other]})
    assert torch.equal(unchanged, loss)
    nothing, empty = objective(batch | {used: ~batch[used]})
    assert empty == 2
    assert float(nothing.detach()) == 0.0
