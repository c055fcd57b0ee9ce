"""What a refused photo is told to do."""

import io

import numpy as np
import pytest
from PIL import Image

from spd.errors import InputError
from spd.photos.reading import read_photo

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
RGBA = np.dstack([PIXELS, PIXELS[..., :1]])


def refusal(image: object) -> str:
    with pytest.raises(InputError) as told:
        read_photo(image)
    return str(told.value)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int32, np.uint16, bool])
def test_the_conversion_that_is_told_gives_the_pixels(kind):
    given = (PIXELS / 255).astype(kind) if np.dtype(kind).kind == "f" else PIXELS.astype(kind)
    expected = PIXELS
    if kind is np.uint16:
        given = given * 257
    if kind is bool:
        expected = given * np.uint8(255)
    advice = refusal(given).rpartition("pass ")[2]
    converted = eval(advice, {"np": np, "image": given})
    np.testing.assert_array_equal(read_photo(converted).pixels, expected)


def test_floats_up_to_255_are_rounded():
    advice = refusal(PIXELS.astype(np.float64)).rpartition("pass ")[2]
    assert advice == "image.round().astype(np.uint8)"


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        (PIXELS / 128 - 1, "undo the normalisation"),
        (PIXELS.astype(np.int8), "undo the normalisation"),
        (PIXELS * np.nan, "not finite"),
        (PIXELS.transpose(2, 0, 1), "image.transpose(1, 2, 0)"),
        (RGBA, "image[..., :3]"),
        (RGBA.transpose(2, 0, 1), "image[:3]"),
        (PIXELS[None], "image[0]"),
        (PIXELS[..., :1], "image.squeeze()"),
        (PIXELS[None, ..., 0], "image.squeeze()"),
    ],
)
def test_arrays_of_other_values_and_shapes_are_told_what_to_do(image, pattern):
    assert pattern in refusal(image)


def png() -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return file


def test_a_file_that_was_read_to_its_end_is_told_to_be_rewound():
    file = png()
    assert "rewind it with seek(0)" in refusal(file)
    file.seek(0)
    assert read_photo(file).size == (6, 8)
    assert "rewind" in refusal(file)
    assert refusal(io.BytesIO()) == "the image is empty"


def test_closed_files_and_images_are_said_to_be_closed(tmp_path):
    file = png()
    file.close()
    assert "is closed" in refusal(file)
    made = Image.fromarray(PIXELS)
    made.close()
    (tmp_path / "a.png").write_bytes(png().getvalue())
    with Image.open(tmp_path / "a.png") as lazy:
        pass
    with Image.open(tmp_path / "a.png") as loaded:
        loaded.load()
    assert read_photo(loaded).size == (6, 8)  # Pillow keeps the pixels
    loaded.close()
    opened = (tmp_path / "a.png").open("rb")
    behind = Image.open(opened)
    opened.close()
    for image in (made, lazy, loaded, behind):
        assert refusal(image).startswith("the image is closed; ")


@pytest.mark.parametrize("name", ["https://a.org/b.jpg", "http:/a.org/b.jpg", "s3://a/b", "data:x"])
def test_links_are_not_fetched(name):
    assert refusal(name).endswith("download it, URLs are not fetched")


@pytest.mark.parametrize("name", ["b.jpg", "C:/photos/b.jpg", "a b:c.jpg"])
def test_paths_are_not_taken_for_links(name):
    assert refusal(name).endswith("check the path")


def test_folders_and_devices_are_named(tmp_path):
    assert "it is a folder" in refusal(tmp_path)
    assert "it is a pipe or a device" in refusal("/dev/null")
