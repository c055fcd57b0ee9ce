"""The same answers on an accelerator, where there is one."""

import pytest
import torch

from helpers.samples import random_maps
from spd.checkpoints.checkpoint import default_device
from spd.errors import ConfigError
from spd.predictors.devices import choose_device


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_an_accelerator_answers_what_the_cpu_answers(small_model, name):
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here[name]:
        pytest.skip(f"this machine has no {name}")
    maps = random_maps(small_model.config.dim, (3, 5), dtype=torch.float32)
    points = torch.rand(1, 50, 2) * 40
    image = torch.rand(1, 3, 42, 70)
    with torch.no_grad():
        asked, full = small_model.query(maps, points), small_model(image)
        there = small_model.to(name)
        # Convolutions and matrix products sum in another order, TF32 included.
        assert (there.query(maps.to(name), points.to(name)).cpu() - asked).abs().max() < 5e-3
        assert (there(image.to(name)).cpu() - full).abs().max() < 5e-3


def test_the_device_is_chosen_or_named():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device(None) == default_device()
    with pytest.raises(ConfigError, match="no device 'abacus'"):
        choose_device("abacus")
