"""RGB-D folders: what is written is read, and what is wrong is named before work starts."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.samples import slanted_sample
from spd.data.depth_png import read_depth_png, write_depth_png
from spd.data.folder import write_frame
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.sources import open_samples
from spd.errors import DataError
from spd.pixels import Intrinsics


def edit_index(folder, change) -> None:
    index = folder / "frames.json"
    entries = json.loads(index.read_text())
    change(entries)
    index.write_text(json.dumps(entries))


def test_a_written_frame_is_read_back(rgbd_folder):
    frames = RGBDFolder(rgbd_folder, "train")
    assert len(frames) == 3
    sample, original = frames[1], slanted_sample()
    assert np.array_equal(sample.image, original.image)
    # 16-bit millimetres: half a millimetre of rounding.
    assert np.abs(sample.depth_m - original.depth_m).max() <= 0.00051
    assert sample.intrinsics == original.intrinsics
    assert sample.valid.all()


def test_zero_and_beyond_ten_metres_are_no_reading(tmp_path):
    depth_m = np.array([[0.0, 0.0005, 0.0016, 10.0, 10.01, 60.0]], dtype=np.float32)
    write_depth_png(depth_m, tmp_path / "d.png")
    got = read_depth_png(tmp_path / "d.png")
    from spd.data.sample import valid_depth

    assert valid_depth(got).tolist() == [[False, False, True, True, False, False]]


def test_depth_that_16_bits_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be stored"):
        write_depth_png(np.full((2, 2), 70.0, np.float32), tmp_path / "d.png")
    assert list(tmp_path.iterdir()) == []


def test_depth_of_half_the_size_lies_at_its_own_centres(rgbd_folder):
    half = np.full((24, 32), 2.0, np.float32)
    write_depth_png(half, rgbd_folder / "frame-0.depth.png")
    edit_index(rgbd_folder, lambda e: e[0].update(depth_size=[24, 32]))
    sample = RGBDFolder(rgbd_folder)[0]
    assert sample.depth_size == (24, 32)
    assert sample.image_size == (48, 64)
    # The first of 32 columns covers pixels 0 and 1: its centre is between them.
    assert sample.reading_points()[0].tolist() == [0.5, 0.5]
    assert sample.reading_points()[-1].tolist() == [62.5, 46.5]


def test_nyus_white_border_is_not_valid(tmp_path, rgbd_folder):
    size = (480, 640)
    sample = slanted_sample("frame-0", size)
    write_frame(sample, rgbd_folder)
    sizes = {"image_size": list(size), "depth_size": list(size)}
    edit_index(rgbd_folder, lambda e: e[0].update(dataset="NYUv2 raw", **sizes))
    valid = RGBDFolder(rgbd_folder)[0].valid
    rows, columns = np.nonzero(valid)
    assert (rows.min(), rows.max()) == (7, 473)
    assert (columns.min(), columns.max()) == (7, 631)


def test_a_mirrored_axis_keeps_its_focal_length(rgbd_folder):
    edit_index(rgbd_folder, lambda e: e[0]["intrinsics"].update(fy=-50.0))
    assert RGBDFolder(rgbd_folder)[0].intrinsics == Intrinsics(0.81 * 64, 50.0, 31.5, 23.5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda e: e.append({"image": "x.png"}), "frame 5: FrameEntry: depth: Field required"),
        (lambda e: e[0].update(depth_unit="metre"), "depth_unit: .*got 'metre'"),
        (lambda e: e[0].update(intrinsics={"fx": 1}), "frame 0: FrameEntry: intrinsics"),
        (lambda e: e[0]["intrinsics"].update(fx=0), "fx and fy must not be 0"),
        (
            lambda e: e[0].update(depth="gone.png"),
            "1 file.* listed in the index are missing: .*; restore them, or remove",
        ),
        (lambda e: e[0].update(image=5), "image: .*valid string"),
        (lambda e: e[0].update(image_size=[48]), "image_size"),
        (lambda e: e[0].update(image_size="48x64"), "image_size"),
        (lambda e: e.append(3), "frame 5: FrameEntry: expected a JSON object, got int"),
        (lambda e: e.clear(), "has no frames"),
    ],
)
def test_a_wrong_index_is_refused_when_opened(rgbd_folder, change, named):
    edit_index(rgbd_folder, change)
    with pytest.raises(DataError, match=named):
        RGBDFolder(rgbd_folder)


def test_missing_files_are_refused_when_opened(tmp_path, rgbd_folder):
    with pytest.raises(DataError, match=r"contains no frames\.json"):
        RGBDFolder(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no frames in split 'test'; its splits are train, val"):
        RGBDFolder(rgbd_folder, "test")
    (rgbd_folder / "frames.json").write_text("[{")
    with pytest.raises(DataError, match="not valid JSON"):
        RGBDFolder(rgbd_folder)


def test_bad_depth_files_are_named(rgbd_folder):
    path = rgbd_folder / "frame-0.depth.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="complete"):
        RGBDFolder(rgbd_folder)[0]
    Image.new("L", (64, 48), 100).save(path)
    with pytest.raises(DataError, match="8-bit grey; expected 16-bit"):
        RGBDFolder(rgbd_folder)[0]
    write_depth_png(np.zeros((48, 64), np.float32), path)
    assert not RGBDFolder(rgbd_folder)[0].valid.any()  # trainer and evaluation skip and count it
    write_depth_png(np.ones((40, 64), np.float32), path)
    with pytest.raises(DataError, match="the depth map is 40x64, but the index gives 48x64"):
        RGBDFolder(rgbd_folder)[0]
    edit_index(rgbd_folder, lambda e: e[0].pop("depth_size"))
    with pytest.raises(DataError, match="the aspect ratios of image"):
        RGBDFolder(rgbd_folder)[0]


def test_a_truncated_image_is_named(rgbd_folder):
    path = rgbd_folder / "frame-0.png"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"frame-0\.png is damaged or truncated"):
        RGBDFolder(rgbd_folder)[0]


def test_sources_are_joined_without_frames_of_unknown_focal_length(rgbd_folder):
    edit_index(rgbd_folder, lambda e: e[0].update(intrinsics=None))
    both = open_samples([f"{rgbd_folder}:train", f"{rgbd_folder}:val"])
    assert len(both) == 5
    assert both[0].intrinsics is None
    assert both[4].name == "frames/frame-4.png"
    metric = open_samples([str(rgbd_folder)], metric_only=True)
    assert (len(metric), metric.without_focal_length) == (4, 1)
    assert [s.name for s in metric] == [f"frame-{n}.png" for n in range(1, 5)]
    edit_index(rgbd_folder, lambda e: [f.update(intrinsics=None) for f in e])
    with pytest.raises(DataError, match="no frame has camera intrinsics"):
        open_samples([str(rgbd_folder)], metric_only=True)


def test_real_frames_are_read(shared_frames):
    train, val = (RGBDFolder(shared_frames, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (250, 23)
    for folder in (train, val):
        for place in range(0, len(folder), 25):
            sample = folder[place]
            assert 0.05 < sample.valid.mean() <= 1
            assert 0.3 < np.median(sample.depth_m[sample.valid]) < 8
