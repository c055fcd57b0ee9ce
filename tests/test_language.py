"""Docstrings in `src` are plain English where a program can check it."""

import ast
import re
from collections.abc import Iterator

from helpers.paths import ROOT

PACKAGE = ROOT / "src" / "spd"
FILES = sorted(PACKAGE.rglob("*.py"))
BEGINNINGS = ("Of ", "Likewise", "The same", "As ", "What ")
"""A sentence that begins so has no subject, or points at another docstring."""


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """The line and text of every docstring: of the module, classes, functions and attributes."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = statement.value.value
                if isinstance(text, str):
                    yield statement.lineno, text


def unclear(source: str) -> list[tuple[int, str]]:
    """The docstrings that begin without a subject."""
    return [found for found in docstrings(source) if found[1].startswith(BEGINNINGS)]


def test_no_docstring_begins_without_a_subject():
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text.splitlines()[0]}"
        for path in FILES
        for line, text in unclear(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_something_is_not_a_thing_and_nothing_is_no_thing():
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    counts = {path.name: len(re.findall(r"\bis no\s", text)) for path, text in texts.items()}
    assert sum(counts.values()) < 10, {name: count for name, count in counts.items() if count}


def test_nothing_goes_on():
    found = [path.name for path in FILES if "goes on" in path.read_text(encoding="utf-8")]
    assert found == []


def test_unclear_docstrings_of_every_kind_are_found():
    source = (
        '"""Of a module."""\n'
        'class A:\n    """Likewise."""\n    x = 1\n    """The same in metres."""\n'
        '    def f(self):\n        """As `g`."""\n'
        '    def g(self):\n        """What is asked."""\n'
        '    def h(self):\n        """Offset in pixels."""\n'
    )
    assert [line for line, _ in unclear(source)] == [1, 3, 5, 7, 9]
