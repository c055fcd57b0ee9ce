"""A resumed run refuses other data than it has used, and takes the same data from elsewhere."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.samples import slanted_sample, write_rgbd_folder
from helpers.small_runs import last_weights, losses, same_weights
from spd.cli import run as spd_run
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.sources import open_samples
from spd.train import Trainer
from spd.training.runs import Run
from spd.training.seen import seen_frames

SMALL = [
    "model.encoder.hidden_size=22", "model.encoder.heads=2", "model.dim=12",
    "model.head_width=17", "model.camera.crop_height_px=42", "model.camera.crop_width_px=70",
    "train.steps=6", "train.warmup_steps=1", "train.batch_size=2", "train.points_per_image=16",
    "train.save_every=2", "train.evaluate_every=2", "train.tracker=none",
]  # fmt: skip


class KilledError(Exception):
    """The run ends here, as if it were killed."""


class Runs:
    """Starts, stops and resumes runs of the small recipe."""

    def __init__(self, folder: Path, monkeypatch, capsys) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        monkeypatch.setattr("spd.figures.training_curve", lambda *args, **about: None)

    def start(self, *data: str, stop_at: int | None = 3, more=(), val=()) -> int | None:
        """Train, and die before the step after `stop_at`."""
        words = ["train", "--recipe", "rooms_tiny", "--data", *data, "--out", str(self.folder)]
        words += ["--val", *val] if val else []
        words += ["--device", "cpu", "--set", *SMALL, *more]
        if stop_at is None:
            return spd_run(words)
        original = Trainer.train_step

        def step(trainer, parts, stop):
            if trainer.step == stop_at:
                raise KilledError
            return original(trainer, parts, stop)

        with self.monkeypatch.context() as patched:
            patched.setattr(Trainer, "train_step", step)
            with pytest.raises(KilledError):
                spd_run(words)
        self.capsys.readouterr()
        return None

    def resume(self, *words: str) -> tuple[int, str, str]:
        code = spd_run(["train", "--resume", str(self.folder), "--device", "cpu", *words])
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def refused(self, *words: str) -> str:
        before = (self.folder / "data.json").read_bytes()
        code, _, said = self.resume(*words)
        assert code == 2
        assert said.count("\n") == 1
        assert f"--set train.start_from={self.folder}" in said
        assert (self.folder / "data.json").read_bytes() == before
        return said


@pytest.fixture
def runs(tmp_path, monkeypatch, capsys) -> Runs:
    return Runs(tmp_path / "run", monkeypatch, capsys)


def repaint(path: Path, *, keep_times: bool = True) -> None:
    """Change one byte in the middle of a file; its size stays, and the time of its content."""
    times = os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    if keep_times:
        os.utime(path, ns=times)


def exchange(path: Path) -> None:
    """Replace the image of a slanted sample by another photo."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def drop(folder: Path, name: str) -> None:
    """Remove a frame from the index of an RGB-D folder."""
    entries = json.loads((folder / "frames.json").read_text())
    write_index([entry for entry in entries if entry["image"] != name], folder)


@pytest.mark.slow
def test_unchanged_data_resume_and_are_not_read_again(runs, rgbd_folder, monkeypatch):
    runs.start(f"{rgbd_folder}:train", val=[f"{rgbd_folder}:val"])
    read: list[str] = []
    monkeypatch.setattr("spd.data.record.file_sha256", lambda path: read.append(path))
    code, said, _ = runs.resume()
    assert code == 0
    assert "note:" not in said.replace("note: there are only", "")
    assert read == []


def test_a_removed_frame_is_refused(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    drop(rgbd_folder, "frame-1.png")
    said = runs.refused()
    assert "its training data differ from those that it has used: 1 missing (frame-1.png)" in said


def test_a_removed_file_is_refused_with_what_to_do(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    (rgbd_folder / "frame-1.png").unlink()
    assert "pass them with --data" in runs.refused()


@pytest.mark.parametrize("keep_times", [True, False])
@pytest.mark.parametrize("name", ["frame-2.png", "frame-2.depth.png"])
def test_changed_contents_of_the_same_size_are_refused(runs, rgbd_folder, name, keep_times):
    runs.start(f"{rgbd_folder}:train")
    repaint(rgbd_folder / name, keep_times=keep_times)
    assert "1 changed (frame-2.png)" in runs.refused()


def test_a_changed_camera_of_one_frame_is_refused(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    index = rgbd_folder / "frames.json"
    entries = json.loads(index.read_text())
    entries[0]["intrinsics"]["fx"] *= 1.001
    index.write_text(json.dumps(entries))
    assert "1 changed (frame-0.png)" in runs.refused()


@pytest.mark.slow
def test_an_added_frame_is_refused_and_one_of_another_split_is_not(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    entries = json.loads((rgbd_folder / "frames.json").read_text())
    sample = slanted_sample("more")
    write_frame(sample, rgbd_folder)

    def add(split: str) -> None:
        entry = frame_entry("more", sample.image_size, sample.intrinsics, split)
        write_index([*entries, entry], rgbd_folder)

    add("train")
    assert "1 new (more.png)" in runs.refused()
    add("val")
    assert runs.resume()[0] == 0


def test_the_same_frames_in_another_order_are_refused(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    entries = json.loads((rgbd_folder / "frames.json").read_text())
    write_index(entries[::-1], rgbd_folder)
    assert "the same frames in a different order" in runs.refused()


def test_several_changes_are_counted_with_their_first_names(runs, rgbd_folder):
    runs.start(str(rgbd_folder))
    drop(rgbd_folder, "frame-0.png")
    for number in (1, 2, 3, 4):
        repaint(rgbd_folder / f"frame-{number}.png")
    expected = "1 missing (frame-0.png), 4 changed (frame-1.png, frame-2.png, frame-3.png, ...)"
    assert expected in runs.refused()


@pytest.mark.slow
def test_changed_validation_data_are_refused_once_they_were_used(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train", val=[f"{rgbd_folder}:val"])
    repaint(rgbd_folder / "frame-4.png")
    assert "its validation data differ" in runs.refused()


@pytest.mark.slow
def test_validation_data_that_were_not_used_yet_may_change(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train", val=[f"{rgbd_folder}:val"], more=["train.evaluate_every=5"])
    exchange(rgbd_folder / "frame-4.png")
    code, said, _ = runs.resume()
    assert code == 0
    assert "note: validation frames: 1 changed (frame-4.png)" in said


@pytest.mark.slow
def test_moved_data_are_taken_and_continue_exactly(
    runs, tmp_path, rgbd_folder, monkeypatch, capsys
):
    whole = Runs(tmp_path / "whole", monkeypatch, capsys)
    assert whole.start(f"{rgbd_folder}:train", val=[f"{rgbd_folder}:val"], stop_at=None) == 0
    runs.start(f"{rgbd_folder}:train", val=[f"{rgbd_folder}:val"])
    moved = shutil.copytree(rgbd_folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    shutil.rmtree(rgbd_folder)
    assert "if they moved, pass them with --data and --val" in runs.refused()
    code, said, error = runs.resume("--data", f"{moved}:train", "--val", f"{moved}:val")
    assert code == 0, error
    assert "differ" not in said
    one, other = Run.open(whole.folder), Run.open(runs.folder)
    assert losses(one) == losses(other)
    assert same_weights(last_weights(one), last_weights(other))
    assert other.data == (f"{moved}:train",)
    assert other.validation == (f"{moved}:val",)


def test_other_data_in_place_of_moved_ones_are_refused(runs, tmp_path, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    other = write_rgbd_folder(tmp_path / "other")
    exchange(other / "frame-1.png")
    assert "1 changed (frame-1.png)" in runs.refused("--data", f"{other}:train")
    assert "2 new" in runs.refused("--data", str(rgbd_folder))
    assert Run.open(runs.folder).data == (f"{rgbd_folder}:train",)


@pytest.mark.slow
def test_validation_data_cannot_be_added(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    assert "its validation data differ" in runs.refused("--val", f"{rgbd_folder}:val")


@pytest.mark.slow
def test_a_frame_that_was_not_used_yet_may_be_repaired_and_a_used_one_not(runs, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    samples = [slanted_sample(f"frame-{number}") for number in range(8)]
    for sample in samples:
        write_frame(sample, folder)
    write_index([frame_entry(s.name, s.image_size, s.intrinsics, "train") for s in samples], folder)
    runs.start(str(folder))
    run = Run.open(runs.folder)
    used = seen_frames(run, 2, open_samples(run.data))  # the last checkpoint is of step 2
    assert len(used) == 4
    (unused, *_) = set(range(8)) - used
    (early, *_) = used
    content = (folder / f"frame-{early}.depth.png").read_bytes()
    repaint(folder / f"frame-{early}.depth.png")
    assert f"1 changed (frame-{early}.png)" in runs.refused()
    (folder / f"frame-{early}.depth.png").write_bytes(content)
    exchange(folder / f"frame-{unused}.png")
    code, said, error = runs.resume()
    assert code == 0, error
    assert f"note: training frames: 1 changed (frame-{unused}.png)" in said


def test_a_run_of_an_earlier_version_resumes_with_a_note_and_is_recorded(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    (runs.folder / "data.json").unlink()
    code, said, _ = runs.resume()
    assert code == 0
    assert "has no record of its data" in said
    assert (runs.folder / "data.json").is_file()


def test_a_damaged_record_is_named(runs, rgbd_folder):
    runs.start(f"{rgbd_folder}:train")
    path = runs.folder / "data.json"
    path.write_text(path.read_text().replace("frame-1", "frame-7"))
    code, _, said = runs.resume()
    assert code == 2
    assert re.search(r"data\.json is damaged; restore it from a copy, or delete it", said)


def test_other_settings_name_the_way_to_a_new_run(runs, capsys):
    for words in (["--set", "train.steps=9"], ["--recipe", "rooms_small"], ["--overfit"]):
        code, _, said = runs.resume(*words)
        assert code == 2
        assert f"--set train.start_from={runs.folder}" in " ".join(said.split())
