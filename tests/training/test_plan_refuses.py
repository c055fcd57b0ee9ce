"""`--plan` refuses what the start refuses, with the same line, and writes nothing."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.checkpoints import save_checkpoint
from helpers.frames import miniature_frames
from helpers.samples import write_rgbd_folder
from helpers.small_runs import small_recipe
from helpers.write_general import write_image_folders, write_table
from helpers.write_nyu import write_h5
from spd.cli import run
from spd.config import ModelConfig
from spd.models.spd import SPD
from spd.training.runs import Run

FRAMES = miniature_frames()


def leak() -> str:
    write_h5(Path("h5"), [FRAMES[0], dataclasses.replace(FRAMES[5], split="train")])
    return "h5:train"


def metres() -> str:
    return f"{write_image_folders(Path('mine'), FRAMES[:2])}:train,camera=nyu,unit=metre"


def disparity() -> str:
    rows, columns = np.mgrid[:480, :640]
    values = (1000 + 4000 * (rows / 480 * 0.6 + columns / 640 * 0.1)).astype(np.uint16)
    return str(write_table(Path("table"), [dataclasses.replace(FRAMES[0], depth_mm=values)]))


def without_file() -> str:
    shutil.copytree("frames", "holed")
    Path("holed/frame-1.depth.png").unlink()
    return "holed:train"


def damaged_frame() -> str:
    shutil.copytree("frames", "cut")
    Path("cut/frame-1.depth.png").write_bytes(b"\x89PNG")
    return "cut:train"


def other_size() -> list[str]:
    save_checkpoint(SPD(ModelConfig.tiny().model_copy(update={"dim": 32})), Path("theirs"))
    return ["--set", "train.start_from=theirs"]


def damaged_weights() -> list[str]:
    save_checkpoint(SPD(ModelConfig.tiny()), Path("cut_weights"))
    path = Path("cut_weights/model.safetensors")
    path.write_bytes(path.read_bytes()[:1000])
    return ["--set", "train.start_from=cut_weights"]


def taken() -> list[str]:
    Path("taken").mkdir()
    Path("taken/notes.txt").touch()
    return ["--out", "taken"]


def a_run() -> list[str]:
    Run.create(Path("old"), small_recipe(ModelConfig.tiny()), ("d",))
    return ["--out", "old"]


def default_folder() -> list[str]:
    Run.create(Path("runs/rooms_tiny"), small_recipe(ModelConfig.tiny()), ("d",))
    return []


DATA = {
    "missing folder": (lambda: "nowhere", "no file or folder nowhere"),
    "missing split": (lambda: "frames:test", "no frames in split 'test'"),
    "missing file": (without_file, "1 file(s) listed in the index are missing"),
    "damaged frame": (damaged_frame, "is not a readable PNG"),
    "no focal length": (
        lambda: f"{write_image_folders(Path('mine'), FRAMES[:2])}:train",
        "pass it, for example PATH,focal_px=518.9",
    ),
    "test scene": (leak, "scenes outside NYU's training set (bathroom_0009)"),
    "unit": (metres, "millimetres were read as metres"),
    "disparity": (disparity, "values look like disparity"),
}
WORDS = {
    "validation in training": (lambda: ["--val", "frames:train"], "are also test frames"),
    "validation missing": (lambda: ["--val", "nowhere"], "no file or folder nowhere"),
    "out not empty": (taken, "taken exists and is not empty"),
    "out is a run": (a_run, "old already contains a run"),
    "default out is a run": (default_folder, "already contains a run"),
    "out cannot be written": (lambda: ["--out", "/dev/null/run"], "cannot write /dev/null/run"),
    "out in the data": (lambda: ["--out", "frames"], "the output folder frames is the input"),
    "weights missing": (
        lambda: ["--set", "train.encoder_weights=nowhere.pth"], "file nowhere.pth does not exist",
    ),
    "start missing": (
        lambda: ["--set", "train.start_from=frames/nowhere"], "no file or folder frames/nowhere",
    ),
    "start of another size": (other_size, "it has dim 32, but the configuration asks for 64"),
    "start damaged": (damaged_weights, "cut_weights"),
    "two starts": (
        lambda: ["--set", "train.start_from=shipped", "train.encoder_weights=x"],
        "both initialise the encoder",
    ),
    "parts": (lambda: ["--set", "train.accumulate=3"], "is not divisible by accumulate 3"),
    "tracker": (lambda: ["--set", "train.tracker=trackio"], "train.tracker trackio is not"),
    "device": (lambda: ["--device", "cuda:99"], "no device 'cuda:99'"),
    "key": (lambda: ["--set", "model.windw=7"], "did you mean model.window"),
    "even window": (lambda: ["--set", "model.window=6"], "window must be odd"),
}  # fmt: skip


@pytest.fixture
def both(tmp_path, monkeypatch, capsys):
    """Run the start and the plan; the line that both of them end with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    write_rgbd_folder(Path("frames"))

    def refused(data: str, more: list[str]) -> str:
        words = ["train", "--recipe", "rooms_tiny", "--data", data, *more]
        words = words if "--device" in more else [*words, "--device", "cpu"]
        before = sorted(tmp_path.rglob("*"))
        assert run([*words, "--plan"]) == 2
        planned = capsys.readouterr()
        assert sorted(tmp_path.rglob("*")) == before
        assert planned.out.count("\n") <= planned.out.count("note:")  # no plan
        assert run(words) == 2
        started = capsys.readouterr().err
        assert planned.err == started
        assert started.count("\n") == 1
        return started

    return refused


@pytest.mark.parametrize("case", DATA)
def test_data_that_the_start_refuses(both, case):
    make, expected = DATA[case]
    assert expected in both(make(), [])


@pytest.mark.parametrize("case", WORDS)
def test_settings_that_the_start_refuses(both, case, monkeypatch):
    if case == "tracker":
        monkeypatch.setattr("spd.training.parallel.importlib.util.find_spec", lambda name: None)
    make, expected = WORDS[case]
    assert expected in both("frames:train", make())


def test_a_batch_that_the_processes_cannot_share(both, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert "is not divisible by 3" in both("frames:train", [])


def test_the_folder_of_a_running_training(both, tmp_path):
    held = Run(tmp_path / "run", small_recipe(ModelConfig.tiny()), ("d",), (), False)
    with held.lock():
        assert "another process is training in" in both("frames:train", ["--out", "run"])


def test_weights_of_an_unreachable_hub_do_not_keep_from_planning(both, capsys):
    words = ["train", "--recipe", "rooms_tiny", "--data", "frames:train", "--plan"]
    assert run([*words, "--set", "train.start_from=somebody/model"]) == 0
    assert "the hub cannot be reached now, so they are not checked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("steps", "warmup", "expected"), [(3, 100, 0), (100, 100, 10), (99, 500, 9), (1, 1, 0)]
)
def test_a_short_run_is_planned_with_a_shorter_warmup(both, capsys, steps, warmup, expected):
    words = ["train", "--recipe", "rooms_tiny", "--data", "frames:train", "--plan", "--set"]
    assert run([*words, f"train.steps={steps}", f"train.warmup_steps={warmup}"]) == 0
    text = capsys.readouterr().out
    assert f"the warm-up is shortened to {expected} steps (a tenth of the run)" in text
    peak = "5.00e-04 / 1.00e-03"
    assert f"step {expected + 1:>9,}: {peak}" in text
    assert text.count(peak) == 1


def test_settings_for_longer_runs_get_notes_and_none_without_need(both, capsys):
    words = ["train", "--recipe", "rooms_tiny", "--data", "frames:train", "--plan", "--set"]
    assert run([*words, "train.steps=50", "train.warmup_steps=5", "train.ema_decay=0.999"]) == 0
    text = capsys.readouterr().out
    assert "train.ema_decay 0.999 averages the weights of some 1,000 steps" in text
    assert run([*words, "train.steps=70", "train.warmup_steps=5", "train.ema_decay=0.9"]) == 0
    assert "note:" not in capsys.readouterr().out
