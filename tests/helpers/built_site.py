"""The site built in a folder of its own: what each page has and what it asks for."""

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from helpers.doc_pages import DOCS, ROOT

LOADED = {  # what a browser fetches by itself
    ("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("link", "href"),
}  # fmt: skip


class BuiltPage(HTMLParser):
    """Anchors, links and fetched addresses of one HTML page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.update(found[key] for key in ("id", "name") if found.get(key))
        for key in ("href", "src"):
            if found.get(key) is not None:
                (self.loaded if (tag, key) in LOADED else self.links).append(found[key])


class BuiltSite:
    """All pages of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.pages = {path: BuiltPage(path) for path in sorted(self.folder.rglob("*.html"))}

    def dead(self, page: BuiltPage) -> list[str]:
        """The page's addresses within the site that lead to no file or no anchor."""
        return [address for address in page.links + page.loaded if not self._leads(page, address)]

    def _leads(self, page: BuiltPage, address: str) -> bool:
        if urlsplit(address).scheme or address.startswith("//"):
            return True
        file, anchor = urldefrag(address)
        start = self.folder if file.startswith("/") else page.path.parent
        target = (start / unquote(file).lstrip("/")).resolve() if file else page.path
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            return False
        return not anchor or unquote(anchor) in self.pages[target].anchors

    def foreign(self, page: BuiltPage) -> list[str]:
        """What the page fetches from elsewhere."""
        return [
            a for a in page.loaded if a.startswith("//") or urlsplit(a).scheme not in ("", "data")
        ]


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a folder as `make docs` does."""
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def copy_sources(folder: Path) -> Path:
    """Everything that the site is made of, where a build disturbs nothing."""
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    (folder / "src").symlink_to(ROOT / "src")
    return folder
