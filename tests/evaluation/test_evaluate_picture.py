"""The picture of the best, the median and the worst image, and its heading."""

import numpy as np
import pytest
from PIL import Image

from helpers.fakes import FakePredictor, make_sample
from spd.evaluate import PICTURE, evaluate


def drawn_by(monkeypatch, samples, folder):
    """The titles and the heading of the picture of these samples."""
    import spd.figures

    drawn = {}
    monkeypatch.setattr(
        spd.figures,
        "evaluation_sheet",
        lambda rows, path, heading: drawn.update(titles=[r.title for r in rows], heading=heading),
    )
    evaluate(
        FakePredictor(),
        iter(samples),  # spent once they are predicted
        folder,
        data="rooms:test",
        open_sample={sample.name: sample for sample in samples}.get,
    )
    return drawn


def test_best_median_and_worst_are_drawn_with_model_data_and_protocol(tmp_path, monkeypatch):
    samples = [make_sample(k) for k in (4, 0, 2, 1, 3)]
    drawn = drawn_by(monkeypatch, samples, tmp_path)
    assert drawn["titles"] == ["best of 5: room/00", "median of 5: room/02", "worst of 5: room/04"]
    model, protocol = drawn["heading"]
    assert model == "fake on rooms:test"
    assert protocol.startswith("protocol native: native pixels, 0.001 < d <= 10 m")


@pytest.mark.parametrize(
    ("count", "titles"),
    [
        (1, ["best and worst of 1: room/00"]),
        (2, ["best of 2: room/00", "worst of 2: room/01"]),
        (3, ["best of 3: room/00", "median of 3: room/01", "worst of 3: room/02"]),
        (4, ["best of 4: room/00", "median of 4: room/01", "worst of 4: room/03"]),
    ],
)
def test_titles_of_one_and_two_images(tmp_path, monkeypatch, count, titles):
    samples = [make_sample(k) for k in range(count)]
    assert drawn_by(monkeypatch, samples, tmp_path)["titles"] == titles


def test_the_picture_is_drawn_only_where_samples_can_be_opened(tmp_path):
    evaluate(FakePredictor(), [make_sample(0)], tmp_path)
    assert not (tmp_path / PICTURE).exists()


def test_a_heading_stands_above_the_picture_in_as_many_lines_as_it_needs(tmp_path):
    from spd.figures import SheetRow, evaluation_sheet

    depth_m = np.full((30, 40), 2.0, np.float32)
    row = SheetRow("best", np.zeros((30, 40, 3), np.uint8), depth_m, depth_m, 0.0, 1.0)
    heights = []
    for number, heading in enumerate(((), ("one",), ("one", "two"), ("word " * 60,))):
        path = evaluation_sheet([row], tmp_path / f"{number}.png", heading=heading)
        with Image.open(path) as picture:
            heights.append(picture.height)
    line = heights[1] - heights[0]
    assert line > 10
    assert heights[2] - heights[1] == pytest.approx(line, abs=1)
    assert heights[3] > heights[1]


def test_evaluate_draws_samples_that_it_can_open_again(tmp_path):
    sample = make_sample(0, size=(30, 40))
    evaluate(FakePredictor(), iter([sample]), tmp_path, open_sample={sample.name: sample}.get)
    with Image.open(tmp_path / PICTURE) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(("size", "kept"), [((30, 40), (30, 40)), ((600, 960), (300, 480))])
def test_the_photos_that_are_drawn_are_kept_small(tmp_path, size, kept):
    sample = make_sample(7, size=size)
    evaluate(FakePredictor(), [sample], tmp_path, open_sample={sample.name: sample}.get)
    (path,) = (tmp_path / "photos").iterdir()
    assert path.name == "room%2F07.png"
    with Image.open(path) as photo:
        assert (photo.height, photo.width) == kept
        assert photo.getextrema() == ((7, 7),) * 3
