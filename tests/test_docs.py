"""What the pages of `docs/` say is so: code runs, commands, messages, paths and packages exist."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from helpers.paths import DOCS, ROOT
from spd.cli.commands import app
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.frame_index import FrameEntry

RUNNABLE = ["data.md"]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


@pytest.mark.parametrize("name", RUNNABLE)
def test_python_blocks_run_one_after_the_other(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = blocks(page(name), "python")
    assert code
    for number, block in enumerate(code):
        exec(compile(block, f"{name} block {number + 1}", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().err == ""


def test_the_script_for_own_data_writes_a_folder_that_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = blocks(page("data.md"), "python")[0]
    assert len([line for line in script.splitlines() if line.strip()]) <= 18
    exec(compile(script, "own data", "exec"), {})
    train, val = RGBDFolder("mine", "train"), RGBDFolder("mine", "val")
    assert (len(train), len(val)) == (3, 1)
    assert val[0].depth_m[119, 7] == 4.5
    assert val[0].intrinsics.focal_px == 262.5
    # The page's example of an index is the first frame of this one.
    example = ast.literal_eval(blocks(page("data.md"), "json")[0])[0]
    assert FrameEntry.from_dict(example) == train.entries[0]


def commands(text: str) -> list[list[str]]:
    lines = "\n".join(blocks(text, "(?:bash)?")).splitlines()
    quoted = re.findall(r"`(spd [a-z][^`]*)`", text)
    return [c.split("#")[0].split()[1:] for c in (*lines, *quoted) if c.startswith("spd ")]


WITH_COMMANDS = [
    "../README.md",
    "../CONTRIBUTING.md",
    *sorted(path.name for path in DOCS.glob("*.md")),
    *sorted(f"../research/{path.name}" for path in (ROOT / "research").glob("*.md")),
]


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_commands_and_their_options_exist(name):
    for words in commands(page(name)):
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command, words = command.commands[words[0]], words[1:]
        known = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        known.add("--help")
        used = {word for word in words if re.match(r"--?[a-z]", word)}
        assert used <= known, f"{name}: {command.name} has no {used - known}"
        assert not hasattr(command, "commands") or not words or used, f"{name}: no {words}"


def messages_of(sources: list[Path]) -> str:
    """Every text in these files, one a line, with … where an f-string fills something in."""
    texts = []
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "…" for v in node.values)
                texts.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


@pytest.mark.parametrize(("name", "count"), [("data.md", 12), ("formats.md", 24)])
def test_the_refusals_on_the_pages_about_data_are_the_programs_words(name, count):
    table = page(name).split("## What is rejected")[1].split("\n## ")[0]
    rows = re.findall(r"^\|(?!---| problem)(.*?)\|(.*)\|$", table, re.M)
    assert len(rows) == count
    package = ROOT / "src" / "spd"
    sources = [*(package / "data").glob("*.py"), *(package / "data" / "formats").glob("*.py")]
    said = messages_of([*sources, package / "photos" / "opening.py", package / "geometry.py"])
    for what, messages in rows:
        for message in re.findall(r"`([^`]*)`", messages):
            assert message in said, f"nothing says {message!r} for {what}"


def test_paths_on_the_design_page_exist():
    text = page("design.md")
    named = set(re.findall(r"`((?:src/spd|tests)/[\w/.]+)`", text))
    assert len(named) > 12
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_dependency_has_its_line_on_the_design_page():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    table = page("design.md").split("## Dependencies")[1]
    for requirement in wanted:
        name = re.match(r"[\w-]+", requirement).group()
        if name == "spd":  # an extra that contains another
            continue
        assert f"`{name}`" in table, f"{name} has no line under Dependencies"
