"""The experiment's pictures: discs that hide nothing, axes and captions that mislead nobody."""

import itertools

import numpy as np
import pytest
from PIL import Image

from research import plots
from research.experiment.plots import attention_picture, latency_plot, seeds_plot
from spd.figures.canvas import Canvas

GREY = 200
ORANGE = np.array([0xD5, 0x5E, 0x00])
BLUE = np.array([0x00, 0x72, 0xB2])


@pytest.fixture
def canvases(monkeypatch) -> list[Canvas]:
    """Every canvas that is drawn on."""
    made: list[Canvas] = []

    class Kept(Canvas):
        def __init__(self, *sizes: float) -> None:
            super().__init__(*sizes)
            made.append(self)

    monkeypatch.setattr(plots, "Canvas", Kept)
    return made


def attention_pixels(path, places: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The panel of one map, 330 pixels for 110 of a grey photo around (100, 100)."""
    photo = np.full((200, 200, 3), GREY, np.uint8)
    file = attention_picture(
        photo,
        (100.0, 100.0),
        [places],
        [np.full(len(places), 0.04)],
        [own],
        path / "a.png",
        captions=["the query", "a map"],
        title="",
        reach_px=55.0,
    )
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB")).astype(int)[70:400, 360:690]


def pixel(panel: np.ndarray, u: float, v: float) -> np.ndarray:
    """Three pixels of the panel are one of the photo, and its left end is 45."""
    return panel[round((v - 45) * 3), round((u - 45) * 3)]


def lattice(step: float) -> np.ndarray:
    v, u = np.mgrid[-2:3, -2:3] * step
    return np.stack([u.ravel(), v.ravel()], axis=1) + 100


def test_discs_leave_room_between_them_and_the_photo_shows_through(tmp_path):
    own = np.arange(25) % 5 == 0
    panel = attention_pixels(tmp_path, lattice(20), own)
    for v in (60, 80, 100, 120, 140):
        for u in (60, 80, 100, 120):
            assert (pixel(panel, u + 10, v) == GREY).all()
            assert (pixel(panel, v, u + 10) == GREY).all()
    assert np.abs(pixel(panel, 60, 60) - (BLUE + GREY) / 2).max() <= 2
    assert np.abs(pixel(panel, 80, 60) - (ORANGE + GREY) / 2).max() <= 2


def test_the_own_surface_is_outlined_and_lies_on_top(tmp_path):
    places = np.concatenate([lattice(20), [[80.0, 80.0]]])  # clipped at a border two fall together
    for mine in (6, 25):  # whichever comes first
        panel = attention_pixels(tmp_path, places, np.arange(26) == mine)
        dark = panel.max(axis=-1) < 60
        around = dark[(80 - 45 - 10) * 3 : (80 - 45 + 10) * 3, (80 - 45 - 10) * 3 :][:, :60]
        assert around.sum() > 100
        assert (dark.sum() - around.sum()) < 200  # the cross of the query
        top = pixel(panel, 80, 80)
        under = (ORANGE + GREY) / 2
        assert np.abs(top - (BLUE + under) / 2).max() <= 3


VALUES = {
    name: {"si_f1": [0.0, 0.0], "r1_f1": [0.25, 0.5], "AbsRel": [0.20001, 0.27999]} for name in "ab"
}


def test_a_share_of_edges_is_drawn_from_zero_on(tmp_path, canvases):
    panels = (("si_f1", "none"), ("r1_f1", "some"), ("AbsRel", "error"))
    seeds_plot(VALUES, tmp_path / "s.png", panels=panels, title="")
    none, some, error = canvases[0].figure.axes
    assert none.get_xlim() == (0, 0.1)
    assert some.get_xlim() == pytest.approx((0, 0.525))
    assert error.get_xlim()[0] > 0.19


@pytest.mark.parametrize(("key", "most"), [("AbsRel", 0.1), ("si_f1", 0.0), ("si_f1", 1e-4)])
def test_labels_of_panels_side_by_side_stay_apart(tmp_path, canvases, key, most):
    panels = [(key, "a number")] * 4
    values = {name: {key: [0.0, most]} for name in "ab"}  # a label at either end
    seeds_plot(values, tmp_path / "s.png", panels=panels, title="")
    canvases[0].agg.draw()
    boxes = [
        [
            label.get_window_extent()
            for label, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
            if axes.get_xlim()[0] <= place <= axes.get_xlim()[1]
        ]
        for axes in canvases[0].figure.axes
    ]
    for left, right in itertools.pairwise(boxes):
        assert right[0].x0 - left[-1].x1 > 16


def test_a_caution_stands_above_the_times_and_dashes_are_explained(tmp_path, canvases):
    times = {"v15.2": {"K=1": 1.0, "K=64": 2.0, "dense": 30.0}}
    latency_plot(times, tmp_path / "l.png", title="Time", caution="Caution: " + "busy " * 30)
    latency_plot(times, tmp_path / "m.png", title="Time")
    said, silent = ([t.get_text() for t in canvas.figure.texts] for canvas in canvases)
    assert silent == ["Time"]
    assert said[0] == "Time"
    assert " ".join(said[1:]).startswith("Caution: busy busy")
    first = canvases[0].figure.axes[0]
    assert "dashed, in the same colour: the whole dense map" in first.get_xlabel()
    line, dashes = first.get_lines()
    assert line.get_color() == dashes.get_color()
