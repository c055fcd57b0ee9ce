"""A table of one's own: its rows, what spreadsheets do to it, and what is refused by row."""

import pickle

import numpy as np
import pytest

from helpers.frames import miniature_frames
from helpers.same_frames import assert_same
from helpers.write_general import npy_bytes, png_bytes, tiff_bytes, write_table
from spd.data.formats import open_source
from spd.data.formats.table import CSVTable
from spd.errors import DataError
from spd.pixels import Intrinsics

FRAMES = miniature_frames()
IMAGE = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
DEPTH_MM = np.arange(1000, 1048, dtype=np.uint16).reshape(6, 8)


@pytest.fixture
def files(tmp_path):
    """Two images and four depth maps for a table to name."""
    for name, data in (
        ("a.png", png_bytes(IMAGE)),
        ("b.png", png_bytes(IMAGE + 1)),
        ("a.depth.png", png_bytes(DEPTH_MM)),
        ("mm.tif", tiff_bytes(DEPTH_MM.astype(np.float32))),
        ("m.npy", npy_bytes(DEPTH_MM / 1000.0)),
        ("grey.png", png_bytes(IMAGE[..., 0])),
    ):
        (tmp_path / name).write_bytes(data)
    return tmp_path


def table(folder, text):
    (folder / "t.csv").write_bytes(text.encode())
    return folder / "t.csv"


def test_a_table_gives_the_same_frames(tmp_path):
    path = write_table(tmp_path / "mine", FRAMES)
    source = open_source(f"{path}:test,border=nyu")
    assert isinstance(source, CSVTable)
    assert [(f.name, f.split, f.scene) for f in source.frames] == [
        ("photos/0.jpg", "test", "kitchen_0004"),
        ("photos/45.jpg", "test", "bathroom_0009"),
    ]
    for sample, frame in zip(source, FRAMES[4:], strict=True):
        assert_same(sample, frame)
    assert_same(open_source(str(path))[0], FRAMES[0], border=False)
    assert source.stored == "float32 TIFF, metres"
    assert not source.is_nyu


def test_the_users_camera_overrides_the_tables(tmp_path):
    path = write_table(tmp_path / "mine", FRAMES[:1])
    source = open_source(f"{path},camera=nyu")
    assert source.is_nyu
    assert_same(source[0], FRAMES[0])
    other = open_source(f"{path},focal_px=500")
    assert other[0].intrinsics == Intrinsics(500.0, 500.0, 319.5, 239.5)


@pytest.mark.parametrize(
    "text",
    [
        "image,depth\na.png,a.depth.png\n",
        "image,depth\na.png,a.depth.png",
        "image,depth\r\na.png,a.depth.png\r\n\r\n",
        "\ufeffimage,depth\r\na.png,a.depth.png",
        ' Image , DEPTH,note\n"a.png", a.depth.png,"with, comma"\n',
        "depth,note,image,split,fx,fy,cx,cy\na.depth.png,,a.png\n",
    ],
    ids=["plain", "no last newline", "CRLF", "BOM", "spaces and quotes", "cells left away"],
)
def test_files_of_editors_and_spreadsheets_are_read(files, text):
    (frame,) = open_source(str(table(files, text))).frames
    assert (frame.name, frame.split, frame.has_focal) == ("a.png", None, False)


def test_every_column_is_used(files):
    path = table(
        files,
        "name,image,depth,unit,split,scene,fx,fy,cx,cy,focal_px\n"
        "one,a.png,a.depth.png,,train,hall,5,6,3,2,\n"
        "two,b.png,mm.tif,millimetre,validation,loft,,,,,4.5\n"
        "three,b.png,a.depth.png,500,train,,-5,6,3,2,\n"
        "four,b.png,m.npy,metre,train,,,,,,\n",
    )
    source = open_source(str(path))
    assert [frame.name for frame in source.frames] == ["one", "two", "three", "four"]
    assert [frame.has_focal for frame in source.frames] == [True, True, True, False]
    assert [frame.scene for frame in source.frames] == ["hall", "loft", None, None]
    assert [s.depth_m[0, 0] for s in source] == [np.float32(value) for value in (1, 1, 2, 1)]
    assert source[0].intrinsics == Intrinsics(5.0, 6.0, 3.0, 2.0)
    assert source[1].intrinsics == Intrinsics(4.5, 4.5, 3.5, 2.5)
    # A mirrored axis counts by its magnitude, as in an RGB-D folder.
    assert source[2].intrinsics == Intrinsics(5.0, 6.0, 3.0, 2.0)
    assert [frame.name for frame in open_source(f"{path}:val").frames] == ["two"]
    everywhere = open_source(f"{path},unit=250")
    assert [s.depth_m[0, 0] for s in everywhere] == [np.float32(v) for v in (4, 4, 4, 1 / 250)]


def test_paths_may_start_from_another_folder_or_be_absolute(files, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = table(elsewhere, f"image,depth\na.png,{files / 'a.depth.png'}\n")
    assert np.array_equal(open_source(f"{path},root={files}")[0].image, IMAGE)
    with pytest.raises(DataError, match=r"1 file.* listed in the index are missing"):
        open_source(str(path))


def test_missing_files_are_all_counted(files):
    path = table(files, "image,depth\na.png,no.png\nb.png,nor.png\nc.png,a.depth.png\n")
    with pytest.raises(DataError, match=r"t.csv: 3 file\(s\) .*no.png, .*nor.png, .*c.png"):
        open_source(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,depth,fx\na.png,a.depth.png,5\n", "t.csv: row 2: the camera lacks fy, cx, cy"),
        ("image,depth,focal_px\na.png,a.depth.png,long\n", "row 2: focal_px is 'long'; expected"),
        ("image,depth,focal_px\na.png,a.depth.png,0\n", "row 2: focal_px is 0; expected a posit"),
        ("image,depth,focal_px\na.png,a.depth.png,inf\n", "row 2: focal_px is 'inf'; expected"),
        (
            "image,depth,fx,fy,cx,cy\na.png,a.depth.png,0,1,1,1\n",
            "row 2: fx and fy must not be 0",
        ),
        ("image,depth,unit\na.png,a.depth.png,mm\n", "row 2: unit is 'mm'; expected millimetre"),
        ("image,depth,unit\na.png,a.depth.png,-1\n", "row 2: unit is '-1'; expected millimetre"),
        ("image,depth\n\na.png,\n", "row 3 has no depth"),
        ("image,depth\na.png,a.depth.png,x\n", "row 2 has 3 values, but the header has 2"),
        ("image,depth\n", "t.csv has no frames"),
        ("image,depth\na.png,a.depth.png\na.png,m.npy\n", "uses the name a.png twice"),
    ],
)
def test_errors_in_a_row_name_the_row(files, text, message):
    with pytest.raises(DataError, match=message) as caught:
        open_source(str(table(files, text)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"photo,depth\na,b\n",
            "header must contain image exactly once, but it contains photo, depth",
        ),
        (b"image,depth,image\na,b,c\n", "header must contain image exactly once"),
        (b"", "header must contain image exactly once, but it contains nothing"),
        (b"image,depth\n\xff\xfe,a\n", "is not a readable UTF-8 CSV file"),
        (b'image,depth\n"a,b\n', "is not a readable UTF-8 CSV file"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_source(f"{tmp_path / 't.csv'},format=table")
    assert "\n" not in str(caught.value)


def test_names_that_are_times_too_far_apart_are_refused_by_row(tmp_path):
    for name, data in (
        ("1305031102.100000.png", png_bytes(IMAGE)),
        ("1305031102.150000.npy", npy_bytes(DEPTH_MM)),
        ("1305031102.150001.npy", npy_bytes(DEPTH_MM)),
    ):
        (tmp_path / name).write_bytes(data)
    near = "image,depth\n1305031102.100000.png,1305031102.150000.npy\n"
    assert len(open_source(str(table(tmp_path, near)))) == 1
    with pytest.raises(DataError, match=r"row 2 pairs .* taken 0.050001 s apart; .* 0.05 s"):
        open_source(str(table(tmp_path, near.replace("150000", "150001"))))


def test_8_bit_depth_is_refused(files):
    source = open_source(str(table(files, "image,depth\na.png,grey.png\n")))
    with pytest.raises(
        DataError, match=r"grey.png contains 8-bit depth, which is too coarse for metric depth"
    ):
        source[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",depth=raw", "table does not accept depth="),
        (",camera=nyu,focal_px=500", "both set the camera"),
        (":night", "no frames in split 'night'; its splits are none"),
    ],
)
def test_options_that_do_not_apply_are_refused(files, options, message):
    path = table(files, "image,depth\na.png,a.depth.png\n")
    with pytest.raises(DataError, match=message):
        open_source(f"{path}{options}")


def test_frames_are_read_in_another_process(files):
    source = open_source(str(table(files, "image,depth\na.png,a.depth.png\n")))
    assert np.array_equal(pickle.loads(pickle.dumps(source))[0].image, IMAGE)
