"""The page of examples/web, when answers of its network come late; the network is a stand-in."""

import re

import numpy as np
import pytest

from helpers.page_service import encoded
from helpers.page_visit import MARKS, chromium
from helpers.paths import EXAMPLES

pytestmark = MARKS
WEB = EXAMPLES / "web"
ADDRESS = "http://example.test/"
ABOUT = '{"model": {"camera": {"fov_deg": 63.3, "focal_px": 181.6}}}'
# Encodings wait in `held`; the n-th of them, from 1, answers n metres everywhere.
RUNTIME = """
globalThis.held = [];
const waiting = () => new Promise((go) => {
  const metres = held.length + 1;
  held.push(() => go({ l1: metres }));
});
const metres = async ({ l1 }) => ({ depth_m: { data: [l1] } });
export const env = { wasm: {} };
export class Tensor {}
export const InferenceSession = {
  create: async (graph) => ({ run: graph.includes("encode") ? waiting : metres }),
};
"""
KINDS = {".html": "text/html", ".js": "text/javascript"}


@pytest.fixture
def page(tmp_path):
    def answer(route):
        name = route.request.url.removeprefix(ADDRESS) or "index.html"
        if "onnxruntime" in name:
            route.fulfill(body=RUNTIME, content_type=KINDS[".js"])
        elif name == "model/export.json":
            route.fulfill(body=ABOUT)
        else:
            file = WEB / name
            route.fulfill(body=file.read_bytes(), content_type=KINDS[file.suffix])

    with chromium(tmp_path) as browser:
        opened = browser.new_page()
        opened.set_default_timeout(20_000)
        opened.route("**/*", answer)
        opened.goto(ADDRESS)
        opened.wait_for_function("!document.getElementById('file').disabled")
        yield opened


def choose(page, width: int, encodings: int) -> None:
    """Choose a photo, and wait until so many went to the network."""
    data = encoded(picture=np.zeros((60, width, 3), np.uint8))
    file = {"name": f"{width}.png", "mimeType": "image/png", "buffer": data}
    page.set_input_files("#file", files=[file])
    page.wait_for_function("count => held.length === count", arg=encodings)


def let_go(page, encoding: int) -> None:
    """Answer an encoding, and give the page its turn."""
    page.evaluate(
        "async (n) => { held[n](); await new Promise((go) => setTimeout(go)); }", encoding
    )


def asked(page) -> tuple[float, float]:
    """Column and depth in metres at the canvas's right border."""
    page.click("#photo", position={"x": page.locator("#photo").bounding_box()["width"] - 1, "y": 9})
    page.wait_for_function("document.getElementById('said').textContent.startsWith('(')")
    said = page.text_content("#said")
    return float(re.match(r"\(([\d.]+)", said)[1]), float(re.search(r"([\d.]+) m along", said)[1])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_photo_is_asked_on_its_own_encoding(page, order):
    choose(page, 100, 1)
    choose(page, 200, 2)
    for encoding in order:
        let_go(page, encoding)
        if encoding == 0 and order[0] == 0:  # of the photo before, and nothing is asked of it
            assert page.text_content("#said") == "encoding ..."
    assert page.evaluate("document.getElementById('photo').width") == 200
    column, depth_m = asked(page)
    assert column == pytest.approx(199, abs=1)
    assert depth_m == 2


def test_another_focal_length_is_another_encoding(page):
    choose(page, 100, 1)
    page.fill("#focal", "150")
    page.press("#focal", "Tab")
    page.wait_for_function("held.length === 2")
    let_go(page, 1)
    let_go(page, 0)
    assert page.text_content("#said") == "click the photo; focal length 150.0 px"
    assert asked(page)[1] == 2
