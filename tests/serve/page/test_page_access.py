"""Who gets in, what the page asks for and logs, how it looks on a phone and in the dark."""

import numpy as np
import pytest

from helpers.page_service import FOCAL_PX, encoded, scene, serving
from helpers.page_visit import MARKS, PHONE, near, touching, visiting

pytestmark = MARKS
TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def guarded():
    with serving(TOKEN) as running:
        yield running


def give_token(visit, token: str) -> None:
    visit.page.locator("#token-dialog[open]").wait_for()
    visit.page.fill("#token", token)
    visit.page.click("#token-dialog button.primary")


def test_the_page_asks_for_the_token_and_keeps_it_for_the_tab(browser, guarded):
    with visiting(browser, guarded.address) as visit:
        give_token(visit, "wrong-token-of-enough-length")
        visit.page.locator("#token-refused", has_text="rejected that token").wait_for()
        give_token(visit, TOKEN)
        visit.page.locator("#model", has_text="shipped").wait_for()
        visit.open(encoded())
        visit.click(0.5, 0.5)
        assert len(visit.answers(1)) == 1
        visit.page.reload()
        visit.page.locator("#model", has_text="shipped").wait_for()
        assert not visit.page.locator("#token-dialog").is_visible()
        assert visit.page.evaluate("localStorage.length") == 0
        assert not any(TOKEN in request.url for request in visit.requests)
    with visiting(browser, guarded.address) as another:
        another.page.locator("#token-dialog[open]").wait_for()


def test_the_page_does_not_ask_again_for_a_token_that_was_not_given(browser, guarded):
    with visiting(browser, guarded.address) as visit:
        visit.page.locator("#token-dialog[open]").wait_for()
        visit.page.keyboard.press("Escape")
        visit.page.locator("#status.failed", has_text="Reload this page").wait_for()
        visit.choose(encoded())
        visit.page.locator("#status.failed", has_text="Reload this page").wait_for()
        assert not visit.page.locator("#token-dialog").is_visible()


def test_a_token_that_no_header_can_carry_is_refused(browser, guarded):
    with visiting(browser, guarded.address) as visit:
        give_token(visit, "tökén with spaces")
        assert visit.page.locator("#token-dialog").is_visible()
        visit.page.fill("#token", f" {TOKEN}\t")  # as it comes when it is pasted
        visit.page.click("#token-dialog button.primary")
        visit.page.locator("#model", has_text="shipped").wait_for()


def test_a_whole_visit_logs_nothing_and_sends_nothing_elsewhere(browser, served):
    with visiting(browser, served.address) as visit:
        visit.open_with_focal(encoded(), FOCAL_PX)
        for mode in ("point", "distance", "box"):
            visit.mode(mode)
            visit.click(0.2, 0.3)
            visit.click(0.7, 0.6)
        visit.page.check("#overlay")
        visit.page.locator("#legend.shown").wait_for()
        visit.answers(4)
        addresses = {request.url for request in visit.requests}
        own = {url for url in addresses if url.startswith(f"{served.address}/")}
        assert visit.messages == []
        assert all(url.startswith(("blob:", "data:")) for url in addresses - own)
        assert any("/v1/images/" in url for url in own)


def test_the_content_security_policy_stops_injected_scripts(browser, served):
    with visiting(browser, served.address) as visit:
        visit.page.evaluate("document.body.append(Object.assign(new Image(), {src: '/x.png'}))")
        visit.page.wait_for_timeout(200)
        assert any("Content Security Policy" in message for message in visit.messages)


def test_html_in_a_file_name_is_shown_as_text(browser, served):
    name = "<img src=x onerror=alert(1)>.png"
    with visiting(browser, served.address) as visit:
        visit.open(encoded(), name)
        visit.click(0.5, 0.5)
        visit.answers(1)
        visit.open(encoded(), "other.png")
        visit.click(0.5, 0.5)
        visit.answers(2)
        assert name in visit.shown("#rows")
        assert visit.page.locator("main img").count() == 1


def test_the_shipped_model_has_a_warning_about_synthetic_rooms(browser, served):
    with visiting(browser, served.address) as visit:
        visit.page.locator("#worth", has_text="synthetic rooms only").wait_for()
        assert visit.shown("#model").startswith("SPD’s shipped model · 2.2 M parameters")


def test_another_model_does_not_have_that_warning(browser, served):
    with visiting(browser, "about:blank") as visit:
        model = {"name": "runs/mine", "parameters": None, "runtime": "torch", "limits": {}}
        visit.page.route("**/v1/model", lambda route: route.fulfill(json=model))
        visit.page.goto(served.address)
        visit.page.locator("#model", has_text="runs/mine").wait_for()
        assert visit.shown("#worth") == ""


@pytest.fixture
def phone(browser, served):
    with touching(browser, served.address) as visit:
        yield visit


def test_a_tap_pins_a_point_and_nothing_is_wider_than_the_phone(phone):
    page = phone.page
    assert page.locator("#camera").get_attribute("capture") == "environment"
    assert page.locator(".camera").is_visible()
    assert phone.shown("#source .invitation >> nth=0") == "Choose or take a photo"
    phone.open_with_focal(encoded(), FOCAL_PX)
    page.locator("#stage").scroll_into_view_if_needed()
    spot, box = phone.at(0.4, 0.6), page.locator("#image").bounding_box()
    page.touchscreen.tap(*spot)
    (shown,) = phone.answers(1)
    row = phone.csv()[0]
    place = (float(row["u0"]), float(row["v0"]))
    # A finger says where it is; a pixel of the screen is large here, so half of one would show.
    expected = [
        (at - box[side]) / box[length] * count - 0.5
        for at, side, length, count in zip(
            spot, ("x", "y"), ("width", "height"), (320, 240), strict=True
        )
    ]
    assert place == near(expected)
    assert shown == f"{scene(encoded()).depth_at([place])[0]:.2f} m"
    phone.mode("distance")
    page.touchscreen.tap(*phone.at(0.1, 0.2))
    page.touchscreen.tap(*phone.at(0.9, 0.8))
    phone.mode("box")
    page.touchscreen.tap(*phone.at(0.3, 0.3))
    page.touchscreen.tap(*phone.at(0.7, 0.9))
    assert len(phone.answers(3)) == 3
    page.check("#overlay")
    page.locator("#legend.shown").wait_for()
    for summary in page.locator("summary").all():
        if not summary.evaluate("s => s.parentElement.open"):
            summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert phone.messages == []


def test_the_layout_does_not_move_while_answers_arrive(browser, served):
    with visiting(browser, served.address) as visit:
        visit.open_with_focal(encoded(), FOCAL_PX)
        boxes = lambda: [  # noqa: E731
            visit.page.locator(name).bounding_box()
            for name in ("#stage", "#reading", "#asked-title", "#legend")
        ]
        before = boxes()
        visit.click(0.5, 0.5)
        visit.answers(1)
        visit.mode("distance")
        visit.mode("box")
        visit.page.check("#overlay")
        visit.page.locator("#legend.shown").wait_for()
        assert boxes() == before


def test_light_and_dark_mode_are_readable(browser, served):
    """Text against its background has 4.5 to 1 or more, WCAG's measure."""
    with visiting(browser, served.address) as visit:
        visit.open(encoded())
        visit.click(0.5, 0.5)
        visit.answers(1)
        pages = set()
        for scheme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=scheme)
            pages.add(colours(visit, "body")[1])
            for name in (
                "body", ".soft", "#worth", "summary", ".choice :checked + span", "#focal-now",
                "#rows small", "#hint-line", "#reading dd", "#clear", ".label",
            ):  # fmt: skip
                assert contrast(*colours(visit, name)) >= 4.5, (scheme, name)
        assert len(pages) == 2


def colours(visit, selector: str) -> list[tuple[float, ...]]:
    """Of the text, and of what lies behind it."""
    found = visit.page.eval_on_selector(
        selector,
        """element => {
            const ink = getComputedStyle(element).color;
            let back = element;
            const clear = (e) => /, 0\\)$/.test(getComputedStyle(e).backgroundColor);
            while (clear(back) && back.parentElement) back = back.parentElement;
            return [ink, getComputedStyle(back).backgroundColor];
        }""",
    )
    return [
        tuple(float(n) for n in text[text.index("(") + 1 : -1].split(",")[:3]) for text in found
    ]


def contrast(ink: tuple[float, ...], back: tuple[float, ...]) -> float:
    light = []
    for colour in (ink, back):
        share = np.array(colour) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        light.append(linear @ [0.2126, 0.7152, 0.0722])
    return (max(light) + 0.05) / (min(light) + 0.05)
