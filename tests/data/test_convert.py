"""`spd data convert`: any source as a folder, the same to the millimetre, resumable."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from helpers.fake_source import FakeSource, corner_room
from helpers.samples import slanted_sample
from spd.cli import run
from spd.data import convert as module
from spd.data.convert import broken_lines, convert
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.formats import open_source
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.ray_length import ray_length_map
from spd.data.source import Frame
from spd.data.source_name import SourceOptions
from spd.errors import DataError
from spd.pixels import Intrinsics


@pytest.fixture
def opens(monkeypatch):
    """Make `convert` open the given source under any name."""

    def use(source) -> None:
        monkeypatch.setattr(module, "open_source", lambda text: source)

    return use


def room(yaw: float = 20.0) -> np.ndarray:
    return corner_room(yaw).astype(np.float32)


def test_a_converted_folder_reads_as_its_source_did(rgbd_folder, tmp_path):
    done = convert(str(rgbd_folder), tmp_path / "new", workers=1)
    assert (done.written, done.kept, done.broken) == (5, 0, [])
    before, after = RGBDFolder(rgbd_folder), RGBDFolder(tmp_path / "new")
    assert [frame.split for frame in after.frames] == [frame.split for frame in before.frames]
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.image, new.image)
        assert np.array_equal(old.depth_m, new.depth_m)
        assert np.array_equal(old.valid, new.valid)
        assert old.intrinsics == new.intrinsics


def test_float_depth_is_kept_to_half_a_millimetre_and_images_in_no_file_become_png(opens, tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(2)]
    frames = [Frame("kitchen/1.h5", "train", "kitchen"), Frame("hall/1.h5", "test", "hall")]
    stored = [room(20), room(50)]
    stored[0][:50] = np.nan
    source = FakeSource(stored, images=images, frames=frames)
    opens(source)
    convert("fake", tmp_path / "new", workers=1)
    folder = RGBDFolder(tmp_path / "new")
    assert [f.name for f in folder.frames] == ["train/kitchen/1.png", "test/hall/1.png"]
    assert [(f.split, f.scene) for f in folder.frames] == [("train", "kitchen"), ("test", "hall")]
    for old, new in zip(source, folder, strict=True):
        assert np.array_equal(old.image, new.image)
        assert np.abs(old.depth_m - new.depth_m).max() <= 0.00051
        assert np.array_equal(old.valid, new.valid)
        assert old.intrinsics == new.intrinsics
    assert not folder[0].valid[:50].any()


def test_image_files_are_copied_byte_by_byte(rgbd_folder, tmp_path):
    Image.fromarray(slanted_sample().image).save(rgbd_folder / "photo.JPG", "JPEG")
    index = rgbd_folder / "frames.json"
    entries = json.loads(index.read_text())
    entries[1]["image"] = "photo.JPG"
    index.write_text(json.dumps(entries))
    convert(f"{rgbd_folder}:train", tmp_path / "new", workers=1)
    copied = (tmp_path / "new" / "train" / "photo.jpg").read_bytes()
    assert copied == (rgbd_folder / "photo.JPG").read_bytes()


def test_readings_beyond_ten_metres_are_kept_up_to_what_16_bits_hold(opens, tmp_path):
    stored = room()
    stored[0, :3] = (12.345, 65.5, 70.0)
    opens(FakeSource([stored]))
    convert("fake", tmp_path / "new", workers=1)
    depth_m = RGBDFolder(tmp_path / "new")[0].depth_m
    assert depth_m[0, :3].tolist() == pytest.approx([12.345, 65.5, 0.0])


class Masked(FakeSource):
    """NYU-like frames whose own border is wider than 480x640's."""

    def read(self, number):
        sample = super().read(number)
        valid = sample.valid.copy()
        valid[:20] = False
        return dataclasses.replace(sample, valid=valid)


def test_readings_masked_by_the_source_are_masked_in_the_folder(opens, tmp_path):
    source = Masked([room()])
    opens(source)
    convert("fake", tmp_path / "new", workers=1)
    assert np.array_equal(RGBDFolder(tmp_path / "new")[0].valid, source[0].valid)


def test_nyu_is_marked_and_its_border_masked_unless_border_is_none(opens, tmp_path):
    frames = [Frame("f", "train", "kitchen_0028b", 2)]
    source = FakeSource([corner_room(20, (480, 640)).astype(np.float32)], frames=frames, nyu=True)
    opens(source)
    convert("fake", tmp_path / "new", workers=1)
    folder = RGBDFolder(tmp_path / "new")
    assert folder.is_nyu
    assert (folder.frames[0].official_number, folder.frames[0].scene) == (2, "kitchen_0028b")
    assert not folder[0].valid[:7].any()
    assert folder[0].valid[7:474, 7:632].all()
    assert (folder[0].depth_m[:7] > 0).all()  # readings stay, the mask is the reader's
    source.options = SourceOptions(border="none")
    convert("fake", tmp_path / "kept", workers=1)
    assert RGBDFolder(tmp_path / "kept")[0].valid.all()


def test_exact_points_travel_with_their_frame(opens, tmp_path):
    points = np.array([[3.25, 4.5, 1.75], [10.0, 20.5, 2.5]], np.float32)

    class Exact(FakeSource):
        def read(self, number):
            return dataclasses.replace(super().read(number), exact_points=points)

    opens(Exact([room()]))
    convert("fake", tmp_path / "new", workers=1)
    assert np.array_equal(RGBDFolder(tmp_path / "new")[0].exact_points, points)


def test_names_become_safe_and_distinct_paths(opens, tmp_path):
    names = ["/a/../b.png", "a/b.jpg", "A/B", "x y:z", "1305031102.175304"]
    opens(FakeSource([room()] * 5, frames=[Frame(name) for name in names]))
    convert("fake", tmp_path / "new", workers=1, split="mine")
    folder = RGBDFolder(tmp_path / "new", "mine")
    assert [frame.name for frame in folder.frames] == [
        "a/b.png", "a/b-000001.png", "A/B-000002.png", "x_y_z.png", "1305031102.175304.png",
    ]  # fmt: skip
    assert [entry.model_extra["source_name"] for entry in folder.entries] == names


def test_an_interrupted_conversion_resumes(opens, tmp_path):
    stored = [room(20), room(50), None, room(130)]
    source = FakeSource(stored)
    opens(source)
    folder = tmp_path / "new"
    with pytest.raises(DataError, match=r"1 frame.* allows only 0.*frame-2 is truncated"):
        convert("fake", folder, workers=1)
    assert not (folder / "frames.json").exists()  # an index only names what is there
    written = (folder / "frame-0.png").stat().st_mtime_ns
    with (folder / "convert.jsonl").open("a") as journal:
        journal.write('{"image": "frame-3.png", "dep')  # cut off
    source.depths[2] = room(340)
    done = convert("fake", folder, workers=1)
    assert (done.written, done.kept) == (2, 2)
    assert (folder / "frame-0.png").stat().st_mtime_ns == written
    assert len(RGBDFolder(folder)) == 4
    assert not (folder / "convert.jsonl").exists()
    again = convert("fake", folder, workers=1)
    assert (again.written, again.kept) == (0, 4)
    (folder / "frame-1.depth.png").unlink()
    assert convert("fake", folder, workers=1).written == 1


def test_some_broken_frames_are_left_out_when_allowed_and_listed(opens, tmp_path):
    opens(FakeSource([room(20), None, room(50), None]))
    done = convert("fake", tmp_path / "new", workers=1, max_broken=2)
    assert broken_lines(done) == ["frame-1 is truncated", "frame-3 is truncated"]
    assert broken_lines(done, most=1)[1] == "and 1 more: frame-3"
    assert [frame.name for frame in RGBDFolder(tmp_path / "new").frames] == [
        "frame-0.png", "frame-2.png",
    ]  # fmt: skip


def test_a_folder_with_other_content_is_refused(rgbd_folder, tmp_path):
    convert(f"{rgbd_folder}:train", tmp_path / "new", workers=1)
    with pytest.raises(
        DataError, match="written with source_split 'train', but this command uses 'val'"
    ):
        convert(f"{rgbd_folder}:val", tmp_path / "new", workers=1)
    with pytest.raises(DataError, match="written with split None, but this command uses 'mine'"):
        convert(f"{rgbd_folder}:train", tmp_path / "new", workers=1, split="mine")
    with pytest.raises(DataError, match="is not an empty folder"):
        convert(f"{rgbd_folder}:train", rgbd_folder, workers=1)


def test_values_that_are_not_metric_depth_are_refused_before_writing(opens, tmp_path):
    opens(FakeSource([room(yaw) * 1000 for yaw in (20, 50)]))
    with pytest.raises(DataError, match="pass unit=millimetre"):
        convert("fake", tmp_path / "new", workers=1)
    assert not (tmp_path / "new").exists()


def test_several_processes_write_the_same_folder(tmp_path):
    entries = []
    for number in range(20):
        sample = slanted_sample(f"{number:02d}", size=(12, 16))
        write_frame(sample, tmp_path / "old")
        entries.append(frame_entry(sample.name, (12, 16), sample.intrinsics, "train"))
    write_index(entries, tmp_path / "old")
    (tmp_path / "old" / "07.png").write_bytes(b"")
    seen = []
    done = convert(
        str(tmp_path / "old"),
        tmp_path / "two",
        workers=2,
        max_broken=1,
        progress=lambda *numbers: seen.append(numbers),
    )
    assert (done.written, len(done.broken)) == (19, 1)
    assert done.broken[0][1].endswith("07.png is empty")
    assert seen == [(n, 20) for n in range(21)]
    convert(str(tmp_path / "old"), tmp_path / "one", workers=1, max_broken=1)
    one, two = ((tmp_path / name / "frames.json").read_text() for name in ("one", "two"))
    assert one == two


def test_the_command_reports_the_result(capsys, rgbd_folder, tmp_path):
    (rgbd_folder / "frame-3.png").write_bytes(b"")
    words = ["data", "convert", str(rgbd_folder), str(tmp_path / "new"), "--workers", "1"]
    assert run(words) == 2
    assert "finished frames are kept. The last error is: " in capsys.readouterr().err
    assert run([*words, "--max-broken", "1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"left out: {rgbd_folder / 'frame-3.png'} is empty"
    assert printed[1] == f"1 frame written to {tmp_path / 'new'}, 3 already there"


def test_ray_length_is_refused_and_converted_to_z(tmp_path):
    z_m = [room(yaw) for yaw in (20.0, 50.0, 130.0, 340.0)]
    camera = Intrinsics.centred(259.2, (240, 320))
    lengths = ray_length_map(camera, (240, 320), (240, 320))
    for kind in ("images", "depth"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for number, depth_m in enumerate(z_m):
        Image.new("RGB", (320, 240), (9, 99, 199)).save(tmp_path / f"data/images/{number}.png")
        np.save(tmp_path / f"data/depth/{number}.npy", (depth_m * lengths).astype(np.float32))
    source = f"{tmp_path / 'data'},focal_px=259.2"
    with pytest.raises(DataError, match=r"distance along each ray.*pass depth=range"):
        convert(source, tmp_path / "wrong", workers=1)
    convert(f"{source},depth=range", tmp_path / "z", workers=1)
    for sample, depth_m in zip(RGBDFolder(tmp_path / "z"), z_m, strict=True):
        assert np.abs(sample.depth_m - depth_m).max() < 0.001
    with pytest.raises(DataError, match=r"max_depth_m is 80, but an RGB-D folder stores depth up"):
        convert(f"{source},max_depth_m=80", tmp_path / "far", workers=1)


def test_an_rgbd_folder_of_ray_lengths_and_a_larger_depth_are_read_as_stated(tmp_path):
    sample = slanted_sample()
    folder = tmp_path / "frames"
    folder.mkdir()
    write_frame(dataclasses.replace(sample, valid=np.ones_like(sample.valid)), folder)
    entry = frame_entry(sample.name, sample.image_size, sample.intrinsics, "train")
    write_index([entry], folder)
    lengths = ray_length_map(sample.intrinsics, sample.image_size, sample.depth_size)
    (read,) = open_source(f"{folder},depth=range")
    np.testing.assert_allclose(read.depth_m, sample.depth_m / lengths, atol=6e-4)
    (near,) = open_source(f"{folder},max_depth_m=2")
    assert near.max_depth_m == 2
    assert np.array_equal(near.valid, near.depth_m <= 2)
