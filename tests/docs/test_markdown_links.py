"""Links as a repository shows the pages: they lead to files and headings."""

import re
from pathlib import Path

import pytest

from helpers.doc_pages import PAGES, ROOT, anchors, links, name_of

WRITTEN = [
    *PAGES,
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "examples").rglob("README.md")),
    *sorted((ROOT / "research").rglob("*.md")),
]
EXTERNAL = re.compile(r"https://[\w-]+(\.[\w-]+)+(/[^\s<>\"]*)?")


def complaint(page: Path, target: str) -> str | None:
    """What is wrong with a link of a page; the network is not asked."""
    if re.match(r"[a-z]+:", target):
        return None if EXTERNAL.fullmatch(target) else "is no https address"
    file, _, anchor = target.partition("#")
    found = (page.parent / file).resolve() if file else page
    if not found.exists():
        return "leads to no file"
    if not found.is_relative_to(ROOT):
        return "leads out of the repository"
    if anchor and (found.suffix != ".md" or anchor not in anchors(found)):
        return "leads to no heading"
    return None


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_links_lead_to_files_and_headings(page):
    found = {target: complaint(page, target) for target in links(page)}
    assert {target: wrong for target, wrong in found.items() if wrong} == {}


def test_there_are_links_to_check():
    assert sum(len(links(page)) for page in PAGES) > 50
    assert any("#" in target for page in PAGES for target in links(page))


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("two.md", None),
        ("two.md#second-part-two", None),
        ("#first", None),
        ("https://example.org/a?b=c#d", None),
        ("three.md", "leads to no file"),
        ("two.md#code", "leads to no heading"),
        ("#second-part-two", "leads to no heading"),
        ("http://example.org", "is no https address"),
        ("https://example", "is no https address"),
        ("file:two.md", "is no https address"),
    ],
)
def test_a_wrong_link_is_found(target, wrong, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "one.md"
    page.write_text(f"# First\n[a]({target}) and `[b](code.md)`\n")
    (tmp_path / "two.md").write_text("# Two\n```\n# code\n```\n## Second part: `two`\n")
    assert links(page) == [target]
    assert complaint(page, target) == wrong
