"""What decoders print themselves: nothing, where a command asks for it."""

import contextlib

import numpy as np
from PIL import Image

from helpers.photo_files import encoded
from spd.errors import InputError
from spd.photos.opening import quiet_decoders
from spd.photos.reading import read_photo


def damaged_fax(rows: int) -> bytes:
    """A TIFF whose decoder complains of almost every row."""
    random = np.random.default_rng(0)
    dots = Image.fromarray((random.random((rows, 60)) < 0.1) * np.uint8(255)).convert("1")
    data = bytearray(encoded(dots, "TIFF", compression="group3"))
    for at in random.integers(500, len(data) - 500, len(data) // 20):
        data[at] ^= 1 << random.integers(8)
    return bytes(data)


def test_a_damaged_photo_prints_nothing(capfd):
    data = damaged_fax(2000)
    quiet_decoders()
    with contextlib.suppress(InputError):
        read_photo(data)
    assert capfd.readouterr().err == ""
