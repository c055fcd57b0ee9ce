"""Write docs/reference/commands.md from the commands themselves.

python tools/commands_page.py
"""

import enum
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from spd.cli.commands import app

OUT = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"

HEAD = """# Commands

<!-- Made by tools/commands_page.py from the commands themselves; change their help instead. -->

What `spd COMMAND --help` prints. A wrong input is one line on stderr and exit code 2, an
interruption 130. Options that take several values take them after each other (`--points 3,4 5,6`)
or repeated.
"""
WORDS = {str: "text", int: "whole number", float: "number", Path: "path"}


def page() -> str:
    """Every command with its arguments and options, as Markdown."""
    return "\n".join([HEAD, *_sections(typer.main.get_command(app), "spd")])


def _sections(command: Any, name: str) -> Iterator[str]:
    """A section for a command, or one for each of a group's."""
    if hasattr(command, "commands"):
        for word, below in command.commands.items():
            yield from _sections(below, f"{name} {word}")
        return
    shown = [parameter for parameter in command.params if not parameter.hidden]
    arguments = [p for p in shown if not p.opts[0].startswith("-")]
    words = (p.opts[0].upper() + " ..." * (p.nargs != 1) for p in arguments)
    yield f"## {name}\n"
    yield _linked(re.sub(r"\s*\x08\s*", "\n\n", command.help).strip()) + "\n"
    yield f"```\n{' '.join([name, *words, '[OPTIONS]'])}\n```\n"
    hints = typing.get_type_hints(command.callback)
    panels: dict[str, list[Any]] = {}
    for parameter in shown:
        panels.setdefault(parameter.rich_help_panel or "", []).append(parameter)
    for panel, parameters in panels.items():
        if panel:
            yield f"**{panel}**\n"
        yield "| option | takes | |\n|---|---|---|"
        yield from (_row(parameter, _in_words(hints[parameter.name])) for parameter in parameters)
        yield ""


def _in_words(hint: Any) -> str:
    """What a parameter of this type takes; nothing for a switch."""
    if hint is bool:
        return ""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _in_words(next(h for h in typing.get_args(hint) if h is not type(None)))
    if typing.get_origin(hint) is list:
        return f"{_in_words(typing.get_args(hint)[0])}, several"
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(hint))
    if issubclass(hint, enum.Enum):
        return ", ".join(f"`{choice.value}`" for choice in hint)
    return WORDS[hint]


def _row(parameter: Any, takes: str) -> str:
    names = [name if name.startswith("-") else name.upper() for name in parameter.opts]
    notes = []
    if parameter.required:
        notes.append("Required.")
    elif parameter.default not in (None, False, [], ()):
        notes.append(f"Default: `{parameter.default}`.")
    said = " ".join([_linked(parameter.help or ""), *notes])
    shown = ", ".join(f"`{name}`" for name in [*names, *parameter.secondary_opts])
    return f"| {shown} | {takes} | {_cell(said)} |"


def _linked(text: str) -> str:
    """A help text as Markdown: brackets are brackets, names of pages are links; code stays."""

    def shown(found: re.Match[str]) -> str:
        if found["page"]:
            return f"[{found['page']}](../{found['page']})"
        return found[0] if found["code"] else f"\\{found[0]}"

    return re.sub(r"(?P<code>`[^`]*`)|docs/(?P<page>\w+\.md)|[\[<]", shown, text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    OUT.write_text(page(), encoding="utf-8")
