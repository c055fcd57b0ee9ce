"""Files of depth: arrays with one channel, archives of arrays, PGM, PFM and OpenEXR."""

import io
import zipfile

import numpy as np
import pytest

from helpers.write_general import npy_bytes, png_bytes, tiff_bytes
from spd.data.formats.decoding import decode_depth, describe_depth
from spd.errors import DataError

DEPTH_MM = np.arange(1000, 1048, dtype=np.uint16).reshape(6, 8)
DEPTH_M = (DEPTH_MM / 1000).astype(np.float32)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def pgm(maximum):
    return f"P5\n# a remark\n8 6\n{maximum}\n".encode() + DEPTH_MM.astype(">u2").tobytes()


FILES = {
    "[H, W, 1]": (npy_bytes(DEPTH_M[..., None]), "float32 npy, metres"),
    "[1, H, W]": (npy_bytes(DEPTH_M[None]), "float32 npy, metres"),
    "[1, H, W, 1]": (npy_bytes(DEPTH_MM[None, ..., None]), "16-bit npy, millimetres"),
    "npz": (npz(anything=DEPTH_M), "float32 npz, metres"),
    "npz with other arrays": (npz(rgb=np.zeros(3), depth=DEPTH_MM, K=np.eye(3)), "16-bit npz"),
    "npz named by a word": (npz(rgb=np.zeros(3), depth_map=DEPTH_M[None]), "float32 npz"),
    "npz with a mask": (npz(depth=DEPTH_M, depth_mask=DEPTH_M > 1), "float32 npz"),
    "16-bit PNG": (png_bytes(DEPTH_MM), "16-bit PNG"),
    "16-bit TIFF": (tiff_bytes(DEPTH_MM), "16-bit TIFF"),
    "PGM": (pgm(65535), "32-bit PPM"),
    "PGM of 12 bits": (pgm(4095), "16-bit PGM"),
    "PGM of another maximum": (pgm(10000), "16-bit PGM"),
    "PFM": (b"Pf\n8 6\n-1.0\n" + DEPTH_M[::-1].astype("<f4").tobytes(), "float32 PPM"),
}


@pytest.mark.parametrize("name", FILES)
def test_depth_is_read_without_a_change(name):
    data, said = FILES[name]
    assert np.allclose(decode_depth(data, None, "a"), DEPTH_M, rtol=1e-6, atol=0)
    assert describe_depth(data, None, "a").startswith(said)


def bomb():
    """An archive whose array has two gigabytes of zeros when unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("depth.npy", npy_bytes(DEPTH_M))
    data = bytearray(buffer.getvalue())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (2**31).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npz(left=DEPTH_M, right=DEPTH_M), "contains the arrays left, right; expected one array"),
        (npz(depth_raw=DEPTH_M, depth_filled=DEPTH_M), "arrays depth_raw, depth_filled; expected"),
        (npz(), "a"),
        (npz(depth=DEPTH_M)[:-30], "is not a readable .npz file; is the file complete"),
        (b"PK\x03\x04", "is not a readable .npz file"),
        (bomb(), "the array depth is too large for a depth map"),
        (npz(depth=np.array([None])), "the array depth is not a readable .npy file"),
        (npy_bytes(np.zeros((6, 8, 3), np.float32)), r"as \[H, W\], got \(6, 8, 3\)"),
        (npy_bytes(np.zeros((1, 8), np.uint8)[..., None]), "8-bit depth, which is too coarse"),
        (b"\x76\x2f\x31\x01rest", "is an OpenEXR file, which SPD does not read; save its depth"),
        (b"P2\n2 1\n4095\n100 200\n", "is not a readable depth file"),
        (pgm(4095)[:-9], "is not a readable depth file; is the file complete"),
    ],
)
def test_other_files_are_refused_in_one_line(data, message):
    with pytest.raises(DataError, match=message) as caught:
        decode_depth(data, None, "a")
    assert "\n" not in str(caught.value)
