"""The pages of the documentation as Markdown: their fenced blocks, headings and links."""

import re
from pathlib import Path
from typing import NamedTuple

from helpers.paths import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str


def name_of(path: Path) -> str:
    """`README.md`, `photos.md`, `reference/python.md`."""
    return str(path.relative_to(DOCS if path.is_relative_to(DOCS) else ROOT))


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in its order."""
    text = path.read_text(encoding="utf-8")
    return [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)]


def commands(page: Path) -> list[str]:
    """The commands in a page's shell blocks, each on one line, without comments."""
    shell = [block.text for block in blocks(page) if block.language in ("", "bash")]
    lines = re.sub(r"\\\n\s*", "", "".join(shell)).splitlines()
    found = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return [line for line in found if line]


def prose(path: Path) -> str:
    """A page without its code."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", "`code`", text)


def links(path: Path) -> list[str]:
    """Where the links and pictures of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(path))


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}
