"""Commands and modules that a message, a docstring or a comment of the package names exist."""

import ast
import importlib.util
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import spd
from spd.cli.commands import app

PACKAGE = Path(spd.__file__).parent
SOURCES = sorted(p for end in ("py", "c", "js", "html") for p in PACKAGE.rglob(f"*.{end}"))
# `spd query`, and "with: spd query"; not "a version of spd reads".
COMMAND = re.compile(r"(?:`|: |, |^)spd ([a-z][a-z_]+)(?: ([a-z][a-z_]+))?", re.M)
MODULE = re.compile(r"\bspd(?:\.[a-z_][a-z0-9_]*)+(?:\.[A-Z]\w*)*")
PROSE = {"was"}  # "...: spd was installed without its model"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OTHERS = {"--help", "--nproc-per-node"}  # of every command, and of torchrun
FILES = ("csv", "onnx", "json", "png")  # endings: `spd.onnx` is a file


def commands() -> dict[str, set[str]]:
    found = typer.main.get_command(app).commands
    return {name: set(getattr(command, "commands", {})) for name, command in found.items()}


def options() -> dict[str, set[str]]:
    """Options of each command, by its name, such as `export onnx`."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
        yield name, {one for p in command.params for one in (*p.opts, *p.secondary_opts)}
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{name} {word}".strip())

    return dict(walk(typer.main.get_command(app), ""))


def options_said(text: str) -> Iterator[tuple[str, str]]:
    """Command and option, for every option in a text; without its command, the command is empty.

    A command's options are those up to the end of its clause.
    """
    for clause in re.split(r"[;`\n()]|, |\. ", text):
        name = ""
        for word in re.split(r"\bspd (?=[a-z])", clause):
            words = re.findall(r"[a-z][a-z_]*", word)[:2]
            known = [" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in OPTIONS]
            name = known[0] if known and word is not clause else ""
            yield from ((name, option) for option in OPTION.findall(word))


def text_of(path: Path) -> str:
    """Strings and comments of a Python file; all of another."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return re.sub(r"\n\s*(?://|\*)\s*", " ", source)
    comments = [
        token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return "\n".join([*strings(ast.parse(source)), *comments])


def strings(tree: ast.AST) -> Iterator[str]:
    """Every string constant, with X for what an f-string inserts."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\n\s*", " ", node.value)
        else:
            yield from strings(node)


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.util.find_spec(".".join(parts[:end])) is not None
        except ModuleNotFoundError:
            found = False
        if found:
            module = importlib.import_module(".".join(parts[:end]))
            for part in parts[end:]:
                if not hasattr(module, part):
                    return False
                module = getattr(module, part)
            return True
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_commands_it_names_exist(path):
    known = commands()
    for name, second in COMMAND.findall(text_of(path)):
        if name in PROSE:
            continue
        assert name in known, f"spd {name}"
        if known[name] and second:
            assert second in known[name], f"spd {name} {second}"


PYTHON = [path for path in SOURCES if path.suffix == ".py"]
OPTIONS = options()


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_options_it_names_are_those_of_their_command(path):
    every = set().union(*OPTIONS.values()) | OTHERS
    for text in strings(ast.parse(path.read_text(encoding="utf-8"))):
        for name, option in options_said(text):
            assert option in (OPTIONS[name] | OTHERS if name else every), f"spd {name} {option}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_modules_it_names_exist(path):
    for name in MODULE.findall(text_of(path)):
        assert is_there(name) or name.endswith(FILES), name


def test_names_that_do_not_exist_would_be_found():
    assert not is_there("spd.native.query")
    assert not is_there("spd.scenes.region.nothing")
    assert is_there("spd.scenes.regions.Box.sample")
    assert "run" not in commands()
    assert list(options_said("run spd export onnx X -o Y --int8, or omit --runtime")) == [
        ("export onnx", "--int8"),
        ("", "--runtime"),
    ]
    assert "--int8" not in OPTIONS["query"]
    assert COMMAND.findall("start one with: spd experiment run -o X") == [("experiment", "run")]
