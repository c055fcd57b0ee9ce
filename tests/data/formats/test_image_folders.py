"""Image and depth folders: paired by name or by time, and refused where they do not pair."""

import pickle

import numpy as np
import pytest

from helpers.frames import miniature_frames
from helpers.same_frames import assert_same
from helpers.write_general import npy_bytes, png_bytes, tiff_bytes, write_image_folders
from spd.data.formats import open_source
from spd.data.formats.image_folders import ImageDepthFolders
from spd.data.formats.timestamps import nearest, timestamp_us
from spd.data.sample import valid_depth
from spd.errors import DataError
from spd.pixels import Intrinsics

FRAMES = miniature_frames()
IMAGE = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
DEPTH_MM = np.arange(1000, 1048, dtype=np.uint16).reshape(6, 8)


def small(folder, images=("images/a.png",), depths=("depth/a.png",), stored=None):
    """Small folders of the same image and depth under these names."""
    for name, data in (
        *((name, png_bytes(IMAGE)) for name in images),
        *((name, png_bytes(DEPTH_MM) if stored is None else stored) for name in depths),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_ultralytics_folders_give_the_same_frames(tmp_path):
    folder = write_image_folders(tmp_path / "nyu", FRAMES)
    source = open_source(f"{folder}:val,camera=nyu")
    assert isinstance(source, ImageDepthFolders)
    assert [(f.name, f.split, f.scene) for f in source.frames] == [
        ("val/00000", "val", None),
        ("val/00045", "val", None),
    ]
    for sample, frame in zip(source, FRAMES[4:], strict=True):
        assert_same(sample, frame)
    assert source.is_nyu
    assert source.stored == "16-bit PNG, 1000 units per metre"
    assert len(open_source(str(folder))) == 6


def test_folders_below_a_split_are_scenes(tmp_path):
    folder = write_image_folders(tmp_path / "nyu", FRAMES, scenes=True)
    source = open_source(f"{folder}:train")
    assert sorted({frame.scene for frame in source.frames}) == [
        "bedroom_0004",
        "kitchen_0028b",
        "office_0003",
    ]
    assert {frame.split for frame in source.frames} == {"train"}


def test_without_a_camera_the_focal_length_is_unknown(tmp_path):
    folder = write_image_folders(tmp_path / "nyu", FRAMES[:1])
    source = open_source(str(folder))
    assert not source.frames[0].has_focal
    assert source[0].intrinsics is None
    assert not source.is_nyu
    assert np.array_equal(source[0].valid, valid_depth(FRAMES[0].depth_m))
    said = open_source(f"{folder},focal_px=500")
    assert said.frames[0].has_focal
    assert said[0].intrinsics == Intrinsics(500.0, 500.0, 319.5, 239.5)


@pytest.mark.parametrize(("images", "depth"), [("rgb", "depths"), ("Colour", "Depth")])
def test_folders_go_by_several_names(tmp_path, images, depth):
    folder = small(tmp_path, (f"{images}/a.png",), (f"{depth}/a.png",))
    assert [frame.name for frame in open_source(str(folder)).frames] == ["a"]


@pytest.mark.parametrize(
    ("ending", "stored", "said"),
    [
        ("png", png_bytes(DEPTH_MM), "16-bit PNG, millimetres"),
        ("tif", tiff_bytes(DEPTH_MM.astype(np.float32) / 1000), "float32 TIFF, metres"),
        ("TIFF", tiff_bytes(DEPTH_MM), "16-bit TIFF, millimetres"),
        ("npy", npy_bytes(DEPTH_MM / 1000.0), "float64 npy, metres"),
    ],
)
def test_the_stored_type_decides_the_unit(tmp_path, ending, stored, said):
    folder = small(tmp_path, depths=(f"depth/a.{ending}",), stored=stored)
    source = open_source(str(folder))
    assert source.stored == said
    assert np.allclose(source[0].depth_m, DEPTH_MM / 1000.0, rtol=1e-7, atol=0)


def test_a_yaml_file_gives_the_unit_and_the_user_overrides_it(tmp_path):
    folder = small(tmp_path)
    (folder / "data.yaml").write_text("path: .\r\ndepth_scale: 5000  # TUM's\r\nnc: 1\r\n")
    assert open_source(str(folder))[0].depth_m[0, 0] == np.float32(0.2)
    assert open_source(f"{folder},unit=millimetre")[0].depth_m[0, 0] == np.float32(1.0)
    assert open_source(f"{folder},unit=2000")[0].depth_m[0, 0] == np.float32(0.5)


@pytest.mark.parametrize("scale", ["", "mm", "0", "-1", "inf", "nan"])
def test_an_unknown_unit_is_refused(tmp_path, scale):
    folder = small(tmp_path)
    (folder / "data.yml").write_text(f"depth_scale: {scale}\n")
    with pytest.raises(DataError, match=r"data.yml: depth_scale is '.*'; expected units per metre"):
        open_source(str(folder))


def test_two_units_are_refused(tmp_path):
    folder = small(tmp_path)
    (folder / "a.yaml").write_text("depth_scale: 1000")
    (folder / "b.yaml").write_text("depth_scale: 5000")
    with pytest.raises(DataError, match=r"a.yaml 1000, b.yaml 5000; pass unit="):
        open_source(str(folder))
    assert len(open_source(f"{folder},unit=1000")) == 1


def test_millimetres_stored_as_floats_need_the_user(tmp_path):
    stored = tiff_bytes(DEPTH_MM.astype(np.float32))
    folder = small(tmp_path, depths=("depth/a.tif",), stored=stored)
    assert open_source(str(folder))[0].depth_m[0, 0] == 1000.0
    assert open_source(f"{folder},unit=millimetre")[0].depth_m[0, 0] == np.float32(1.0)


def test_files_without_a_partner_are_counted_and_listed(tmp_path):
    images = [f"images/train/{n}.png" for n in range(10, 17)]
    folder = small(
        tmp_path, (*images, "images/val/1.png"), ("depth/train/x.png", "depth/val/1.png")
    )
    with pytest.raises(DataError) as caught:
        open_source(str(folder))
    assert str(caught.value) == (
        f"{folder} has 7 image(s) without depth: train/10, train/11, train/12, train/13, "
        "train/14, ... and 1 depth map(s) without image: train/x; both files of a pair must have "
        "the same name, apart from the file extension and words such as rgb and depth. Add the "
        "missing files, remove the unpaired ones, or list the pairs in a CSV file: write "
        f'{folder}/pairs.csv with the first line "image,depth" and one line for each pair, such as '
        f'"images/val/1.png,depth/val/1.png", and run spd data check {folder}/pairs.csv,'
        "focal_px=PIXELS (docs/formats.md); for training, add a column split (train, val)"
    )
    assert len(open_source(f"{folder}:val")) == 1


def test_hidden_files_are_no_frames(tmp_path):
    folder = small(tmp_path, ("images/a.png", "images/._a.png"), ("depth/a.png",))
    assert len(open_source(str(folder))) == 1


def test_two_files_with_the_same_name_are_refused(tmp_path):
    folder = small(tmp_path, ("images/a.png", "images/a.jpg"))
    with pytest.raises(
        DataError, match=r"images/a.png and a.jpg differ only in the file extension"
    ):
        open_source(str(folder))


def test_two_folders_of_images_are_refused(tmp_path):
    folder = small(tmp_path, ("images/a.png", "rgb/a.png"))
    with pytest.raises(DataError, match=r"one folder named .*, got images, rgb"):
        open_source(str(folder))
    with pytest.raises(DataError, match=r"one folder named .*, got none"):
        open_source(f"{folder / 'rgb'},format=image-depth-folders")


def test_an_unknown_split_is_refused_with_the_known_ones(tmp_path):
    folder = write_image_folders(tmp_path / "nyu", FRAMES)
    with pytest.raises(DataError, match="no frames in split 'test'; its splits are train, val"):
        open_source(f"{folder}:test")


def tum(folder, image_times, depth_times):
    return small(
        folder,
        [f"rgb/{time}.png" for time in image_times],
        [f"depth/{time}.png" for time in depth_times],
    )


def test_names_that_are_times_pair_with_the_nearest(tmp_path):
    folder = tum(
        tmp_path,
        ("1305031102.175304", "1305031102.211214"),
        ("1305031102.160407", "1305031102.194330", "1305031102.226738"),
    )
    source = open_source(f"{folder},unit=5000,focal_px=525")
    # 14.897 ms before and 19.026 ms after; 16.884 ms before and 15.524 ms after.
    assert [pair.depth.stem for pair in source.pairs] == ["1305031102.160407", "1305031102.226738"]
    assert [frame.name for frame in source.frames] == ["1305031102.175304", "1305031102.211214"]
    assert source.left_over == []
    assert source[0].depth_m[0, 0] == np.float32(0.2)


def test_times_up_to_20_ms_apart_are_a_pair(tmp_path):
    # One of 21 images is left over, less than 5 %.
    images = [f"13050311{n:02d}.000000" for n in range(21)]
    depths = [f"13050311{n:02d}.020000" for n in range(20)] + ["1305031120.020001"]
    source = open_source(str(tum(tmp_path, images, depths)))
    assert len(source) == 20
    assert source.left_over == ["1305031120.000000"]


def test_more_than_5_percent_left_over_are_refused_with_the_largest_gap(tmp_path):
    images = [f"13050311{n:02d}.000000" for n in range(19)]
    depths = [f"13050311{n:02d}.010000" for n in range(18)] + ["1305031118.250000"]
    with pytest.raises(DataError) as caught:
        open_source(str(tum(tmp_path, images, depths)))
    assert str(caught.value) == (
        f"{tmp_path}: 1 of 19 images have no depth map within 0.02 s; "
        "the largest gap is 0.25 s, at 1305031118.000000. Check that both folders come "
        "from the same recording, or list the pairs in a CSV file: write "
        f'{tmp_path}/pairs.csv with the first line "image,depth" and one line for each pair, such '
        'as "rgb/1305031100.000000.png,depth/1305031100.010000.png", and run spd data check '
        f"{tmp_path}/pairs.csv,focal_px=PIXELS (docs/formats.md); for training, "
        "add a column split (train, val)"
    )


def test_no_pair_in_time_is_refused(tmp_path):
    folder = tum(tmp_path, ["1305031102.000000"], ["1305031105.500000"])
    with pytest.raises(DataError, match=r"1 of 1 images .* the largest gap is 3.5 s"):
        open_source(str(folder))


def test_the_nearest_time_is_found_at_both_ends_and_between():
    assert [nearest(time, [10, 20]) for time in (0, 10, 15, 16, 99)] == [10, 10, 10, 20, 20]
    assert nearest(5, []) is None
    assert timestamp_us("1305031102.1753") == 1305031102175300
    assert timestamp_us("1305031102.1753049") == 1305031102175304
    assert [timestamp_us(stem) for stem in ("00045", "0001.5", "rgb_00045")] == [None] * 3


BAD_DEPTH = {
    "8-bit grey": (
        png_bytes(IMAGE[..., 0]),
        "a.png contains 8-bit depth, which is too coarse for metric depth",
    ),
    "8-bit colour": (
        png_bytes(IMAGE),
        "a.png contains 8-bit depth, which is too coarse for metric depth",
    ),
    "truncated": (
        png_bytes(DEPTH_MM)[:60],
        "a.png is not a readable depth file; is the file complete",
    ),
    "empty": (b"", "a.png is not a readable depth file; is the file complete"),
    "another shape": (png_bytes(DEPTH_MM[:3]), "must show the same field of view"),
}


@pytest.mark.parametrize("case", BAD_DEPTH)
def test_depth_that_cannot_be_read_is_named(tmp_path, case):
    stored, message = BAD_DEPTH[case]
    with pytest.raises(DataError, match=message) as caught:
        open_source(str(small(tmp_path, stored=stored)))[0]
    assert "\n" not in str(caught.value)


def test_a_truncated_photo_is_named(tmp_path):
    folder = write_image_folders(tmp_path / "nyu", FRAMES[:1])
    photo = folder / "images" / "train" / "00002.jpg"
    photo.write_bytes(photo.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"00002.jpg is damaged or truncated"):
        open_source(str(folder))[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("depth=raw", "image-depth-folders does not accept depth="),
        ("root=x", "image-depth-folders does not accept root="),
        ("camera=nyu,focal_px=500", "both set the camera"),
        ("unit=0", "unit"),
    ],
)
def test_options_that_do_not_apply_are_refused(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        open_source(f"{small(tmp_path)},{options}")


def test_frames_are_read_in_another_process(tmp_path):
    source = open_source(str(small(tmp_path)))
    assert np.array_equal(pickle.loads(pickle.dumps(source))[0].image, IMAGE)
