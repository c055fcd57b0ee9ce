"""The site as a reader sees it, on a desk and on a phone: served here, it asks nobody else."""

import functools
import http.server
import threading
from collections.abc import Iterator

import pytest

from helpers.built_site import build, copy_sources
from helpers.chromium import DESK, MARKS, PHONE, chromium

pytest.importorskip("zensical", reason="the site is built by it (pip install -e '.[docs]')")
pytest.importorskip("mkdocstrings_handlers.python", reason="the Python reference is made by it")
pytestmark = MARKS


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    folder = copy_sources(tmp_path_factory.mktemp("served"))
    assert build(folder).returncode == 0
    handler = functools.partial(Quiet, directory=folder / "out" / "site")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        yield context


PAGES = ["index.html", "concepts.html", "results.html", "reference/python.html", "conventions.html"]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_fit_the_window_and_ask_nobody_else(address, browser, viewport):
    page = browser.new_page()
    page.set_viewport_size(viewport)
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    for name in PAGES:
        page.goto(address + name)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, name
        pictures = page.eval_on_selector_all("article img", "all => all.map(i => i.naturalWidth)")
        assert all(width > 100 for width in pictures), name
    assert [url for url in requests if not url.startswith(address)] == []
    assert messages == []
    page.close()


def test_the_search_finds_a_heading_and_leads_to_it(address, browser):
    page = browser.new_page()
    page.goto(address + "index.html")
    field = page.locator("input:visible")
    for _ in range(120):  # the key does nothing before the page has set its search up
        page.keyboard.press("Control+k")
        page.wait_for_timeout(500)
        if field.count():
            break
    field.fill("tape")
    page.get_by_text("Calibrating with a").first.click()
    page.wait_for_url("**/photos.html*#calibrating-with-a-tape-measure")
    page.close()
