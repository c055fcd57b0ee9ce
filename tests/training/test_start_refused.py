"""`spd train` refuses what would spoil a run without a word, before anything is written."""

import dataclasses

import numpy as np
import pytest

from helpers.frames import miniature_frames
from helpers.small_runs import small_recipe
from helpers.write_general import write_image_folders, write_table
from helpers.write_nyu import write_h5
from spd.cli import run
from spd.config import ModelConfig
from spd.training.runs import Run

FRAMES = miniature_frames()


@pytest.fixture
def start(tmp_path, capsys):
    """Start training on a source; the one line it says, and that no run was made."""

    def refused(data: str, *more: str) -> str:
        out = tmp_path / "run"
        code = run(["train", "--recipe", "rooms_tiny", "--data", data, "--out", str(out), *more])
        said = capsys.readouterr().err
        assert code == 2
        assert said.count("\n") == 1
        assert not (out / "run.json").exists()
        return said

    return refused


def test_a_test_scene_in_the_training_data_is_refused(start, tmp_path):
    leak = dataclasses.replace(FRAMES[5], split="train")
    write_h5(tmp_path / "h5", [FRAMES[0], leak])
    assert "scenes outside NYU's training set (bathroom_0009)" in start(f"{tmp_path / 'h5'}:train")


def test_validation_data_in_the_training_data_are_refused(start, rgbd_folder):
    said = start(f"{rgbd_folder}:train", "--val", f"{rgbd_folder}:train")
    assert "3 training frame(s) are also test frames" in said


def test_millimetres_read_as_metres_are_refused(start, tmp_path):
    path = write_image_folders(tmp_path / "mine", FRAMES[:2])
    said = start(f"{path}:train,camera=nyu,unit=metre")
    assert "millimetres were read as metres; pass unit=millimetre" in said


def test_disparity(start, tmp_path):
    rows, columns = np.mgrid[:480, :640]
    disparity = (1000 + 4000 * (rows / 480 * 0.6 + columns / 640 * 0.1)).astype(np.uint16)
    path = write_table(tmp_path / "mine", [dataclasses.replace(FRAMES[0], depth_mm=disparity)])
    assert "values look like disparity" in start(str(path))


def test_a_source_without_a_focal_length_is_refused(start, tmp_path):
    path = write_image_folders(tmp_path / "mine", FRAMES[:2])
    assert "pass it, for example PATH,focal_px=518.9" in start(f"{path}:train")


def test_the_folder_of_a_running_training_is_refused(start, rgbd_folder, tmp_path):
    held = Run(tmp_path / "run", small_recipe(ModelConfig.tiny()), ("d",), (), False)
    with held.lock():
        assert "another process is training in" in start(f"{rgbd_folder}:train")
