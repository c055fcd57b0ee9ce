"""A visit to the page: what a person does there, and what was logged and asked for meanwhile."""

import contextlib
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.chromium import DESK, MARKS, PHONE, chromium

__all__ = [
    "DESK",
    "MARKS",
    "PHONE",
    "Finger",
    "Visit",
    "chromium",
    "near",
    "place",
    "touching",
    "visiting",
]


class Visit:
    """One page in the browser."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[Any] = []
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))
        page.goto(address)

    def asked(self, ending: str) -> list[Any]:
        """The requests whose address ends like this."""
        return [request for request in self.requests if request.url.endswith(ending)]

    # What a person does

    def choose(self, data: bytes, name: str = "photo.png", kind: str = "image/png") -> None:
        """Give the page a file, whatever comes of it."""
        file = {"name": name, "mimeType": kind, "buffer": data}
        self.page.set_input_files("#file", files=[file])

    def open(self, data: bytes, name: str = "photo.png", kind: str = "image/png") -> None:
        """Choose a photo and wait until it may be asked."""
        self.choose(data, name, kind)
        self.page.locator("#name", has_text=name).wait_for()

    def give_focal(self, value: float, way: str = "focal_px") -> None:
        """Fill in the form; it may be refused."""
        if not self.page.locator("#focal-form").is_visible():
            self.page.click("#focal-details summary")
        self.page.select_option("#focal-way", way)
        self.page.fill("#focal-value", f"{value:g}")
        self.page.click("#focal-form button")

    def open_with_focal(self, data: bytes, focal_px: float) -> None:
        """Choose a photo whose focal length is known."""
        self.open(data)
        self.give_focal(focal_px)
        self.page.locator("#focal-now", has_text="as given").wait_for()

    def mode(self, name: str) -> None:
        """Point, distance, path or box."""
        self.page.check(f"[name=mode][value={name}]", force=True)

    def at(self, x: float, y: float) -> tuple[int, int]:
        """Whole pixels of the window at a share of the photo, as a mouse has them."""
        box = self.page.locator("#image").bounding_box()
        return round(box["x"] + x * box["width"]), round(box["y"] + y * box["height"])

    def under(self, spot: tuple[int, int]) -> tuple[float, float]:
        """(u, v) at the middle of the screen's pixel that a mouse at `spot` points to.

        Integers are centres: half of one photo's pixel lies to the left of u = 0.
        """
        box = self.page.locator("#image").bounding_box()
        size = [int(number) for number in re.findall(r"(\d+) × (\d+)", self.shown("#name"))[-1]]
        u = (spot[0] + 0.5 - box["x"]) / box["width"] * size[0] - 0.5
        v = (spot[1] + 0.5 - box["y"]) / box["height"] * size[1] - 0.5
        return u, v

    def click(self, x: float, y: float) -> tuple[float, float]:
        """Click at a share of the photo; where that is in it."""
        spot = self.at(x, y)
        self.page.mouse.click(*spot)
        return self.under(spot)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> list[tuple]:
        """Drag from one share of the photo to another; where those are in it."""
        spots = [self.at(*start), self.at(*end)]
        self.page.mouse.move(*spots[0])
        self.page.mouse.down()
        self.page.mouse.move(*spots[1], steps=4)
        self.page.mouse.up()
        return [self.under(spot) for spot in spots]

    # What a person sees

    def answers(self, count: int) -> list[str]:
        """The bold numbers of the table, once there are so many and none is awaited."""
        from playwright.sync_api import expect

        answers = self.page.locator("#rows .answer > span")
        expect(answers).to_have_count(count)
        expect(answers.filter(has_text="…")).to_have_count(0)
        return answers.all_inner_texts()

    def shown(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def csv(self) -> list[dict[str, str]]:
        """The rows of the file that is downloaded."""
        with self.page.expect_download() as download:
            self.page.click("#download")
        text = Path(download.value.path()).read_bytes().decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))


def near(place: Any) -> Any:
    """A place that a browser found: it lays out in 1/64 px, and asks hundredths of a pixel."""
    return pytest.approx(tuple(place), abs=0.02)


def place(row: dict, end: str = "0") -> tuple[float, float]:
    """(u, v) of one end in a row of the file that is downloaded."""
    return float(row[f"u{end}"]), float(row[f"v{end}"])


@contextlib.contextmanager
def visiting(browser: Any, address: str, viewport: dict = DESK) -> Iterator[Visit]:
    """A new tab of a browser; its session storage is empty."""
    page = browser.new_page()
    page.set_viewport_size(viewport)
    visit = Visit(page, address)
    try:
        yield visit
    finally:
        page.close()


@contextlib.contextmanager
def touching(browser: Any, address: str) -> Iterator[Visit]:
    """A visit in a window of a phone's size that fingers touch."""
    context = browser.browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    try:
        with visiting(context, address, PHONE) as visit:
            yield visit
    finally:
        context.close()


class Finger:
    """A finger on the window of a visit, which stays down between its moves."""

    def __init__(self, visit: Visit) -> None:
        self._session = visit.page.context.new_cdp_session(visit.page)

    def _send(self, kind: str, *spots: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in spots]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def down(self, spot: tuple[float, float]) -> None:
        self._send("touchStart", spot)

    def move(self, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
        for step in range(1, steps + 1):
            share = step / steps
            self._send(
                "touchMove",
                (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])),
            )

    def up(self) -> None:
        self._send("touchEnd")
