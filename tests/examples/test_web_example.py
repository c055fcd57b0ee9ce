"""The web example: its module under Node against Python, and the page in a browser.

Needs Node and `npm install onnxruntime-web`, here or in the folder that ONNXRUNTIME_WEB names;
the page also Chromium.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import spd
from helpers.example_scripts import EXAMPLES, picture, save
from spd.photos.plan import ImagePlan

pytestmark = pytest.mark.slow  # `make test-slow` brings the web runtime
ROOT = EXAMPLES.parent
WEB = EXAMPLES / "web"
MODEL = Path(spd.__file__).parent / "shipped" / "onnx"
FOCAL_PX = 181.6  # the training camera's, so that the scale is 1
CLOSE = 1e-4  # relative, of sums in another order; tests/helpers/exports.py has the same
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def runtime() -> Path:
    folder = Path(os.environ.get("ONNXRUNTIME_WEB", ROOT)) / "node_modules" / "onnxruntime-web"
    if shutil.which("node") is None or not folder.is_dir():
        pytest.skip("needs Node and onnxruntime-web: npm install onnxruntime-web")
    return folder


@pytest.fixture(scope="module")
def predictor():
    return spd.load(device="cpu")


@pytest.fixture
def ask(runtime, tmp_path):
    def asked(*requests: dict) -> list[dict]:
        (tmp_path / "request.json").write_text(json.dumps(requests))
        script = Path(__file__).with_name("web_ask.mjs")
        done = subprocess.run(
            ["node", script, runtime, WEB / "spd.js", MODEL, tmp_path / "request.json"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return asked


def test_a_photo_becomes_the_same_input_as_in_python(ask, predictor):
    cases = [(480, 640, 518.9), (640, 480, 518.9), (60, 80, 50_000.0), (30, 2000, 300.0), (9, 9, 7)]
    cases += [(1000, 1000, 50.0), (600, 1400, 70.0)]  # larger than an input may be
    requests = [{"height": h, "width": w, "focalPx": focal} for h, w, focal in cases]
    answers = ask(*requests)
    for (height, width, focal_px), answer in zip(cases, answers, strict=True):
        plan = ImagePlan.make((height, width), predictor.config.camera, float(focal_px))
        found = answer["plan"]
        assert (found["rows"], found["columns"]) == plan.model_size
        assert found["scale"] == pytest.approx(plan.scale, rel=1e-12)
        assert found["depthFactor"] == pytest.approx(plan.depth_factor, rel=1e-12)


def test_an_export_of_one_size_is_filled_up_or_refused(ask):
    one = {"height": 480, "width": 640, "focalPx": 518.9}
    fits, refused = ask({**one, "imageSize": [182, 238]}, {**one, "imageSize": [154, 224]})
    assert (fits["plan"]["rows"], fits["plan"]["columns"]) == (182, 238)
    assert refused["error"] == "the photo needs 224x168 and the model takes 224x154"


@pytest.mark.filterwarnings("ignore:the photo covers")  # small photos are quick
def test_the_metres_are_those_of_python(ask, predictor, tmp_path):
    points = [[0, 0], [40.25, 12.5], [79.5, 59.5], [79, 59]]
    requests, expected = [], []
    for number, (seed, scale, focal_px, size) in enumerate(
        [(0, 1.0, FOCAL_PX, (60, 80)), (1, 0.5, 2 * FOCAL_PX, (30, 40)), (2, 0.25, 5e4, (15, 20))]
    ):
        # The photo as the page would scale it; Python is given it at that size.
        pixels = picture(*size, seed=seed)
        rgba = np.concatenate([pixels, np.full((*size, 1), 255, np.uint8)], axis=2)
        file = tmp_path / f"{number}.rgba"
        file.write_bytes(rgba.tobytes())
        given = {"width": size[1], "height": size[0], "file": str(file)}
        requests.append(
            {"width": 80, "height": 60, "focalPx": focal_px, "pixels": given, "points": points}
        )
        scene = predictor.encode(pixels, focal_px=FOCAL_PX)
        assert scene.plan.scale == 1
        factor = ImagePlan.make((60, 80), predictor.config.camera, focal_px).depth_factor
        expected.append(scene.depth_at((np.array(points) + 0.5) * scale - 0.5) * factor)
    for answer, metres in zip(ask(*requests), expected, strict=True):
        np.testing.assert_allclose(answer["depthM"], metres, rtol=CLOSE)


@contextlib.contextmanager
def served(folder: Path):
    """The address at which a folder is to be had, as `python -m http.server` gives it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def page(runtime, tmp_path):
    """The page as its README sets it up, opened in Chromium."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (apt install chromium)")
    from playwright.sync_api import sync_playwright

    folder = tmp_path / "web"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules", "model"))
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "onnxruntime-web").symlink_to(runtime)
    (folder / "model").symlink_to(MODEL)
    with served(folder) as address, sync_playwright() as playwright:
        flags = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        opened = browser.new_page()
        opened.errors = []
        opened.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.goto(address)
        yield opened
        browser.close()


def said(page, begins: str) -> str:
    page.wait_for_function(
        "text => document.getElementById('said').textContent.startsWith(text)", arg=begins
    )
    return page.text_content("#said")


def test_a_click_in_the_page_says_metres(page, predictor, tmp_path):
    pixels = picture(240, 320)
    said(page, "choose a photo")
    page.fill("#focal", str(FOCAL_PX))
    page.set_input_files("#file", save(tmp_path / "photo.png", pixels))
    assert said(page, "click the photo") == "click the photo; focal length 181.6 px"
    page.click("#photo", position={"x": 100, "y": 50})
    found = re.fullmatch(
        r"\(([\d.]+), ([\d.]+)\): ([\d.]+) m away, ([\d.]+) m along the viewing direction",
        said(page, "("),
    )
    u, v, range_m, depth_m = (float(number) for number in found.groups())
    assert (u, v) == pytest.approx((99.5, 49.5), abs=1)
    scene = predictor.encode(pixels, focal_px=FOCAL_PX)
    assert depth_m == pytest.approx(scene.depth_at([(u, v)])[0], abs=0.006)  # two decimals
    assert range_m == pytest.approx(scene.range_at([(u, v)])[0], abs=0.006)
    assert page.errors == []


def test_without_a_focal_length_the_page_says_what_it_assumes(page, tmp_path):
    said(page, "choose a photo")
    page.set_input_files("#file", save(tmp_path / "photo.png", picture(240, 320)))
    assert "assumed from 63.3 degrees: metres rest on it" in said(page, "click the photo")
    (tmp_path / "no.png").write_bytes(b"no picture")
    page.set_input_files("#file", tmp_path / "no.png")
    page.wait_for_function("!document.getElementById('said').textContent.startsWith('click')")
    assert page.errors == []
