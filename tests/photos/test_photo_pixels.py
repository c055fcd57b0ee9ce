"""Pixels that show no scene are told: one colour, almost black, or transparent everywhere."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import costly_files as files
from helpers.photo_files import encoded, picture
from spd.photos.reading import read_photo


def doubts(image: object, form: str = "PNG", **options) -> tuple[str, ...]:
    if isinstance(image, Image.Image):
        assert read_photo(image).warnings == read_photo(encoded(image, form, **options)).warnings
    return read_photo(image).warnings  # type: ignore[arg-type]


def deep(most: int) -> Image.Image:
    """A 16-bit grey photo with values up to `most`."""
    grey = picture()[..., 2].astype(np.float64)
    return Image.fromarray((grey * most / grey.max()).round().astype(np.uint16))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(("bits", "said"), [(10, 12), (12, 12), (13, 14), (14, 14)])
def test_fewer_bits_in_16_are_told(bits, said, form):
    (doubt,) = doubts(deep((1 << bits) - 1), form)
    assert f"all values are below {1 << said}" in doubt
    assert f"multiply {said}-bit data by {1 << 16 - said}" in doubt
    assert ("(10-bit data by 64)" in doubt) == (bits == 10)


@pytest.mark.parametrize("most", [1023, 4095, 16383])
def test_fewer_bits_in_16_are_told_despite_a_pixel_stuck_at_white(most):
    values = np.tile(np.asarray(deep(most)), (4, 4))
    values[7, 9] = 65535
    (doubt,) = doubts(Image.fromarray(values))
    assert f"all values are below {16384 if most > 4095 else 4096}" in doubt


def test_bits_that_are_too_few_for_any_grey_are_told_as_such():
    (doubt,) = doubts(deep(100))
    assert "16 bits per channel" in doubt  # not: a photo of one colour


def test_a_dark_scene_with_a_lamp_in_16_bits_is_a_scene():
    values = np.tile(np.asarray(deep(4000)), (4, 4))
    values[50:60, 50:60] = 65535
    assert doubts(Image.fromarray(values)) == ()


def test_fewer_bits_in_16_bit_colours_are_told():
    values = (picture().astype(np.uint16) * 16).astype(">u2").tobytes()
    rows = b"".join(b"\0" + values[at : at + 384] for at in range(0, len(values), 384))
    head = struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0)  # 16-bit RGB
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(files.chunk(*one) for one in chunks)
    (doubt,) = read_photo(data).warnings
    assert "all values are below 4096" in doubt


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_photo_that_is_transparent_everywhere_is_told(mode):
    image = Image.fromarray(picture()).convert(mode)
    image.putalpha(0)
    assert "transparent everywhere" in doubts(image)[0]


@pytest.mark.parametrize(("alpha", "strip"), [(1, 0), (5, 0), (60, 0), (0, 2)])
def test_a_photo_of_which_hardly_anything_is_seen_is_told(alpha, strip):
    alphas = np.full((48, 64), alpha, np.uint8)
    alphas[:strip] = 255
    for mode in ("RGBA", "LA"):
        image = Image.fromarray(picture()).convert(mode)
        image.putalpha(Image.fromarray(alphas))
        (doubt,) = doubts(image)
        assert "transparent everywhere or almost" in doubt


@pytest.mark.parametrize("alpha", [128, 255])
def test_a_photo_that_is_seen_through_is_a_photo(alpha):
    image = Image.fromarray(picture()).convert("RGBA")
    image.putalpha(alpha)
    assert doubts(image) == ()


def test_a_palette_of_transparent_colours_is_told():
    image = Image.fromarray(picture()).quantize(8)
    data = encoded(image, "PNG", transparency=bytes(256))
    assert "transparent everywhere" in read_photo(data).warnings[0]


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_one_colour_is_told_in_every_form(grey):
    pixels = np.full((48, 64, 3), grey, np.uint8)
    image = Image.fromarray(pixels)
    tensor = torch.from_numpy(pixels).permute(2, 0, 1)
    for one in (image, pixels, pixels[..., 0], tensor, tensor / 255, image.convert("RGBA")):
        (doubt,) = doubts(one)
        assert f"hardly more than one colour ({grey}, {grey}, {grey})" in doubt
    assert len(read_photo(encoded(image, "JPEG")).warnings) == 1


def test_nearly_one_colour_is_told():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.5, (480, 640, 3))
    (doubt,) = doubts((120 + noise).round().astype(np.uint8))
    assert "hardly more than one colour" in doubt


def test_an_almost_black_photo_is_told():
    (doubt,) = doubts(picture() // 16)
    assert doubt == "the photo is almost black: its brightest value is 15 of 255"


@pytest.mark.parametrize(
    "image",
    [
        picture(),
        picture() // 8,  # a dark room
        np.full((3, 5, 3), 77, np.uint8),  # a handful of pixels has one colour easily
        (120 + np.random.default_rng(0).normal(0, 2, (480, 640, 3))).astype(np.uint8),  # a wall
        np.indices((1600, 1600, 1)).sum(axis=0).repeat(3, axis=2).astype(np.uint8) % 2 * 9 + 90,
        deep(65535),
        deep(20000),
        Image.fromarray(picture()).convert("RGBA"),
        Image.fromarray(picture()).convert("L"),
    ],
)
def test_nothing_is_said_about_photos_with_a_scene(image):
    assert doubts(image) == ()


def test_a_cut_out_is_a_photo():
    image = Image.fromarray(picture()).convert("RGBA")
    image.putalpha(Image.fromarray(np.tri(48, 64, dtype=np.uint8) * 255))
    assert doubts(image) == ()


def test_a_lamp_in_the_dark_is_a_scene():
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[200:260, 300:360] = 255
    assert doubts(pixels) == ()
