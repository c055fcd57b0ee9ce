"""Which questions wait for the device: only those that read a value back from it.

Torch's fake tensors have shapes and no values, so whatever reads one back is an error of theirs.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

import spd
from helpers.samples import random_maps
from spd.models.feature_maps import FeatureMaps


def asked(small_config, local_path="cross_attention", *, grad=False, **how) -> torch.Tensor:
    """Answers to 700 points, more than a chunk of them; maps and points have no values."""
    model = spd.SPD(small_config.model_copy(update={"local_path": local_path}))
    maps = random_maps(small_config.dim, (2, 3), batch=2, dtype=torch.float32)
    fake = FakeTensorMode(allow_non_fake_inputs=True)  # the weights have values
    grids = (fake.from_tensor(grid) for grid in (maps.stride_8_map, maps.l2, maps.l1))
    with fake, torch.set_grad_enabled(grad):
        points = torch.empty(2, 700, 2)
        return model.query(FeatureMaps(*grids, maps.image_size), points, **how)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("local_path", ["cross_attention", "conv", "bilinear_mlp"])
def test_nan_outside_reads_no_value_from_the_device(small_config, local_path, grad):
    assert asked(small_config, local_path, grad=grad, outside="nan").shape == (2, 700)


def test_raise_outside_reads_the_points_and_so_waits_for_the_device(small_config):
    with pytest.raises(DataDependentOutputException):
        asked(small_config)
