"""README.md and the first page of the site: pasted into an empty folder they work, and are true."""

import re
import shlex
import tomllib

import pytest

from helpers.doc_pages import blocks, commands
from helpers.paths import DOCS, ROOT
from spd.cli import run
from spd.config import ModelConfig
from spd.cost import mac_tables
from spd.models.spd import SPD

README = ROOT / "README.md"
FIRST_PAGES = [README, DOCS / "index.md"]
TEXT = README.read_text(encoding="utf-8")
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LONG = ("spd data", "spd train", "spd evaluate")
SETS_UP = ("python3 -m venv", ". .venv", "pip install")


def first_commands(page) -> list[str]:
    """What a reader pastes to get a first answer."""
    return [line for line in commands(page) if not line.startswith((*LONG, *SETS_UP))]


@pytest.mark.parametrize("page", FIRST_PAGES, ids=lambda page: page.name)
def test_the_first_commands_work_one_after_the_other_in_an_empty_folder(
    page, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    found = first_commands(page)
    assert found[0] == "spd demo"
    assert len(found) > 2
    for command in found:
        program, *words = shlex.split(command)
        assert program == "spd"
        assert run(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", FIRST_PAGES, ids=lambda page: page.name)
def test_the_snippet_works_in_an_empty_folder(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (snippet,) = (block.text for block in blocks(page) if block.language == "python")
    scope: dict[str, object] = {}
    exec(compile(snippet, page.name, "exec"), scope)
    assert scope["depth_m"].shape == (480, 640)
    assert capsys.readouterr().out.count("\n") >= 3


@pytest.mark.slow
def test_the_training_commands_work_one_after_the_other_in_an_empty_folder(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    found = [line for line in commands(README) if line.startswith(LONG)]
    assert [line.split()[1] for line in found] == ["data", "train", "evaluate"]
    for command in found:
        assert run(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    assert run(["query", "rooms/val-000000.png", "--points", "9,9", "-m", "runs/mine"]) == 0


def test_the_readme_is_one_screen():
    lines = TEXT.splitlines()
    assert len(lines) <= 110
    assert max(map(len, lines)) <= 115


def test_named_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("run", "test", "evaluate"):
        assert f"make {target}" in TEXT
    for target in ("test", "test-all", "soak", "check", "docs", "train", "model"):
        assert f"make {target}" in GUIDE
    for target in re.findall(r"`make ([\w-]+)`", TEXT + GUIDE):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("text", [TEXT, GUIDE], ids=["README", "CONTRIBUTING"])
def test_named_files_exist(text):
    linked = re.findall(r"\]\(([\w/.-]+)\)", text)
    named = re.findall(r"`((?:src|tests|docs|tools|examples|research)/[\w/.]*)`", text)
    assert len(linked + named) > 5
    own = [name for name in linked + named if "NAME" not in name]  # NAME: the reader chooses it
    assert [name for name in own if not (ROOT / name).exists()] == []


def test_figures_are_the_computed_ones():
    model = SPD(ModelConfig())
    counts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }
    local = counts.pop("local_path")
    assert f"{sum(counts.values()):,}" in TEXT
    assert f"{local:,}" in TEXT
    rows = {row.key: row.values for table in mac_tables(ModelConfig()) for row in table.rows}
    specified, implemented = rows["10.2/total"]
    assert (
        f"{implemented / 1e6:.3f} M (0.165 M in the compiled kernel; {specified / 1e6:.3f} M in the"
        in TEXT
    )


def test_the_figures_of_the_shipped_model_are_those_of_its_card():
    card = (DOCS / "model_card.md").read_text(encoding="utf-8")
    shown = re.search(r"(0\.\d+) on .* rooms; (0\.\d+) on real .* scores (0\.\d+)", TEXT).groups()
    (rooms,), (real, median) = (
        re.findall(r"\| held-out rooms, sparse \| (\S+)", card),
        re.search(r"\| real frames, sparse \| (\S+) .* (\S+) \|$", card, re.M).groups(),
    )
    assert shown == tuple(f"{float(value) + 1e-9:.3f}" for value in (rooms, real, median))


@pytest.mark.parametrize("name", ["torch", "transformers", "numpy", "typer", "pytest"])
def test_the_constraints_satisfy_the_project(name):
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(package for extra in extras for package in extra)]
    lowest = next(re.search(r">=([\d.]+)", w).group(1) for w in wanted if w.startswith(name))
    version = lambda text: [int(part) for part in text.split(".")]  # noqa: E731
    assert version(pins[name]) >= version(lowest)
    assert "+" not in pins[name]  # no local version tag
