"""A damaged byte in a run's own files: never another run, model or log in silence."""

import json

import pytest

from helpers.hostile import refusal
from helpers.small_runs import CPU, small_recipe
from spd.checkpoints.folder import find_checkpoint
from spd.data.sources import open_samples
from spd.errors import TrainingError
from spd.train import Trainer
from spd.training.runs import Run


@pytest.fixture
def run(small_config, rgbd_folder, tmp_path):
    """A run of six steps, evaluated and saved at 3 and 6."""
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("data",))
    samples = open_samples([f"{rgbd_folder}:train"], metric_only=True)
    Trainer(run, CPU).fit(samples, open_samples([f"{rgbd_folder}:val"]))
    return run


def flips(path):
    """A file with one bit changed, at every third byte."""
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        for bit in (1, 2):
            changed = bytearray(whole)
            changed[place] ^= bit
            path.write_bytes(changed)
            yield place
    path.write_bytes(whole)


def test_a_flipped_bit_in_run_json_is_no_other_run(run):
    refused, found = 0, []
    for place in flips(run.folder / "run.json"):
        error = refusal(lambda: found.append(Run.open(run.folder)), f"byte {place}")
        refused += isinstance(error, TrainingError)
    assert refused > 300
    assert all(one == run for one in found)


def test_a_run_json_that_was_edited_or_has_no_checksum(run):
    path = run.folder / "run.json"
    about = json.loads(path.read_text())
    about["data"] = ["moved"]
    path.write_text(json.dumps(about))
    with pytest.raises(TrainingError, match=r"its checksum.*delete its entry sha256"):
        Run.open(run.folder)
    del about["sha256"]
    path.write_text(json.dumps(about))
    assert Run.open(run.folder).data == ("moved",)


def test_a_flipped_bit_in_best_json_is_no_other_model(run):
    best = find_checkpoint(run.folder)
    (run.folder / "best.json").unlink()
    run.clean()
    assert find_checkpoint(run.folder) == best
    refused, found = 0, []
    for place in flips(run.folder / "best.json"):
        error = refusal(lambda: found.append(find_checkpoint(run.folder)), f"byte {place}")
        refused += error is not None and str(error).endswith("best.json is damaged; delete it")
    assert refused > 25
    assert set(found) <= {best}
    (run.folder / "best.json").unlink()
    run.clean()
    assert find_checkpoint(run.folder) == best
