"""Evaluations whose every number is known, written as `spd evaluate` writes them."""

from pathlib import Path

import numpy as np
from PIL import Image

from helpers.fakes import FakePredictor, make_sample
from spd.evaluate import PICTURE, evaluate, score_all
from spd.evaluation.folder import PredictionFolder

HOSTILE = "<script>alert(1)</script>\"'&"
"""A name that would be markup if it were not escaped."""


class SharperPredictor(FakePredictor):
    """Half as far off as `FakePredictor`: 5 % sparse and 10 % dense, times one plus the index."""

    def encode(self, image, *, focal_px):
        scene = super().encode(image, focal_px=focal_px)
        scene.sparse, scene.dense = 1 + (scene.sparse - 1) / 2, 1 + (scene.dense - 1) / 2
        return scene


def write_evaluation(
    folder: Path, predictor=None, *, samples=None, protocols=(), picture=False, **how
) -> Path:
    """Three rooms at 10, 20 and 50 % (sparse), 20, 40 and 100 % (dense) too far; 120 readings."""
    samples = [make_sample(n) for n in (0, 1, 4)] if samples is None else samples
    evaluate(predictor or FakePredictor("runs/fake"), samples, folder, data="rooms:test", **how)
    if protocols:
        score_all(folder, protocols)
    if picture:  # as drawn where the data could be opened
        noise = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / PICTURE)
        (folder / "photos").mkdir()
        for sample in samples:
            Image.fromarray(noise[::-1]).save(PredictionFolder(folder).photo_path(sample.name))
    return folder
