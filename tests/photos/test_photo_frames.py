"""A TIFF whose first frame is a preview is read in full resolution, or with a warning."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.photo_files import FOCAL_35_MM, ORIENTATION, encoded, picture
from helpers.raw_files import PHOTOMETRIC, RAW_SENSOR, REDUCED, chained, nested
from spd.photos.reading import read_photo

PREVIEW, PHOTO = picture(12, 16), picture(48, 64)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_the_photo_after_its_preview_is_read(compression):
    pages = [(PREVIEW, {REDUCED: 1}), (PHOTO, {REDUCED: 0})]
    photo = read_photo(chained(pages, compression=compression))
    assert photo.size == (48, 64)
    assert photo.warnings == ()
    alone = read_photo(encoded(Image.fromarray(PHOTO), "TIFF", compression=compression))
    assert np.array_equal(photo.pixels, alone.pixels)


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_the_photo_below_its_preview_is_read_with_the_files_exif(order, big):
    below = [(picture(24, 32), {REDUCED: 1}), (PHOTO, {REDUCED: 0})]
    tags = {"order": order, "big": big, "exif": {FOCAL_35_MM: 26}, f"t{ORIENTATION}": 6}
    photo = read_photo(nested(PREVIEW, below, **tags))
    assert np.array_equal(photo.pixels, np.rot90(PHOTO, -1))
    assert photo.exif_focal_px == pytest.approx(26 / np.hypot(36, 24) * 80)
    assert (photo.warnings, photo.focal_warnings) == ((), ())


def test_the_largest_of_several_photos_is_read():
    pages = [(PREVIEW, {REDUCED: 1}), (picture(24, 32), {}), (PHOTO, {}), (picture(30, 40), {})]
    assert read_photo(chained(pages)).size == (48, 64)


@pytest.mark.parametrize("previews", [[], [(picture(24, 32), {REDUCED: 1})]])
def test_raw_sensor_data_is_told_with_the_preview_that_is_read(previews):
    raw = (np.zeros((48, 64, 1), np.uint8), {REDUCED: 0, PHOTOMETRIC: RAW_SENSOR})
    photo = read_photo(nested(PREVIEW, [*previews, raw]))
    expected = previews[0][0] if previews else PREVIEW
    assert np.array_equal(photo.pixels, expected)
    (doubt,) = photo.warnings
    assert "raw file of 64x48 pixels" in doubt
    assert f"preview of {expected.shape[1]}x{expected.shape[0]} pixels" in doubt


def test_an_opened_preview_is_told(tmp_path):
    data = chained([(PREVIEW, {REDUCED: 1}), (PHOTO, {REDUCED: 0})])
    with Image.open(io.BytesIO(data)) as image:
        photo = read_photo(image)
    assert photo.size == (12, 16)
    assert "pass the file's path" in photo.warnings[0]


@pytest.mark.parametrize(
    "pages",
    [
        [(PREVIEW, {}), (PHOTO, {})],  # pages of a document: the first, as before
        [(PHOTO, {REDUCED: 0}), (PREVIEW, {REDUCED: 1})],  # a pyramid
        [(PHOTO, {REDUCED: 2}), (PHOTO, {REDUCED: 2})],  # pages by their flag
        [(PHOTO, {REDUCED: 1})],  # flagged, but all that there is
        [(PHOTO, {REDUCED: 1}), (PREVIEW, {REDUCED: 1})],
    ],
)
def test_other_tiffs_are_read_as_before(pages):
    photo = read_photo(chained(pages))
    assert np.array_equal(photo.pixels, pages[0][0])
    assert photo.warnings == ()


def test_damaged_directories_give_an_answer_or_one_error():
    data = nested(PREVIEW, [(PHOTO, {REDUCED: 0})])
    for cut in (8, 9, len(data) // 2, len(data) - 3):
        with pytest.raises(Exception, match="image") as raised:
            read_photo(data[:cut])
        assert type(raised.value).__name__ == "InputError"
    looped = bytearray(chained([(PREVIEW, {REDUCED: 1}), (PHOTO, {REDUCED: 0})]))
    first = int.from_bytes(looped[4:8], "little")
    count = int.from_bytes(looped[first : first + 2], "little")
    end = first + 2 + 12 * count
    looped[end : end + 4] = first.to_bytes(4, "little")
    assert read_photo(bytes(looped)).size == (12, 16)


def test_a_mask_before_the_photo_is_not_the_photo():
    data = chained([(picture(96, 128), {254: 4}), (picture(48, 64), {})])
    photo = read_photo(data)
    assert (photo.size, photo.warnings) == ((48, 64), ())


def test_an_opened_preview_with_the_older_flag_is_told():
    data = chained([(picture(12, 16), {255: 2}), (picture(48, 64), {255: 1})])
    with Image.open(io.BytesIO(data)) as image:
        (doubt,) = read_photo(image).warnings
    assert "a preview of 16x12 pixels" in doubt
    assert read_photo(data).size == (48, 64)
