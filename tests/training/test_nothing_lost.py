"""A full disk, a second process in the folder, half a line in the log: nothing good is lost."""

import contextlib
import json
import random
import resource
import signal
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from helpers.small_runs import CPU, around_steps, last_weights, losses, same_weights, small_recipe
from spd.checkpoints.folder import checkpoints_of_run
from spd.checkpoints.run_folder import check_free
from spd.data.sources import open_samples
from spd.errors import StoppedError, TrainingError
from spd.train import Trainer
from spd.training.runs import Run


@pytest.fixture
def samples(rgbd_folder):
    return open_samples([f"{rgbd_folder}:train"], metric_only=True)


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the system refuses writes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_gives_a_warning_and_the_run_continues(small_config, samples, tmp_path, capsys):
    run = Run.create(tmp_path / "run", small_recipe(small_config, steps=6, save_every=2), ("d",))
    trainer = Trainer(run, CPU)

    def before(parts):
        # The disk is full while step 4 is to be saved, and empty again afterwards.
        limit = 30_000 if trainer.step == 3 else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    around_steps(trainer, before)
    trainer.fit(samples)
    said = capsys.readouterr().err
    assert "step 4 could not be saved: cannot write" in said
    assert "file too large; training continues" in said
    assert [path.name for path in checkpoints_of_run(run.folder)] == [
        "step-00000002",
        "step-00000006",
    ]
    left = [p.name for p in (run.folder / "checkpoints").iterdir() if p.name.startswith(".")]
    assert left == []
    whole = Run.create(tmp_path / "whole", small_recipe(small_config, steps=6), ("d",))
    Trainer(whole, CPU).fit(samples)
    assert same_weights(last_weights(run), last_weights(whole))


def test_a_disk_that_stays_full_ends_the_run_and_keeps_old_checkpoints(
    small_config, samples, tmp_path
):
    run = Run.create(tmp_path / "run", small_recipe(small_config, steps=6, save_every=2), ("d",))
    trainer = Trainer(run, CPU)

    def before(parts):
        if trainer.step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))

    around_steps(trainer, before)
    # The outer one puts the limit back.
    with full_disk(resource.RLIM_INFINITY), pytest.raises(TrainingError) as caught:
        trainer.fit(samples)
    said = str(caught.value)
    assert "\n" not in said
    assert "step 6 could not be saved, but earlier checkpoints are intact" in said
    assert said.endswith(f"resume with: spd train --resume {run.folder}")
    again = Trainer(Run.open(run.folder), CPU)
    again.restore()
    assert again.step == 2
    again.fit(samples)
    whole = Run.create(tmp_path / "whole", small_recipe(small_config, steps=6), ("d",))
    Trainer(whole, CPU).fit(samples)
    assert same_weights(last_weights(run), last_weights(whole))


def test_a_log_that_cannot_be_written_saves_and_ends_the_run(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    trainer = Trainer(run, CPU)

    def after(parts):
        if trainer.step == 4:
            (run.folder / "log.jsonl").unlink()
            (run.folder / "log.jsonl").mkdir()

    around_steps(trainer, after=after)
    with pytest.raises(TrainingError, match=r"cannot write .*log\.jsonl: is a directory; the run"):
        trainer.fit(samples)
    assert checkpoints_of_run(run.folder)[-1].name == "step-00000004"


@pytest.mark.parametrize("first_full", [1, 3, 4])
def test_a_full_disk_under_the_log_loses_no_step(
    small_config, samples, tmp_path, capsys, first_full
):
    run = Run.create(tmp_path / "run", small_recipe(small_config, save_every=2), ("d",))
    trainer = Trainer(run, CPU)

    def before(parts):
        # Two steps without any space, then some again.
        full = first_full - 1 <= trainer.step < first_full + 1
        log = run.folder / "log.jsonl"
        limit = log.stat().st_size + 50 if log.exists() else 50
        limit = limit if full else resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    around_steps(trainer, before)
    with full_disk(resource.RLIM_INFINITY):  # puts the limit back
        trainer.fit(samples)
    said = capsys.readouterr().err
    assert "log.jsonl: file too large; step" in said
    assert "the log is kept in memory; free some disk space" in said
    whole = Run.create(tmp_path / "whole", small_recipe(small_config), ("d",))
    Trainer(whole, CPU).fit(samples)
    assert losses(run) == losses(whole)  # no line is missing, doubled or cut
    assert same_weights(last_weights(run), last_weights(whole))


def test_a_tracker_that_cannot_write_is_left(small_config, samples, tmp_path, capsys, monkeypatch):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    trainer = Trainer(run, CPU)
    trainer.parallel.tracker = "tensorboard"

    def fail(*values, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trainer.parallel, "start_tracker", lambda step, name: None)
    monkeypatch.setattr(trainer.parallel.accelerator, "log", fail)
    assert trainer.fit(samples).steps == 6
    said = capsys.readouterr().err
    assert said.count("tensorboard stopped: [Errno 28] No space left on device") == 1


@pytest.mark.usefixtures("usual_signals")
def test_sighup_saves_once_and_is_then_ignored(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    trainer = Trainer(run, CPU)

    def before(parts):
        if trainer.step == 3:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)  # a closing terminal may send several

    around_steps(trainer, before)
    with pytest.raises(StoppedError, match="stopped after step 4 of 6; the run is saved at step 4"):
        trainer.fit(samples)
    assert checkpoints_of_run(run.folder)[-1].name == "step-00000004"
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL


def test_an_ignored_sighup_stays_ignored(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    trainer = Trainer(run, CPU)

    def before(parts):
        signal.raise_signal(signal.SIGHUP)

    around_steps(trainer, before)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert trainer.fit(samples).steps == 6
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_one_process_trains_in_a_folder(small_config, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    again = Run.open(run.folder)
    refused = pytest.raises(TrainingError, match="another process is training in")
    with run.lock(), refused, again.lock():
        pass
    with run.lock():  # it is free again
        assert (run.folder / "lock").exists()


def test_a_run_can_start_in_the_folder_of_a_killed_start(small_config, tmp_path):
    run = Run(tmp_path / "run", small_recipe(small_config), ("d",), (), False)
    with run.lock():
        (run.folder / ".writing-abc").mkdir()
        check_free(run.folder)
        run.write()
        run.clean()
    assert sorted(path.name for path in run.folder.iterdir()) == ["lock", "run.json"]


def test_an_unfinished_last_line_of_the_log_is_ignored(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    Trainer(run, CPU).fit(samples)
    path = run.folder / "log.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"step": 7, "lo')
    assert len(losses(run)) == 6
    path.write_text(whole.replace("}\n", "\n", 1))
    with pytest.raises(TrainingError, match=r"log\.jsonl is damaged at line 1"):
        run.log_rows()


def test_a_missing_best_json_is_written_again(small_config, rgbd_folder, samples, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config, steps=9), ("d",))
    Trainer(run, CPU).fit(samples, open_samples([f"{rgbd_folder}:val"]))
    best = json.loads((run.folder / "best.json").read_text())
    (run.folder / "best.json").unlink()  # as if killed before it was written
    run.clean()
    assert json.loads((run.folder / "best.json").read_text()) == best
    rows = {row["step"]: row["val_abs_rel"] for row in run.log_rows() if "val_abs_rel" in row}
    assert best["val_abs_rel"] == min(rows.values()) == rows[best["step"]]


def test_random_generators_are_restored(small_config, samples, tmp_path):
    run = Run.create(tmp_path / "run", small_recipe(small_config), ("d",))
    seed_all(3)
    Trainer(run, CPU).fit(samples)
    drawn = draw_all()
    seed_all(0)
    assert draw_all() != drawn
    Trainer(run, CPU).restore()
    assert draw_all() == drawn


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator is what is kept
    torch.manual_seed(seed)


def draw_all() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), float(torch.rand(1))  # noqa: NPY002
