"""Warnings in a batch's summary: each once, with the photos that it concerns."""

import pytest
from PIL import Image

from helpers.batches import answer, model, write_photos
from helpers.photo_files import EXIF, picture


def write_crop(path, recorded=(640, 480)):
    tags = Image.Exif()
    tags.get_ifd(EXIF).update({0xA405: 26, 0xA002: recorded[0], 0xA003: recorded[1]})
    Image.fromarray(picture(50, 50)).save(path, exif=tags.tobytes())


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_warning_names_its_first_photo_and_counts_the_others(tmp_path, model, workers):
    photos = tmp_path / "photos"
    write_photos(photos, 1)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write_crop(photos / name)
    write_crop(photos / "d.jpg", (800, 600))
    warnings = answer(
        tmp_path / "out", model, photos, given={"points": ((5, 5),)}, workers=workers
    ).warnings
    cropped = [text for text in warnings if "EXIF records" in text]
    assert len(cropped) == 2
    assert any("640x480" in text and text.endswith(" and 2 more)") for text in cropped)
    (other,) = [text for text in cropped if "800x600" in text]
    assert other.endswith(f"({photos / 'd.jpg'})")
    (unknown,) = [text for text in warnings if "focal length unknown" in text]
    assert unknown.endswith(" and 4 more)")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"fov_deg": [60.0]}, "fov_deg"),
        ({"fx": [520.0], "fy": [520.0], "cx": [320.0]}, "fx, fy"),
        ({" FOV ": [60.0]}, " FOV "),
        ({"focal_mm": [26.0]}, "focal_mm"),
        ({"intrinsics": ["1,1,1,1"]}, "intrinsics"),
        ({"fx": [520.0], "focal_px": [33.0]}, None),
        ({"cx": [3.0], "label": ["chair"], "f": [1]}, None),
    ],
)
def test_columns_of_a_camera_that_a_batch_does_not_use_are_told(tmp_path, model, columns, said):
    photos = write_photos(tmp_path, 1)
    columns = {"focal_px": None, "u": [5], "v": [6]} | columns
    path = tmp_path / "t.csv"
    named = {"image": photos, **{name: cells for name, cells in columns.items() if cells}}
    rows = [",".join(named), ",".join(f'"{cells[0]}"' for cells in named.values())]
    path.write_text("\n".join(rows) + "\n")
    notes = [text for text in answer(tmp_path / "out", model, path).warnings if "copied" in text]
    assert [said is not None] == [bool(notes)]
    if said:
        assert f"not used, only copied: {said}; a batch takes the camera from a column" in notes[0]
