"""Metres do not depend on torch's default dtype, which other libraries of a program may set."""

import numpy as np
import pytest
import torch

from helpers import exports, tiny_peers
from helpers.checkpoints import save_checkpoint
from helpers.small_runs import default_dtype
from spd.predictors.loading import load

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
POINTS = [(0, 0), (79.5, 59.5), (40.3, 20.7), (11, 12)]


def answers(predictor):
    scene = predictor.encode(PHOTO, focal_px=80)
    return [scene.depth_at(POINTS), scene.depth_map(fast=True)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", ["spd", "peer"])
def test_metres_are_the_same_for_every_default_dtype(dtype, kind, tmp_path):
    if kind == "spd":
        save_checkpoint(exports.model(), tmp_path / "model", {})
    else:
        tiny_peers.write_peer(tmp_path / "model", *tiny_peers.metric_depth_anything())
    loaded_before = load(tmp_path / "model", device="cpu", runtime="torch")
    expected = answers(loaded_before)
    with default_dtype(dtype):
        for predictor in (loaded_before, load(tmp_path / "model", device="cpu", runtime="torch")):
            for got, wanted in zip(answers(predictor), expected, strict=True):
                assert got.dtype == np.float32
                assert got.tolist() == wanted.tolist()
