"""A head's scores: real frames are scored as the held-out rooms are, near their edges too."""

import json

import pytest
import torch

from research.experiment.config import ExperimentConfig
from research.experiment.heads import Head, _save
from research.experiment.names import VARIANTS
from research.experiment.scores import SCORES, baselines_of, numbers_of, score_head
from research.experiment.variants import build_head
from spd.data.make_rooms import HELD_OUT_SEED, make_rooms
from spd.evaluation.baselines import ConstantDepth
from spd.models.spd import SPD

CONSTANT = ConstantDepth(2.0, "the median of the rooms", True)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    for number, name in enumerate(("held_out", "edges", "frames")):
        make_rooms(
            folder / name, 0, validation=1, seed=HELD_OUT_SEED + number, size=(48, 64), points=0,
            workers=1,
        )  # fmt: skip
    return folder


def scored(name, small_config, rooms, folder) -> Head:
    """A head of random weights, scored on the rooms and on further data called frames."""
    camera = small_config.camera.model_copy(
        update={"focal_px": 518.8579 / 640 * 56, "crop_height_px": 42, "crop_width_px": 56}
    )
    torch.manual_seed(0)
    trunk = SPD(small_config.model_copy(update={"camera": camera})).eval().requires_grad_(False)
    head = Head(VARIANTS[name], 0, folder / "head")
    config = trunk.config.model_copy(update={"local_path": head.variant.local_path})
    _save(head, build_head(head.variant, config, 0), {})
    extra = [f"{rooms / 'frames'}:val"]
    score_head(head, trunk, rooms, ExperimentConfig(held_out_points=100), CONSTANT, extra)
    return head


@pytest.mark.parametrize(("name", "mode"), [("v15.2", "sparse"), ("v15.1", "dense")])
def test_further_data_has_edges_gap_and_boundaries(small_config, rooms, tmp_path, name, mode):
    head = scored(name, small_config, rooms, tmp_path)
    stored = json.loads((head.folder / SCORES).read_text())["extra_0"]
    assert stored["boundaries"]["images"] == 1
    assert stored["boundaries"][mode] is not None
    numbers = numbers_of(head)
    assert numbers["AbsRel 0-1 px extra_0"] == stored["near_edges"][0]["sparse_abs_rel"]
    assert numbers["delta1 >8 px extra_0"] == stored["near_edges"][-1]["sparse_delta1"]
    assert numbers["gap, mean (m) extra_0"] == stored["gap"]["mean_m"]
    assert numbers["gap, mean (share) extra_0"] == stored["gap"]["mean_rel"]
    for measure in ("si_f1", "dbe_tum_accuracy_px"):
        assert numbers[f"{measure} extra_0"] == stored["boundaries"][mode][measure]
    # Whatever is said of the rooms is said of the frames, but for what only rooms have columns of.
    of_rooms = {number for number in numbers if "extra_" not in number}
    of_frames = {number.removesuffix(" extra_0") for number in numbers if "extra_0" in number}
    assert of_rooms - of_frames == {"RMSE (m)", "AbsRel dense"}


def test_scores_from_before_are_read_as_far_as_they_go(small_config, rooms, tmp_path):
    head = scored("bilinear", small_config, rooms, tmp_path)
    stored = json.loads((head.folder / SCORES).read_text())
    before = numbers_of(head)
    stored["extra_0"]["boundaries"] = None
    for of in stored.values():
        for band in of["near_edges"]:
            for key in [key for key in band if key.startswith(("constant", "image_median"))]:
                del band[key]
    (head.folder / SCORES).write_text(json.dumps(stored))
    numbers = numbers_of(head)
    lost = {number for number in before if number not in numbers}
    assert lost
    assert all(number.startswith(("si_", "r1_", "r2_", "r3_", "dbe_")) for number in lost)
    assert all(number.endswith(" extra_0") for number in lost)
    for baselines in baselines_of(head).values():
        assert all("bands" not in baseline for baseline in baselines.values())


def test_baselines_near_edges_are_those_of_the_scores(small_config, rooms, tmp_path):
    head = scored("bilinear", small_config, rooms, tmp_path)
    stored = json.loads((head.folder / SCORES).read_text())
    nearest, *_, farthest = stored["extra_0"]["near_edges"]
    nearest |= {"constant_abs_rel": 0.5, "constant_delta1": 0.25}
    farthest |= {"constant_abs_rel": None, "constant_delta1": None}  # no pixel lies there
    (head.folder / SCORES).write_text(json.dumps(stored))
    baseline = baselines_of(head)["extra_0"]["constant"]
    assert baseline["abs_rel"] == stored["extra_0"]["floors"]["constant"]["abs_rel"]
    assert baseline["bands"]["AbsRel 0-1 px"] == 0.5
    assert baseline["bands"]["delta1 0-1 px"] == 0.25
    assert "AbsRel >8 px" not in baseline["bands"]
