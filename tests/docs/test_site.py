"""The documentation site builds without a warning, and nothing in it leads nowhere or elsewhere."""

import re
import tomllib

import pytest

import spd
from helpers.built_site import BuiltSite, build, copy_sources
from helpers.doc_pages import DOCS, ROOT, links

pytest.importorskip("zensical", reason="the site is built by it (pip install -e '.[docs]')")
pytest.importorskip("mkdocstrings_handlers.python", reason="the Python reference is made by it")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> BuiltSite:
    folder = copy_sources(tmp_path_factory.mktemp("site"))
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return BuiltSite(folder / "out" / "site")


def navigation(entries: list) -> list[str]:
    """The files of a navigation, sections opened."""
    files = []
    for entry in entries:
        for below in entry.values():
            files += [below] if isinstance(below, str) else navigation(below)
    return files


def test_every_page_is_in_the_navigation_once():
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    named = navigation(config["nav"])
    assert sorted(named) == sorted(pages)


def test_every_page_is_built(site):
    built = {str(path.relative_to(site.folder)) for path in site.pages}
    pages = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}
    assert built == pages | {"404.html"}


def test_links_pictures_and_anchors_lead_somewhere(site):
    # What the page of errors links to depends on where it is shown.
    pages = [page for page in site.pages.values() if page.path.name != "404.html"]
    assert {page.path.name: site.dead(page) for page in pages if site.dead(page)} == {}
    assert sum(len(page.links) for page in pages) > 1000


def test_nothing_is_fetched_from_elsewhere(site):
    assert {
        page.path.name: found for page in site.pages.values() if (found := site.foreign(page))
    } == {}
    for sheet in site.folder.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//|@import", text) == [], sheet.name


def test_the_python_reference_has_signatures_parameters_and_errors(site):
    text = (site.folder / "reference" / "python.html").read_text(encoding="utf-8")
    anchors = site.pages[site.folder / "reference" / "python.html"].anchors
    for name in (
        "loading.load",
        "torch_predictor.Scene.depth_at",
        "torch_predictor.Predictor.encode",
    ):
        assert f"spd.predictors.{name}" in anchors
    assert "naming the first point that is not finite or outside" in text  # depth_at's Raises
    assert "channel order of an array or tensor" in text  # Args


def test_every_public_name_is_in_the_python_reference(site):
    anchors = site.pages[site.folder / "reference" / "python.html"].anchors
    for name in set(spd.__all__) - {"__version__"}:
        assert f"{getattr(spd, name).__module__}.{name}" in anchors, name


def test_no_markdown_is_left_over(site):
    """Lists and tables that GitHub shows without a blank line before them, and this does not."""
    for page in site.pages.values():
        text = page.path.read_text(encoding="utf-8")
        article = text[text.find("<article") : text.find("</article>")]
        for paragraph in re.findall(r"<p>(.*?)</p>", article, re.S):
            shown = re.sub(r"<code>.*?</code>|<[^>]+>", "", paragraph, flags=re.S)
            assert not re.search(r"(^|\n)([-*|]|\d+\.) |\*\*|\]\(|```", shown), (
                page.path.name,
                shown,
            )


@pytest.mark.parametrize(
    ("line", "sound"),
    [
        ("[there](photos.md#focal-length)", True),
        ("[gone](gone.md)", False),
        ("[gone](photos.md#gone)", False),
        ("::: spd.nothing", False),
        ("[`x`][spd.nothing.at_all]", False),
    ],
)
def test_a_broken_page_breaks_the_build(line, sound, tmp_path):
    copy_sources(tmp_path)
    for page in (tmp_path / "docs").rglob("*.md"):
        page.unlink()
    (tmp_path / "docs" / "photos.md").write_text("# Photos\n\n## Focal length\n")
    (tmp_path / "docs" / "concepts.md").write_text(f"# Concepts\n\n{line}\n")
    assert (build(tmp_path).returncode == 0) == sound


def test_what_the_build_does_not_see_is_seen_here(tmp_path):
    (tmp_path / "one.html").write_text(
        '<h1 id="here">x</h1><a href="two.html#there">a</a><a href="two.html#nowhere">b</a>'
        '<a href="#here">c</a><a href="#gone">d</a><img src="gone.png"><a href="https://a.b">e</a>'
        '<script src="https://a.b/c.js"></script><link href="//a.b/c.css"><a href="folder">f</a>'
    )
    (tmp_path / "two.html").write_text('<h1 id="there">x</h1><img src="data:image/png;base64,AA">')
    site = BuiltSite(tmp_path)
    one, two = site.pages.values()
    assert site.dead(one) == ["two.html#nowhere", "#gone", "folder", "gone.png"]
    assert site.foreign(one) == ["https://a.b/c.js", "//a.b/c.css"]
    assert (site.dead(two), site.foreign(two)) == ([], [])


def test_docs_link_to_docs_alone():
    """A page that leads out of docs/ has a dead link in the built site."""
    outside = [
        (page.name, target)
        for page in DOCS.rglob("*.md")
        for target in links(page)
        if not re.match("[a-z]+:", target)
        and not (page.parent / target.partition("#")[0]).resolve().is_relative_to(DOCS)
    ]
    assert outside == []
