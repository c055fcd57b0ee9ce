"""Small files that would decode for hours or fill the memory are refused before that."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers import costly_files as files
from spd.errors import InputError
from spd.memory import MemoryLimitError, limit_memory, machine
from spd.photos import bounded_file
from spd.photos.reading import read_photo
from spd.photos.structure import check_structure, webp_size

TEXT = files.chunk(b"tEXt", b"a\0b")
ALIAS = files.directory(3000, 50_000)
SHORT_ALIAS = files.directory(3000, 20_000)
AVIF = files.saved("AVIF", speed=10)


def raw_profile(data: bytes) -> bytes:
    """EXIF as ImageMagick writes it into a PNG."""
    text = f"\nexif\n{len(data)}\n{data.hex()}".encode()
    return files.chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (files.scans_jpeg(101), "more than 100 scans"),
        (files.scans_jpeg(101).replace(b"\xff\xda", b"\xff\xff\xff\xda"), "more than 100 scans"),
        (files.jpeg(files.segment(0xFE) * 10_001), "more than 10000 segments"),
        (files.jpeg(files.segment(0xE1, b"Exif\0\0" + SHORT_ALIAS)), "refers to"),
        (files.jpeg(*(files.segment(0xE1, b"Exif\0\0" + ALIAS[n : n + 6000])
                      for n in range(0, len(ALIAS), 6000))), "refers to"),
        (files.jpeg(files.segment(0xE2, b"MPF\0" + SHORT_ALIAS)), "refers to"),
        (files.png(before=TEXT * 12_000), "chunks"),
        (files.png(after=TEXT * 12_000), "chunks"),
        (files.png(before=files.chunk(b"IDAT", b"") * 12_000), "chunks"),
        (files.directory(3000, 50_000), "refers to"),
        (files.tiff(100, 100, (322, 4, 1, 65_520), (323, 4, 1, 65_520)), "tiles of 65520 pixels"),
        (files.tiff(9000, 9000, (273, 4, 200_000, 0)) + bytes(800_000), "200000 strips"),
        (files.tiff(9000, 9000, (324, 4, 200_000, 0)) + bytes(800_000), "200000 strips or tiles"),
        (files.tiff(64, 48, (259, 3, 1, 7)) + b"\xff\xda" * 120, "120 JPEG scans"),
        (files.j2k(width=60_000, height=2900, tile_width=60, tile_height=60), "tiles"),
        (AVIF + files.box(b"free", b"") * 10_001, "boxes"),
        (AVIF + files.box(b"meta", bytes(4) + files.box(b"iloc", bytes(210_000))), "item table"),
        (AVIF + files.box(b"free", ALIAS), "refers to"),
        (files.gif(b"\x21\xfe" + b"\x01a" * 250_000 + b"\0"), "reads"),
        (files.gif(b"\x21\xf9\x04\0\0\0\0\0" * 250_000), "reads"),
        (files.jpeg(b"\xff" * 300_000), "reads"),
        (b"P6\n#" + b"c" * 400_000 + b"\n64 48\n255\n", "reads"),
    ],
)  # fmt: skip
def test_files_that_cost_far_more_than_a_photo_are_refused(data, found):
    with pytest.raises(InputError, match=found):
        read_photo(data)


@pytest.mark.parametrize(
    "data",
    [
        files.saved("JPEG", progressive=True),
        files.scans_jpeg(20),
        files.jpeg(files.segment(0xFE, b"\xff\xda" * 500)),  # scans only by their bytes
        files.saved("PNG") + bytes(200_000),  # bytes after the end
        files.png(before=TEXT * 500),
        files.saved("TIFF"),
        files.saved("TIFF", compression="jpeg"),
        files.saved("AVIF"),
        files.saved("JPEG2000"),
        files.saved("WEBP"),
        files.png(before=files.chunk(b"eXIf", ALIAS)),  # absurd metadata counts as missing
        files.png(before=raw_profile(ALIAS)),
    ],
)
def test_what_looks_a_little_like_them_is_read(data):
    assert read_photo(data).size == (files.HEIGHT, files.WIDTH)


def test_raw_pixels_that_look_like_scans_are_read():
    pixels = np.frombuffer(b"\xff\xda" * (60 * 80 * 3 // 2), np.uint8).reshape(60, 80, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")
    assert np.array_equal(read_photo(file.getvalue()).pixels, pixels)


def test_sixteen_bits_of_a_ppm_are_read_value_by_value():
    values = np.random.default_rng(0).integers(0, 65536, (250, 400, 3))
    for head in (b"P6 400 250 65535\n", b"P6\n# made by hand\n400 250\n65535\n"):
        data = head + values.astype(">u2").tobytes()
        assert np.abs(read_photo(data).pixels - values / 257).max() < 1


def test_a_decoder_in_python_ends_when_its_time_is_over(monkeypatch):
    monkeypatch.setattr(bounded_file, "BYTE_BY_BYTE_SECONDS", 0.0)
    pixels = 200 * 200
    data = b"qoif" + struct.pack(">IIBB", 200, 200, 3, 0) + b"\xfe\1\2\3" * pixels + bytes(8)
    with pytest.raises(InputError, match="takes more than 0 s; save it again"):
        read_photo(data)


@pytest.mark.parametrize(
    ("data", "needs"),
    [
        (files.flat_png(300_000, 30), "1.. MB"),
        (files.webp_canvas(3000, 3000), "2.. MB"),
        (files.gif(size=(3000, 3000)), "1.. MB"),
        (files.j2k(width=3000, height=3000, tile_width=3000, tile_height=3000), "3.. MB"),
        (b"P5 3000 3000 255\n", "1.. MB"),
        (
            b"BM" + struct.pack("<IHHI", 0, 0, 0, 1078)
            + struct.pack("<IiiHHIIiiII", 40, 9_000_000, 1, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(1024),
            "2\\... GB",
        ),
    ],
)  # fmt: skip
def test_memory_is_predicted_from_the_header_and_refused_with_its_number(data, needs, monkeypatch):
    monkeypatch.setattr(machine, "left_bytes", lambda: 100_000_000)
    limit_memory(None)  # forgets what was left before
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    said = f"pixels needs about {needs} of memory, but only 52 MB can be used here; scale"
    with pytest.raises(MemoryLimitError, match=said):
        read_photo(data)


def test_decoders_that_run_out_of_memory_do_not_call_the_file_damaged(monkeypatch):
    def load(_) -> None:
        raise MemoryError

    data = files.saved("BMP")
    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(MemoryError, match="needs more memory than is available"):
        read_photo(data)


def test_a_progressive_jpeg_holds_its_coefficients():
    pixels = files.WIDTH * files.HEIGHT
    assert check_structure(files.saved("JPEG"), "it") == 0
    held = check_structure(files.saved("JPEG", progressive=True, subsampling=0), "it")
    assert held == 2 * 3 * pixels
    halved = check_structure(files.saved("JPEG", progressive=True, subsampling=2), "it")
    assert halved == 2 * 1.5 * pixels
    assert check_structure(files.scans_jpeg(3), "it") > 0


def test_sizes_of_webp_files_are_read_from_the_header():
    size = (files.HEIGHT, files.WIDTH)
    assert webp_size(files.saved("WEBP")) == size
    assert webp_size(files.saved("WEBP", lossless=True)) == size
    assert webp_size(files.webp_canvas(16_383, 5)) == (5, 16_383)
    assert webp_size(files.saved("PNG")) is None


@pytest.mark.parametrize("form", ["PPM", "BMP", "TIFF"])
def test_rows_of_millions_of_pixels_are_not_joined_from_small_blocks(form, monkeypatch):
    file = io.BytesIO()
    Image.fromarray(np.full((1, 1_000_000), 200, np.uint8)).save(file, form)
    sizes, read = [], bounded_file.BoundedFile.read

    def counted(file, size=-1):
        sizes.append(size)
        return read(file, size)

    monkeypatch.setattr(bounded_file.BoundedFile, "read", counted)
    assert (read_photo(file.getvalue()).pixels == 200).all()
    assert sum(size is not None and size > 32_768 for size in sizes) < 5, sizes
