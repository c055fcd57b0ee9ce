"""`docs/photos.md` is true: its code and commands run."""

import re
from pathlib import Path

import pytest
from PIL import Image

from helpers.paths import DOCS
from helpers.photo_files import picture
from spd.cli import run

PAGE = (DOCS / "photos.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.fixture
def photo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture(240, 320)).save("photo.jpg")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*unclosed")  # the page is brief
def test_the_pages_python_runs(photo, capsys):
    (code,) = blocks("python")
    exec(compile(code, "photos.md", "exec"), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert said.startswith("intrinsics 519.")
    assert "320x240 photo, resized for the model by a factor of" in said


def test_the_pages_commands_run(photo, capsys):
    commands = [line for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        assert run(command.split()[1:]) == 0
    assert Path("calibration.json").is_file()
    assert "depth_m" in capsys.readouterr().out
