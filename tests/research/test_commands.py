"""The research commands: their options are those that pages and the Makefile use."""

import importlib
import re

import pytest

from helpers.paths import ROOT

PAGES = [
    ROOT / "Makefile",
    *sorted((ROOT / "research").glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
COMMANDS = [
    (page.name, words)
    for page in PAGES
    for words in re.findall(
        r"python -m (research[\w.]*[^`#\n]*)",
        re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8")),
    )
]


def main_of(module: str):
    found = importlib.import_module(module)
    return getattr(found, "main", None) or importlib.import_module(f"{module}.__main__").main


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_on_a_page_has_the_options_it_is_given(page, command, capsys):
    module, *words = command.split()
    subcommand = [word for word in words[:1] if word in ("inference", "training", "page")]
    with pytest.raises(SystemExit) as ended:
        main_of(module)([*subcommand, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    used = {word for word in words if re.fullmatch(r"--?[a-z][\w-]*", word)}
    assert [word for word in used if not re.search(rf"(^|\s){word}\b", said)] == []


def test_the_pages_name_every_command():
    named = {command.split()[0] for _, command in COMMANDS}
    assert named == {
        "research.experiment", "research.performance", "research.head_study", "research.focal",
        "research.cost", "research.busy",
    }  # fmt: skip
