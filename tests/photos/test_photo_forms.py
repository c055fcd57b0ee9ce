"""A photo is the same photo whatever it comes as; what is none is refused in one line."""

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.photo_files import HEIC, encoded, picture, with_exif
from spd.errors import InputError
from spd.photos.reading import MAX_PIXELS, Photo, read_image, read_photo

PIXELS = picture()


def forms(tmp_path):
    path = tmp_path / "photo.png"
    data = encoded(Image.fromarray(PIXELS), "PNG")
    path.write_bytes(data)
    tensor = torch.from_numpy(PIXELS.copy())
    return {
        "path": path,
        "text path": str(path),
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "file in memory": io.BytesIO(data),
        "open file": path.open("rb"),
        "PIL": Image.fromarray(PIXELS),
        "array": PIXELS,
        "tensor HWC": tensor,
        "tensor CHW": tensor.permute(2, 0, 1),
        "tensor float": tensor.permute(2, 0, 1).float() / 255,
        "tensor half": tensor.permute(2, 0, 1).half() / 255,
        "tensor of a graph": (tensor.float() / 255).requires_grad_(),
        "read before": Photo(PIXELS),
    }


def test_every_form_is_the_same_photo(tmp_path):
    for name, form in forms(tmp_path).items():
        assert np.array_equal(read_image(form), PIXELS), name
        if hasattr(form, "close") and not isinstance(form, Image.Image):
            form.close()


def test_channels_of_opencv_are_turned_round():
    turned = PIXELS[..., ::-1]
    tensor = torch.from_numpy(turned.copy())
    for image in (turned, tensor, tensor.permute(2, 0, 1)):
        assert np.array_equal(read_image(image, channels="bgr"), PIXELS)
    grey = PIXELS[..., 0]
    assert np.array_equal(read_image(grey, channels="bgr"), read_image(grey))
    with pytest.raises(InputError, match="'rgb' or 'bgr'"):
        read_image(PIXELS, channels="gbr")
    with pytest.raises(InputError, match="for arrays and tensors"):
        read_image(encoded(Image.fromarray(PIXELS), "PNG"), channels="bgr")


def test_where_both_sides_are_three_the_first_is_a_tensors_channels():
    tensor = torch.arange(27, dtype=torch.uint8).view(3, 3, 3)
    assert read_image(tensor)[0, 1].tolist() == [1, 10, 19]


@pytest.mark.parametrize("form", ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PPM", "TGA", "WEBP"])
def test_files_of_many_formats_are_read(form):
    read = read_image(encoded(Image.fromarray(PIXELS), form)).astype(int)
    assert np.abs(read - PIXELS).mean() < 12  # lossy, and 256 colours for a GIF


def test_what_is_transparent_shows_white():
    alpha = np.full((*PIXELS.shape[:2], 1), 255, np.uint8)
    alpha[:10], alpha[10:20] = 0, 51  # nothing, and a fifth
    rgba = Image.fromarray(np.concatenate([PIXELS, alpha], axis=2))
    read = read_image(encoded(rgba, "PNG"))
    assert (read[:10] == 255).all()
    expected = 255 - (255 - PIXELS[10:20].astype(int)) / 5
    assert np.abs(read[10:20] - expected).max() <= 1
    assert np.array_equal(read[20:], PIXELS[20:])
    grey_alpha = rgba.convert("LA")
    assert (read_image(grey_alpha)[:10] == 255).all()
    palette = Image.fromarray(PIXELS[..., 0] // 64 * 64).convert("P")
    see_through = encoded(palette, "PNG", transparency=palette.getpixel((0, 0)))
    assert read_image(see_through)[0, 0].tolist() == [255, 255, 255]
    assert read_image(see_through)[0, 63].tolist() == [192, 192, 192]


def test_grey_deep_bilevel_and_print_colours_become_rgb(tmp_path):
    grey = PIXELS[..., 1]
    repeated = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(read_image(encoded(Image.fromarray(grey), "PNG")), repeated)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    for form in ("PNG", "TIFF"):
        assert np.array_equal(read_image(encoded(deep, form)), repeated)
    bilevel = Image.fromarray(grey > 99)
    assert set(np.unique(read_image(encoded(bilevel, "PNG")))) == {0, 255}
    cmyk = Image.fromarray(PIXELS).convert("CMYK")
    read = read_image(encoded(cmyk, "TIFF")).astype(int)
    assert np.abs(read - PIXELS).max() <= 1
    jpeg = read_image(encoded(cmyk, "JPEG", quality=95)).astype(int)
    assert np.abs(jpeg - PIXELS).mean() < 6


def test_heic_is_read_upright_with_its_focal_length():
    pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    photo = read_photo(HEIC)
    assert photo.size == (64, 48)
    corners = [photo.pixels[v, u] > 128 for v, u in ((8, 8), (8, 40), (56, 8), (56, 40))]
    blue, red, white, green = [False] * 2 + [True], [True] + [False] * 2, [True] * 3, [0, 1, 0]
    assert [list(corner) for corner in corners] == [blue, red, white, green]
    assert photo.exif_focal_px == pytest.approx(26 / np.hypot(36, 24) * 80)  # diagonal of 48x64


def test_heic_without_its_decoder_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if not installed
    with pytest.raises(InputError, match=r"the image is a HEIC file.*pip install pillow-heif"):
        read_image(HEIC)


def test_reading_photos_loads_no_torch():
    import subprocess

    code = "import sys, numpy, spd.photos.reading as r; "
    code += "r.read_image(numpy.zeros((2, 2, 3), 'uint8')); "
    done = subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"])
    assert done.returncode == 0


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is this large and is not."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize("size", [(60_000, 60_000), (MAX_PIXELS + 1, 1), (2**31 - 1, 2**31 - 1)])
def test_a_small_file_that_claims_to_be_huge_is_refused(size):
    with pytest.raises(InputError, match=r"too many pixels to be opened safely|damaged"):
        read_image(png_of(*size))


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (b"", "the image is empty"),
        (b"hello", "the image is not a readable image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a readable image"),
        (io.StringIO("text"), "open it in mode 'rb'"),
        (3.5, "got float"),
        (None, "got NoneType"),
        (torch.zeros(2, 3, 8, 8), r"got \(2, 3, 8, 8\); encode one image at a time"),
        (torch.zeros(5, 8), None),
        (torch.zeros(4, 8, 8), r"\[3, H, W\] or \[H, W, 3\]"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "uint8, or floats in 0..1, got int64"),
        (torch.full((3, 8, 8), 200.0), r"in 0..1, got 200..200; divide"),
        (torch.full((3, 8, 8), -1.5), "do not normalise: the model does"),
        (torch.full((3, 8, 8), float("nan")), "must lie in 0..1, got nan"),
        (Image.fromarray(np.zeros((4, 4), np.float32)), "floating-point pixels"),
        (Image.fromarray(np.full((4, 4), 70_000, np.int32)), "more than 16 bits"),
    ],
)
def test_what_is_no_photo_is_refused_in_one_line(image, said):
    if said is None:
        assert read_image(image).shape == (5, 8, 3)
        return
    with pytest.raises(InputError, match=said) as caught:
        read_image(image)
    assert "\n" not in str(caught.value)


class File:
    """A file whose `read` answers, or raises, something."""

    def __init__(self, data):
        self.data = data

    def read(self):
        if isinstance(self.data, Exception):
            raise self.data
        return self.data


class BrokenPath:
    def __fspath__(self):
        raise RuntimeError("no path")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (File(RuntimeError("the connection ended")), "cannot be read: the connection ended"),
        (File("text"), "open in text mode"),
        (File(None), "expected bytes, got None"),
        (File([1, 2]), "expected bytes, got"),
        (BrokenPath(), "a path must be text, got"),
        ("https://example.com/a.jpg", r"https://example\.com/a\.jpg; download it"),
        ("", "no image file ''"),
        ("two\nlines", "no image file 'two"),
        (Image.new("RGB", (0, 5)), "has 0x5 pixels; a photo has at least one"),
        (Image.Image, "got type"),
    ],
)
def test_odd_files_and_paths_are_one_error(image, said):
    with pytest.raises(InputError, match=said) as caught:
        read_image(image)
    assert "\n" not in str(caught.value)


def test_files_may_read_any_bytes_and_tensors_may_be_views():
    whole = io.BytesIO()
    Image.fromarray(PIXELS).save(whole, "PNG")
    for data in (bytearray(whole.getvalue()), memoryview(whole.getvalue())):
        assert (read_image(File(data)) == PIXELS).all()
    pixels = torch.from_numpy(PIXELS).permute(2, 0, 1) / 255
    assert (read_image(torch._neg_view(-pixels)) == PIXELS).all()
    assert read_image(Image.fromarray(PIXELS).convert("LA").convert("La")).shape == PIXELS.shape


def test_a_folder_and_an_unreadable_file_are_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no image file"):
        read_image(tmp_path)
    path = tmp_path / "secret.png"
    path.write_bytes(b"x")

    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)
    with pytest.raises(InputError, match=r"secret\.png cannot be read: permission denied"):
        read_image(path)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow tells of it
def test_damaged_metadata_does_not_refuse_a_photo():
    whole = with_exif(PIXELS, "JPEG", {0x0112: 6}, {0xA405: 26})
    at = whole.index(b"Exif\0\0") + 14
    broken = whole[:at] + b"\xff" * 8 + whole[at + 8 :]
    assert read_photo(broken).pixels.shape in ((48, 64, 3), (64, 48, 3))
