"""Tables of (image, point): each photo once, answers in the table's order."""

from pathlib import Path

import numpy as np
import pytest

from helpers.formula_scenes import wall
from spd.errors import InputError, PointError
from spd.scenes import ask_table


class Walls:
    """A predictor for whom a photo is a wall as many metres away as its name says."""

    def __init__(self) -> None:
        self.encoded: list[tuple[str, float | None]] = []

    def encode(self, image, *, focal_px=None):
        self.encoded.append((str(image), focal_px))
        return wall(float(str(image).removesuffix(".png")), size=(40, 60))


def test_each_photo_is_encoded_once_and_answers_keep_their_rows():
    walls = Walls()
    got = ask_table(walls, ["2.png", "3.png", "2.png", "5.png"], [(1, 1), (2, 2), (3, 3), (4, 4)])
    assert got.tolist() == [2, 3, 2, 5]
    assert got.dtype == np.float32
    assert [name for name, _ in walls.encoded] == ["2.png", "3.png", "5.png"]


def test_focal_lengths_are_of_all_photos_or_by_name():
    walls = Walls()
    ask_table(walls, ["2.png", "3.png"], [(1, 1), (2, 2)], {"3.png": 77.0})
    ask_table(walls, ["2.png"], [(1, 1)], 55.0)
    assert walls.encoded == [("2.png", None), ("3.png", 77.0), ("2.png", 55.0)]


def test_a_focal_length_is_of_the_file_however_its_path_is_written():
    walls = Walls()
    images = ["./2.png", "3.png", Path("5.png")]
    points = [(1, 1), (2, 2), (3, 3)]
    ask_table(walls, images, points, {"./2.png": 130.0, ".//3.png": 77.0, "5.png": 55.0})
    ask_table(walls, images[2:], points[2:], {Path("5.png"): 66.0})
    assert walls.encoded == [("2.png", 130.0), ("3.png", 77.0), ("5.png", 55.0), ("5.png", 66.0)]


def test_a_row_outside_its_photo_is_named():
    with pytest.raises(PointError, match=r"row 2, 2\.png: .*\(60, 1\), outside the image"):
        ask_table(Walls(), ["2.png", "3.png", "2.png"], [(1, 1), (2, 2), (60, 1)])
    with pytest.raises(InputError, match="got 1 points for 2 images"):
        ask_table(Walls(), ["2.png", "3.png"], [(1, 1)])
    assert ask_table(Walls(), [], []).shape == (0,)


@pytest.mark.parametrize("images", [{"a.png"}, {"a.png": 1}, np.array("a.png"), "a", b"a", None, 3])
def test_what_is_no_list_of_photos_is_refused(images):
    with pytest.raises(InputError, match="images must be a list of paths, got"):
        ask_table(None, images, [(1, 1)])
