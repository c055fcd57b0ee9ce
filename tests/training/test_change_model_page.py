"""Every recipe of docs/change_model.md trains, at a tiny size, and changes what the page says."""

import shlex
from pathlib import Path

import pytest
import torch

from helpers.doc_pages import blocks, commands
from helpers.paths import DOCS
from helpers.samples import write_rgbd_folder
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.folder import find_checkpoint
from spd.cli import run
from spd.config import EncoderConfig
from spd.models.encoder_vits.vit_s import Encoder
from spd.recipes import override, recipe

PAGE = DOCS / "change_model.md"
COMMANDS = commands(PAGE)
TINY = [
    "model.encoder.hidden_size=24", "model.camera.crop_height_px=42",
    "model.camera.crop_width_px=70", "train.steps=2", "train.batch_size=2",
    "train.points_per_image=8", "train.tracker=none",
]  # fmt: skip
HUB = ["train.encoder_weights=null"]


def settings(command: str) -> list[str]:
    """The assignments of a command."""
    words = shlex.split(command)
    if "--set" not in words:
        return []
    following = words[words.index("--set") + 1 :]
    return following[: next(n for n, word in enumerate(following) if word.startswith("--"))]


def train(command: str) -> int:
    program, *words = shlex.split(command)
    assert program == "spd"
    more = TINY + HUB * ("facebook/" in command)
    return run([*words, "--device", "cpu", "--set", *more])


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """A folder with small rooms and the page's recipe file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("spd.figures.training_curve", lambda *args, **about: None)
    write_rgbd_folder(Path("rooms"))
    (toml,) = (block.text for block in blocks(PAGE) if block.language == "toml")
    Path("mine.toml").write_text(toml, encoding="utf-8")
    return tmp_path


SOME = [COMMANDS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in COMMANDS[1:])]


@pytest.mark.parametrize("command", SOME, ids=lambda command: command.split("runs/")[-1])
def test_the_recipe_trains_and_its_settings_are_in_the_model(command, workplace, capsys):
    if "=runs/trial" in command:
        assert train(COMMANDS[0]) == 0
    assert train(command) == 0, capsys.readouterr().err
    words = shlex.split(command)
    model, _ = load_checkpoint(find_checkpoint(words[words.index("--out") + 1]))
    chosen = override(recipe(words[words.index("--recipe") + 1]), settings(command))
    tiny = [one for one in TINY if one.startswith("model.")]
    assert model.config == override(chosen, tiny).model


def test_the_page_shows_what_it_is_about():
    text = PAGE.read_text(encoding="utf-8")
    for key in (
        "model.window", "model.head_width", "train.silog", "train.objective",
        "model.encoder.hidden_size", "model.local_path", "train.start_from",
    ):  # fmt: skip
        assert any(key in word for command in COMMANDS for word in settings(command)), key
        assert f"`{key}" in text
    assert len(COMMANDS) > 9


@pytest.mark.parametrize(
    ("size", "settings", "count"),
    [
        ("S", {}, 22_056_576),
        ("B", {"hidden_size": 768, "heads": 12}, 86_580_480),  # as the hub counts DINOv2's weights
        (
            "L",
            {"hidden_size": 1024, "layers": 24, "heads": 16, "taps": (4, 11, 17, 23)},
            304_368_640,
        ),
    ],
)
def test_the_table_of_encoders_has_dinov2s_sizes(size, settings, count):
    config = EncoderConfig(**settings)
    with torch.device("meta"):
        assert sum(p.numel() for p in Encoder(config).parameters()) == count
    taps = ",".join(map(str, config.taps))
    row = f"| {config.hidden_size} | {config.layers} | {config.heads} | `[{taps}]` |"
    (line,) = (
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if f"ViT-{size}/14" in line
    )
    assert row in line
