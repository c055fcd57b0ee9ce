"""Images that EXIF turns, beside depth maps that were turned as well, or not."""

import io

import numpy as np
import pytest
from PIL import Image

from spd.data.check import check_source, format_check
from spd.data.evidence import preflight
from spd.data.rooms import render_room
from spd.data.sources import open_samples
from spd.data.turned import orientation_of, turned_problem
from spd.errors import DataError

ROOMS = [render_room(seed, size=(96, 128)) for seed in (1, 3, 5)]
FORTH = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a viewer turns each orientation upright."""


def write(folder, orientation: int, *, depth_turned: bool, crop=(96, 128)) -> str:
    for kind in ("images", "depth"):
        (folder / kind / "train").mkdir(parents=True)
    tags = Image.Exif()
    tags[0x0112] = orientation
    for number, room in enumerate(ROOMS):
        stored = Image.fromarray(room.image[: crop[0], : crop[1]])
        depth = (room.depth_m * 1000).round().astype(np.uint16)[: crop[0], : crop[1]]
        turned = Image.fromarray(depth).transpose(FORTH[orientation]) if depth_turned else depth
        stored.save(folder / f"images/train/{number}.jpg", exif=tags.tobytes(), quality=90)
        Image.fromarray(np.asarray(turned)).save(folder / f"depth/train/{number}.png")
    return f"{folder},focal_px=105"


@pytest.mark.parametrize("orientation", FORTH)
def test_depth_that_was_turned_with_its_image_is_usable(tmp_path, orientation):
    report = check_source(write(tmp_path / "data", orientation, depth_turned=True))
    assert report.usable
    assert report.notes == []


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_depth_that_was_not_turned_is_a_problem(tmp_path, orientation):
    source = write(tmp_path / "data", orientation, depth_turned=False)
    (problem,) = check_source(source).problems
    assert problem.startswith(f"EXIF orientation {orientation} turns the images of 3 frames away")
    assert "fit the images as stored" in problem
    assert "exiftool -Orientation= FILES" in problem
    with pytest.raises(DataError, match="turns the images of 3 frames away"):
        preflight(open_samples([source]))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_quarter_turn_is_named_as_the_cause(tmp_path, orientation):
    report = check_source(write(tmp_path / "data", orientation, depth_turned=False))
    assert not report.usable
    assert len(report.broken) == 3
    assert (
        f"EXIF orientation {orientation} turns the image, which is stored as 96x128"
        in (report.broken[0][1])
    )
    assert "exiftool -Orientation= FILES" in format_check(report)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_square_images_are_told_by_their_edges(tmp_path, orientation):
    square = {"crop": (96, 96)}
    turned = write(tmp_path / "turned", orientation, depth_turned=True, **square)
    assert check_source(turned).usable
    kept = write(tmp_path / "kept", orientation, depth_turned=False, **square)
    assert f"EXIF orientation {orientation} turns" in check_source(kept).problems[0]


def test_orientation_is_1_where_there_is_none_to_read(tmp_path):
    plain = io.BytesIO()
    Image.fromarray(ROOMS[0].image).save(plain, "JPEG")
    assert orientation_of(plain.getvalue()) == 1
    assert orientation_of(b"no image") == 1
    assert orientation_of(tmp_path / "missing.jpg") == 1
    for value, expected in ((0, 1), (3, 3), (9, 1)):
        tags, file = Image.Exif(), io.BytesIO()
        tags[0x0112] = value
        Image.fromarray(ROOMS[0].image).save(file, "PNG", exif=tags.tobytes())
        assert orientation_of(file.getvalue()) == expected


def test_only_clear_and_common_gains_are_a_problem():
    assert turned_problem([(1, None), (3, None)]) is None
    assert turned_problem([(3, -0.4), (3, -0.3)]) is None
    assert turned_problem([(3, 0.02), (3, 0.03)]) is None
    assert turned_problem([(3, 0.4), (3, -0.1), (3, -0.1)]) is None
    assert "3 and 6" in str(turned_problem([(1, None), (3, 0.3), (6, 0.4)]))
