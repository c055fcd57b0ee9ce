"""Order of the frames in training, and the size of their views."""

import dataclasses

import numpy as np
import pytest

from helpers.samples import slanted_sample
from spd.config import CameraConfig
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.loader import ViewStream, batches
from spd.data.sources import open_samples
from spd.data.view_order import Group, ViewOrder, groups_of
from spd.pixels import Intrinsics
from spd.recipes import TrainConfig

CAMERA = CameraConfig(focal_px=40.0, crop_height_px=28, crop_width_px=42)
SOURCES = TrainConfig(
    steps=12, warmup_steps=1, batch_size=2, points_per_image=9, views="sources", augment=False
)


@pytest.fixture
def two_lenses(tmp_path):
    """Five frames of the usual lens, three of one with two thirds of its focal length."""
    sample = slanted_sample()
    wide = Intrinsics.centred(sample.intrinsics.fx * 2 / 3, sample.image_size)
    for folder, count, camera in (("usual", 5, sample.intrinsics), ("wide", 3, wide)):
        entries = []
        for number in range(count):
            frame = dataclasses.replace(sample, name=f"{number}", intrinsics=camera)
            write_frame(frame, tmp_path / folder)
            entries.append(frame_entry(frame.name, frame.image_size, camera, "train"))
        write_index(entries, tmp_path / folder)
    return open_samples([f"{tmp_path}/usual", f"{tmp_path}/wide"])


def view_size(sample):
    """Multiples of 14 that fit into the frame at the training focal length."""
    scale = CAMERA.focal_px / sample.intrinsics.fx
    return tuple(max(28, int(side * scale) // 14 * 14) for side in sample.image_size)


def test_the_views_of_a_step_come_from_one_source_and_have_its_size(two_lenses):
    sizes = {"usual": view_size(two_lenses[0]), "wide": view_size(two_lenses[5])}
    assert sizes["usual"] != sizes["wide"]
    seen = []
    for batch in batches(ViewStream(two_lenses, CAMERA, SOURCES), 0):
        (source,) = {name.split("/")[0] for name in batch["names"]}
        assert tuple(batch["image"].shape[2:]) == sizes[source]
        seen.append(source)
    # An epoch is two steps of five frames in pairs, and one of three.
    assert [seen[n : n + 3].count("wide") for n in range(0, 12, 3)] == [1, 1, 1, 1]


def test_every_frame_is_used_and_a_resumed_run_continues_the_order(two_lenses):
    from_start = [batch["names"] for batch in batches(ViewStream(two_lenses, CAMERA, SOURCES), 0)]
    resumed = [batch["names"] for batch in batches(ViewStream(two_lenses, CAMERA, SOURCES), 5)]
    assert from_start[5:] == resumed
    assert {name for names in from_start for name in names} == set(two_lenses.names)
    assert all(len(set(names)) == 2 for names in from_start)


def test_a_source_smaller_than_a_step_is_taken_more_than_once():
    groups = [Group(range(1), CAMERA), Group(range(1, 9), CAMERA)]
    order = ViewOrder(groups, batch_size=4, seed=3)
    steps = [[order[4 * step + place][0] for place in range(4)] for step in range(30)]
    alone = [step for step in steps if 0 in step]
    assert alone == [[0, 0, 0, 0]] * 10
    assert sorted(np.concatenate([s for s in steps[:3] if 0 not in s])) == list(range(1, 9))


def test_by_default_all_frames_share_the_models_crop(two_lenses):
    config = SOURCES.model_copy(update={"views": "crop"})
    (group,) = groups_of(two_lenses, CAMERA, config)
    assert (list(group.frames), group.camera) == (list(range(8)), CAMERA)
