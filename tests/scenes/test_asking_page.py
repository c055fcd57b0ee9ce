"""Every command and the Python of docs/asking.md run, with the model that ships."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.loaded_once import load_once
from helpers.paths import DOCS
from spd.cli import run

TEXT = (DOCS / "asking.md").read_text(encoding="utf-8")
COMMANDS = [line for line in TEXT.splitlines() if line.startswith("spd ")]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_once(monkeypatch)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    for name in ("photo.jpg", "other.jpg"):
        Image.fromarray(noise).save(name)
    mask = np.zeros((120, 160), dtype=np.uint8)
    mask[30:60, 40:90] = 255
    Image.fromarray(mask).save("person.png")
    Path("points.csv").write_text("u,v\n80,60\n100.5,57\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(command, photos, capsys):
    words = shlex.split(command)
    assert run(words[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr()
    written = re.findall(r"(?:-o|--map|--overlay) (\S+)", command)
    for name in written:
        assert (photos / name).stat().st_size > 50
        assert name in said.out + said.err
    assert said.out or written


def test_there_is_a_command_for_each_kind_of_question():
    assert len(COMMANDS) >= 10
    for option in ("points", "points-file", "grid", "box", "mask", "distance", "line", "map"):
        assert any(f"--{option} " in command for command in COMMANDS), option


def test_the_python_runs(photos):
    (code,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)
    scope: dict[str, object] = {}
    exec(compile(code, "asking.md", "exec"), scope)
    assert (photos / "cloud.glb").stat().st_size > 1000
