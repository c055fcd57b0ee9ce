"""`docs/hub.md` is true: its commands and code run in its order, its messages are the program's."""

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

import spd.export.hub
import spd.export.model_card
from helpers import exports
from helpers.fake_hub import install
from helpers.paths import DOCS
from helpers.samples import write_rgbd_folder
from spd.cli import run
from spd.export import hub
from spd.scenes.calibration import Calibration

PAGE = (DOCS / "hub.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


def test_the_commands_and_code_of_the_page_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    install(monkeypatch, tmp_path / "hub")
    write_rgbd_folder(tmp_path / "rooms")
    Image.fromarray(exports.noise(480, 640)).save("photo.jpg")
    factor = Calibration(1.25, 3, 0.01, 0.02, focal_known=True, model="shipped")
    factor.write(Path("calibration.json"))
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert [command.split()[0] for command in commands] == ["spd", "spd", "hf"]
    for command in commands[:2]:
        assert run(command.split()[1:]) == 0, capsys.readouterr().err
    assert commands[2] == "hf upload somebody/mine models/mine"
    assert "publish with: hf upload OWNER/NAME models/mine" in capsys.readouterr().out
    card = ModelCard(Path("models/mine/README.md").read_text(encoding="utf-8"))
    assert (card.data.license, len(card.data.eval_results)) == ("apache-2.0", 3)
    scope: dict = {}
    code = blocks("python")
    assert len(code) == 3
    for block in code:
        exec(compile(block, "hub.md", "exec"), scope)
    with Image.open("depth.png") as picture:
        assert (picture.mode, picture.size) == ("I;16", (640, 480))
    assert scope["scene"].calibration == factor


def test_the_error_messages_on_the_page_exist():
    modules = (spd.export.hub, spd.export.model_card, spd.checkpoints.hub_errors)
    sources = [Path(module.__file__).read_text() for module in modules]
    said = re.sub(r'"\s*\n\s*f?"', "", "\n".join(sources))
    rows = re.findall(r"^\| [a-z].* \| `(.*)` \|$", PAGE, re.M)
    assert len(rows) == 7
    assert [message for message in rows if message not in said] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--license", "Apache 2"], "license 'Apache 2' is not a valid hub licence identifier"),
        (["--evaluation", "nowhere"], "expected the output folder of an evaluation"),
        (["--evaluation", "out/evaluation"], "is an evaluation of different weights (shipped)"),
    ],
)
def test_spd_pack_refuses_a_wrong_licence_and_evaluation_in_one_line(
    tmp_path, monkeypatch, capsys, small_model, words, said
):
    monkeypatch.chdir(tmp_path)
    write_rgbd_folder(tmp_path / "rooms")
    source = "shipped"
    if "out/evaluation" in words:
        assert run(["evaluate", "shipped", "--data", "rooms:val", "-o", "out/evaluation"]) == 0
        hub.save_pretrained(small_model, "other")
        source = "other"
    capsys.readouterr()
    assert run(["pack", source, "-o", "mine", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not Path("mine").exists()
