"""`spd.pipeline`: the form of transformers' depth-estimation pipeline, with metres in it."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.pipelines.depth_estimation import DepthEstimationPipeline

import spd
from helpers import exports
from helpers.checkpoints import save_checkpoint
from spd.errors import CheckpointError, InputError
from spd.photos.focal import Focal
from spd.predictors.pipeline import DepthPipeline
from spd.scenes.calibration import Calibration
from spd.scenes.scene import PhotoScene


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(exports.model(), tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(exports.noise(45, 80)).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def test_the_form_is_that_of_transformers_and_the_numbers_are_metres(folder, photo):
    found = spd.pipeline(folder, device="cpu")(photo, focal_px=52.0)
    assert set(found) == {"predicted_depth", "depth"}
    depth_m = found["predicted_depth"]
    assert (depth_m.shape, depth_m.dtype) == ((45, 80), torch.float32)
    scene = spd.load(folder, device="cpu").encode(photo, focal_px=52.0)
    np.testing.assert_array_equal(depth_m.numpy(), scene.depth_map(fast=True))


def test_transformers_own_pipeline_still_has_that_form():
    # What the page says of it; were it to change, this module has to follow.
    made = DepthEstimationPipeline.__new__(DepthEstimationPipeline)

    class Processor:
        def post_process_depth_estimation(self, outputs, sizes):
            return [{"predicted_depth": torch.tensor([[1.0, 2.0], [3.0, 5.0]])}]

    made.image_processor = Processor()
    found = made.postprocess({"target_size": (2, 2)})
    assert set(found) == {"predicted_depth", "depth"}
    assert np.asarray(found["depth"]).tolist() == [[0, 63], [127, 255]]  # 8 bits, stretched


def test_the_picture_has_16_bits_of_millimetres(folder, photo, tmp_path):
    found = spd.pipeline(folder, device="cpu")(photo, focal_px=52.0)
    assert (found["depth"].mode, found["depth"].size) == ("I;16", (80, 45))
    expected = np.rint(found["predicted_depth"].double().numpy() * 1000)
    found["depth"].save(tmp_path / "depth.png")
    with Image.open(tmp_path / "depth.png") as stored:
        np.testing.assert_array_equal(np.asarray(stored), expected)


def test_a_list_gives_a_list_and_every_kind_of_photo_is_taken(folder, photo):
    estimate = spd.pipeline(folder, device="cpu")
    one = estimate(photo, fov_deg=60.0)
    with Image.open(photo) as opened:
        several = estimate([photo, opened, exports.noise(45, 80)], fov_deg=60.0)
    assert len(several) == 3
    for found in several:
        assert torch.equal(found["predicted_depth"], one["predicted_depth"])
    assert estimate([]) == []


def test_what_load_takes_the_pipeline_takes(folder, photo):
    found = Calibration(2.0, 3, 0.01, 0.02, focal_known=True, model="m")
    plain, doubled = (
        spd.pipeline(folder, device="cpu", calibration=given)(photo, focal_px=52.0)
        for given in (None, found)
    )
    assert torch.equal(doubled["predicted_depth"], 2 * plain["predicted_depth"])
    with pytest.raises(CheckpointError, match="contains no model"):
        spd.pipeline(str(photo).rsplit("/", 1)[0])


class Flat(PhotoScene):
    """Two depths."""

    depths = (1.0, 80.0)

    def depth_map(self, *, fast=False):
        return np.array([self.depths], np.float32)

    def _ask(self, points):
        raise NotImplementedError


@dataclasses.dataclass
class FlatPredictor:
    kind: str = "metric"
    source: str = "flat"

    def encode(self, image):
        return Flat((1, 2), Focal.centred(5.0, "given", (1, 2)))


def test_what_16_bits_cannot_hold_is_refused_and_never_clipped():
    with pytest.raises(InputError, match="from 1 to 80 m do not fit 16 bits at 1000 steps per"):
        DepthPipeline(FlatPredictor())(None)
    far = DepthPipeline(FlatPredictor(), steps_per_metre=256)(None)
    assert np.asarray(far["depth"]).tolist() == [[256, 80 * 256]]
    with pytest.raises(InputError, match="must be a positive number, got 0"):
        DepthPipeline(FlatPredictor(), steps_per_metre=0)(None)


def test_no_reading_is_0_in_the_picture_and_itself_in_the_tensor(monkeypatch):
    monkeypatch.setattr(Flat, "depths", (float("nan"), -1.0, 2.0))
    found = DepthPipeline(FlatPredictor())(None)
    assert np.asarray(found["depth"]).tolist() == [[0, 0, 2000]]
    assert torch.isnan(found["predicted_depth"][0, 0])


def test_a_model_without_metres_is_refused():
    with pytest.raises(InputError, match="has no scale, so it cannot give"):
        DepthPipeline(FlatPredictor(kind="relative-disparity"))
