"""A damaged byte in a run's checkpoint: found, said, and the run continues from the one before."""

import json
import shutil

import pytest

import spd
from helpers.small_runs import CPU, last_weights, losses, same_weights, small_recipe
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.checksums import CHECKSUMS
from spd.checkpoints.encoder_weights import load_encoder
from spd.checkpoints.folder import checkpoints_of_run, find_checkpoint
from spd.data.sources import open_samples
from spd.errors import CheckpointError, SPDError, TrainingError
from spd.models.encoder_vits.vit_s import Encoder
from spd.train import Trainer
from spd.training.runs import Run

FILES = ["model.safetensors", "state.pt", "config.json"]


def flip(path, place: float = 0.5) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


@pytest.fixture
def samples(rgbd_folder):
    return open_samples([f"{rgbd_folder}:train"], metric_only=True)


@pytest.fixture
def finished(small_config, samples, tmp_path):
    """A run of six steps with checkpoints at 3 and 6."""
    run = Run.create(tmp_path / "finished", small_recipe(small_config), ("data",))
    Trainer(run, CPU).fit(samples)
    return run


@pytest.fixture
def run(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    return Run.open(tmp_path / "run")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.9, 1.0])
def test_a_flipped_bit_in_the_last_checkpoint_falls_back(
    finished, run, samples, capsys, name, place
):
    flip(checkpoints_of_run(run.folder)[-1] / name, place)
    run.clean()
    trainer = Trainer(run, CPU)
    trainer.restore()
    assert trainer.step == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"checkpoint step-00000006 is damaged ({name} does not match" in said
    assert "the last intact one is step-00000003; 3 step(s) are computed again" in said
    trainer.fit(samples)
    assert same_weights(last_weights(run), last_weights(finished))
    assert losses(run) == losses(finished)
    names = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert names == ["damaged-step-00000006", "step-00000003", "step-00000006"]


@pytest.mark.parametrize(
    "kind",
    ["truncated", "empty", "missing", "no weights", "longer", "swapped", "checksums", "folder"],
)
def test_other_damage_falls_back_too(run, kind):
    first, last = checkpoints_of_run(run.folder)
    state = last / "state.pt"
    if kind == "truncated":
        state.write_bytes(state.read_bytes()[:-1])
    elif kind == "empty":
        (last / "config.json").write_bytes(b"")
    elif kind == "missing":
        state.unlink()
    elif kind == "no weights":
        (last / "model.safetensors").unlink()
    elif kind == "longer":
        state.write_bytes(state.read_bytes() + b"\0")
    elif kind == "swapped":
        shutil.copy(first / "state.pt", state)
    elif kind == "folder":
        (last / CHECKSUMS).unlink()
        (last / CHECKSUMS).mkdir()
    else:
        (last / CHECKSUMS).write_text("[]")
    trainer = Trainer(run, CPU)
    trainer.restore()
    assert trainer.step == 3


@pytest.mark.parametrize("name", FILES)
def test_without_an_intact_checkpoint_there_is_one_error(run, name):
    for folder in checkpoints_of_run(run.folder):
        flip(folder / name)
    with pytest.raises(TrainingError, match="has no intact checkpoint") as caught:
        Trainer(run, CPU).restore()
    assert "\n" not in str(caught.value)
    assert len(checkpoints_of_run(run.folder)) == 2  # nothing was renamed
    if name != "state.pt":
        with pytest.raises(CheckpointError, match="has no intact checkpoint"):
            spd.load(run.folder, device="cpu")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_model_is_loaded_from_an_intact_checkpoint_of_its_run(run, name):
    last = checkpoints_of_run(run.folder)[-1]
    assert find_checkpoint(run.folder) == last
    flip(last / name)
    with pytest.warns(UserWarning, match=r"step-00000006 is damaged \(.*; using step-00000003"):
        assert find_checkpoint(run.folder).name == "step-00000003"
    with pytest.warns(UserWarning, match="using step-00000003"):
        spd.load(run.folder, device="cpu")
    with pytest.raises(CheckpointError, match=f"is damaged: {name} does not match its checksum"):
        spd.load(last, device="cpu")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_encoder(Encoder(run.recipe.model.encoder), last)
    (last / CHECKSUMS).unlink()  # as the message says
    if name == "model.safetensors":
        spd.load(last, device="cpu")


def test_a_damaged_best_checkpoint_is_no_longer_the_best(run):
    for number, folder in enumerate(checkpoints_of_run(run.folder)):
        config = json.loads((folder / "config.json").read_text())
        config["about"]["val_abs_rel"] = 0.1 + number
        (folder / "config.json").write_text(json.dumps(config))
        (folder / CHECKSUMS).unlink()
    run.clean()
    best = json.loads((run.folder / "best.json").read_text())
    assert best["checkpoint"] == "step-00000003"
    flip(checkpoints_of_run(run.folder)[0] / "model.safetensors", 0)
    Trainer(run, CPU).restore()
    best = json.loads((run.folder / "best.json").read_text())
    assert best["checkpoint"] == "step-00000006"


def test_a_packed_model_with_a_flipped_byte_is_refused(run, tmp_path):
    from spd.export.hub import save_pretrained

    network, _ = load_checkpoint(find_checkpoint(run.folder))
    for name in ("model.safetensors", "config.json"):
        folder = tmp_path / name
        save_pretrained(network, folder)
        spd.load(folder, device="cpu")
        for place in (0.1, 0.7):
            flip(folder / name, place)
            with pytest.raises(SPDError, match=f"{name} does not match its checksum"):
                spd.load(folder, device="cpu")
            flip(folder / name, place)
