"""BTS's folders and lists: which split is where, whose camera, and every line that is wrong."""

import pickle

import numpy as np
import pytest
from PIL import Image

from helpers.frames import miniature_frames
from helpers.same_frames import assert_same
from helpers.write_nyu import write_bts
from spd.data.formats import open_source, recognise
from spd.data.formats.bts import BTS
from spd.errors import DataError
from spd.pixels import Intrinsics

FRAMES = miniature_frames()
# Scenes are read by name: bedroom, kitchen, kitchen, office; then bathroom, kitchen of the test.
IN_ORDER = [FRAMES[n] for n in (2, 0, 1, 3, 5, 4)]
LISTS = "train_test_inputs"
ONE = "kitchen_0028b/rgb_00000.jpg kitchen_0028b/sync_depth_00000.png"


@pytest.fixture(scope="module")
def bts(tmp_path_factory):
    return write_bts(tmp_path_factory.mktemp("data") / "nyu", FRAMES)


@pytest.fixture
def small(tmp_path):
    """A folder of one training and one test frame, to be changed."""
    return write_bts(tmp_path / "small", [FRAMES[0], FRAMES[5]])


def write_list(folder, text: str):
    path = folder / "list.txt"
    path.write_bytes(text.encode())
    return path


def test_frames_of_folders_are_the_written_ones(bts):
    source = open_source(str(bts))
    assert isinstance(source, BTS)
    assert [frame.name for frame in source.frames] == [
        "sync/bedroom_0004/rgb_00000.jpg",
        "sync/kitchen_0028b/rgb_00000.jpg",
        "sync/kitchen_0028b/rgb_00001.jpg",
        "sync/office_0003/rgb_00000.jpg",
        "official_splits/test/bathroom/rgb_00045.jpg",
        "official_splits/test/kitchen/rgb_00000.jpg",
    ]
    for sample, frame, known in zip(source, IN_ORDER, source.frames, strict=True):
        assert_same(sample, frame)
        assert sample.name == known.name
        # Folders of `sync` are scenes; those of `official_splits` are types of rooms.
        assert (known.split, known.scene, known.official_number) == (
            ("train", frame.scene, None) if frame.split == "train" else ("test", None, frame.number)
        )
    assert source.is_nyu
    assert source.stored == "16-bit PNG, millimetres"


def test_train_is_sync_if_it_exists(bts, small):
    assert {f.name[:4] for f in open_source(f"{bts}:train").frames} == {"sync"}
    (small / "sync").rename(small / "elsewhere")
    train = open_source(f"{small}:train")
    assert [(f.name, f.official_number) for f in train.frames] == [
        ("official_splits/train/kitchen/rgb_00002.jpg", 2)
    ]
    assert_same(train[0], FRAMES[0])
    with pytest.raises(DataError, match=r"no frames in split 'val'; its splits are test, train"):
        open_source(f"{small}:val")


def test_any_folder_below_can_be_opened(bts):
    for inside, split, count, first, name in (
        ("sync", "train", 4, FRAMES[2], "bedroom_0004/rgb_00000.jpg"),
        ("official_splits/train", "train", 4, FRAMES[2], "bedroom/rgb_00047.jpg"),
        ("official_splits/test", "test", 2, FRAMES[5], "bathroom/rgb_00045.jpg"),
        ("official_splits", "train", 4, FRAMES[2], "train/bedroom/rgb_00047.jpg"),
        ("official_splits", "test", 2, FRAMES[5], "test/bathroom/rgb_00045.jpg"),
    ):
        source = open_source(f"{bts / inside}:{split}")
        assert (len(source), source.frames[0].name) == (count, name)
        assert_same(source[0], first)
    assert len(open_source(str(bts / "official_splits"))) == 6


def test_lists_are_read_from_the_folders_around_them(bts):
    train = open_source(f"{bts}/{LISTS}/nyudepthv2_train_files_with_gt.txt")
    assert [frame.name for frame in train.frames] == [
        "kitchen_0028b/rgb_00000.jpg",
        "kitchen_0028b/rgb_00001.jpg",
        "bedroom_0004/rgb_00000.jpg",
        "office_0003/rgb_00000.jpg",
    ]
    test = open_source(f"{bts}/{LISTS}/nyudepthv2_test_files_with_gt.txt:test")
    assert [(f.name, f.official_number) for f in test.frames] == [
        ("kitchen/rgb_00000.jpg", 0),
        ("bathroom/rgb_00045.jpg", 45),
    ]
    for source, split in ((train, "train"), (test, "test")):
        assert {frame.split for frame in source.frames} == {split}
        expected = [frame for frame in FRAMES if frame.split == split]
        for sample, frame in zip(source, expected, strict=True):
            assert_same(sample, frame)
    with pytest.raises(DataError, match=r"no frames in split 'test'; its splits are train"):
        open_source(f"{bts}/{LISTS}/nyudepthv2_train_files_with_gt.txt:test")


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE} 518.8579\n",
        f"{ONE} 518.8579",
        f"{ONE} 518.8579\r\n\r\n",
        f"/{ONE.replace(' ', ' /')} 518.8579\n",
        f"\ufeff{ONE}\t518.8579 kitchen 7\n",
        f"{ONE}\n",
        f"{ONE} 0.0\n",
    ],
)
def test_lines_are_read_in_all_spellings(small, text):
    source = open_source(str(write_list(small, text)))
    assert [frame.name for frame in source.frames] == ["kitchen_0028b/rgb_00000.jpg"]
    assert_same(source[0], FRAMES[0])


def test_a_list_looks_in_its_own_folder_first(small):
    assert len(open_source(str(write_list(small / "sync", f"{ONE} 518.8579")))) == 1
    path = write_list(small / LISTS, "bathroom/rgb_00045.jpg bathroom/sync_depth_00045.png")
    assert open_source(str(path)).frames[0].official_number == 45
    official = "kitchen/rgb_00002.jpg kitchen/sync_depth_00002.png"
    assert_same(open_source(str(write_list(small, official)))[0], FRAMES[0])


def test_root_gives_the_folder_of_a_list(small, tmp_path):
    path = write_list(tmp_path, f"{ONE} 518.8579")
    with pytest.raises(
        DataError,
        match=r"kitchen_0028b/rgb_00000\.jpg is not in .*, nor in the subfolders sync, off.*",
    ):
        open_source(str(path))
    assert_same(open_source(f"{path},root={small / 'sync'}")[0], FRAMES[0])
    with pytest.raises(DataError, match="the folder root=nowhere does not exist"):
        open_source(f"{path},root=nowhere")
    with pytest.raises(
        DataError, match=r"2 file\(s\) listed in the index are missing: .*small/kitchen_0028b"
    ):
        open_source(f"{path},root={small}")


def test_the_focal_column_is_the_camera(small):
    other = open_source(str(write_list(small, f"{ONE} 582.6\n")))
    # Square pixels and the middle of 640x480 pixels whose centres are integers.
    assert_same(other[0], FRAMES[0], camera=Intrinsics(582.6, 582.6, 319.5, 239.5))
    said = open_source(f"{write_list(small, f'{ONE} 582.6')},focal_px=500")
    assert said[0].intrinsics == Intrinsics(500, 500, 319.5, 239.5)
    for name in ("rgb_00000.jpg", "sync_depth_00000.png"):
        path = small / "sync" / "kitchen_0028b" / name
        with Image.open(path) as opened:
            half = opened.resize((320, 240), Image.Resampling.NEAREST)
        half.save(path)
    with pytest.raises(DataError, match=r"00000\.jpg is 240x320 .* focal length 0.*focal_px="):
        open_source(str(write_list(small, f"{ONE} 0.0")))[0]
    # Half of NYU's frame has half its focal length; its border is half as wide, rounded inwards.
    sample = open_source(f"{small}:train")[0]
    assert sample.intrinsics.fx == 518.8579 / 2
    rows, columns = np.nonzero(sample.valid)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 236, 4, 315)


def test_a_frame_named_twice_has_two_names(small):
    source = open_source(str(write_list(small, f"{ONE}\n{ONE}\n")))
    assert [frame.name for frame in source.frames] == [
        "kitchen_0028b/rgb_00000.jpg",
        "kitchen_0028b/rgb_00000.jpg#2",
    ]
    assert_same(source[1], FRAMES[0])


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (
            "kitchen_0028b/rgb_00000.jpg None 518.8579",
            r"1 line\(s\) have no depth .*line 2",
        ),
        ("kitchen_0028b/rgb_00000.jpg", r"line 2 is 'kitchen_0028b/rgb_00000.jpg'; expected NYU's"),
        (
            "a/0000000005.png b/0000000005.png 721.5377",
            "line 2 is .*For other data, use a CSV table",
        ),
        (f"{ONE} far", "line 2: focal length 'far' is not a positive number"),
        (f"{ONE} -518.8", "line 2: focal length '-518.8' is not a positive number"),
        (f"{ONE} nan", "line 2: focal length 'nan' is not a positive number"),
        (f"{ONE} inf", "line 2: focal length 'inf' is not a positive number"),
    ],
)
def test_a_wrong_line_is_named(small, line, named):
    path = write_list(small, f"{ONE} 518.8579\n{line}\n")
    with pytest.raises(DataError, match=rf"list\.txt: {named}") as caught:
        BTS(path)
    assert "\n" not in str(caught.value)


def test_lists_of_nothing_and_of_bytes_are_refused(small):
    with pytest.raises(DataError, match=r"list\.txt has no frames"):
        BTS(write_list(small, "\n"))
    (small / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"list\.txt is not a readable text file"):
        BTS(small / "list.txt")
    with pytest.raises(DataError, match=r"no file or folder .*nowhere"):
        BTS(small / "nowhere")


def test_all_missing_files_are_counted_when_opened(small):
    (small / "sync" / "kitchen_0028b" / "sync_depth_00000.png").unlink()
    (small / "official_splits" / "test" / "bathroom" / "rgb_00045.jpg").unlink()
    missing = r"kitchen_0028b/sync_depth_00000\.png, .*bathroom/rgb_00045\.jpg"
    lacks = rf"2 file\(s\) listed in the index are missing: .*{missing}"
    with pytest.raises(DataError, match=lacks):
        open_source(f"{small},format=bts")
    text = f"{ONE}\n{ONE.replace('00000', '00007')}\n"
    with pytest.raises(DataError, match=r"3 file\(s\) listed in the index are missing"):
        open_source(str(write_list(small, text)))


def test_damaged_files_are_named_when_read(small):
    source = open_source(f"{small}:test")
    folder = small / "official_splits" / "test" / "bathroom"
    for name, named in (
        ("sync_depth_00045.png", r"bathroom/sync_depth_00045\.png is not a readable PNG"),
        ("rgb_00045.jpg", r"bathroom/rgb_00045\.jpg is damaged or truncated"),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=named):
            source[0]
        (folder / name).write_bytes(whole)
    Image.new("L", (640, 480), 9).save(folder / "sync_depth_00045.png")
    with pytest.raises(DataError, match="8-bit grey; expected 16-bit"):
        source[0]
    Image.new("I;16", (480, 640), 900).save(folder / "sync_depth_00045.png")
    with pytest.raises(DataError, match="the aspect ratios of image"):
        source[0]
    Image.new("I;16", (640, 480), 900).save(folder / "sync_depth_00045.png")
    Image.new("RGB", (256, 192)).resize((256, 256)).save(folder / "rgb_00045.jpg")
    with pytest.raises(DataError, match=r"rgb_00045\.jpg is 256x256.*squeezed or cropped"):
        source[0]


def test_a_crop_with_a_known_focal_length_has_no_border(small):
    for name in ("rgb_00000.jpg", "sync_depth_00000.png"):
        path = small / "sync" / "kitchen_0028b" / name
        with Image.open(path) as opened:
            crop = opened.crop((43, 45, 608, 472))
        crop.save(path)
    sample = open_source(f"{small}:train,focal_px=518.9")[0]
    assert sample.image_size == (427, 565)
    depth_mm = FRAMES[0].depth_mm[45:472, 43:608]
    assert np.array_equal(sample.valid, (depth_mm > 1) & (depth_mm <= 10_000))


def test_recognised_by_the_names_of_files(bts, tmp_path):
    assert recognise(bts) == {BTS: "contains sync/bedroom_0004/rgb_00000.jpg"}
    path = bts / LISTS / "nyudepthv2_train_files_with_gt.txt"
    assert recognise(path) == {BTS: "the list contains /kitchen_0028b/rgb_00000.jpg"}
    kitti = write_list(tmp_path, "a/0000000005.png b/0000000005.png 721.5377\n")
    assert recognise(kitti) == {}
    assert recognise(write_list(tmp_path, "")) == {}
    (tmp_path / "train" / "kitchen").mkdir(parents=True)
    assert recognise(tmp_path) == {}


def test_the_user_overrides_unit_and_border(bts):
    source = open_source(f"{bts}:test,unit=5000,border=none")
    assert source.stored == "16-bit PNG, 5000 units per metre"
    sample = source[0]
    np.testing.assert_allclose(sample.depth_m * 5, FRAMES[5].depth_m, rtol=1e-6)
    assert sample.valid[:7].any()
    assert_same(open_source(f"{bts}:test,border=none")[0], FRAMES[5], border=False)
    for option in ("depth=raw", "root=/", "camera=nyu"):
        with pytest.raises(DataError, match=r"bts does not accept .*unit, focal_px, border"):
            open_source(f"{bts},{option}")


def test_a_source_can_be_pickled(bts):
    source = pickle.loads(pickle.dumps(open_source(str(bts))))
    assert_same(source[5], FRAMES[4])


DENSE = "kitchen_0028b/rgb_00000.jpg kitchen_0028b/sync_depth_00000.png "
DENSE += "kitchen_0028b/dense/sync_depth_dense_00000.png"


@pytest.mark.parametrize("focal", ["", " 518.8579", " 0"])
def test_a_list_of_two_depth_maps_reads_the_sensors_as_its_own_loaders_do(small, focal):
    path = write_list(small, DENSE + focal)
    source = open_source(str(path))
    assert_same(source[0], FRAMES[0])  # the filled-in file need not exist
    assert source.notes == [
        "1 lines name two depth maps; the sensor's depth (second column) is read, depth=filled "
        "reads the filled-in"
    ]
    dense = small / "sync/kitchen_0028b/dense/sync_depth_dense_00000.png"
    dense.parent.mkdir()
    Image.fromarray(np.full((480, 640), 2500, np.uint16)).save(dense)
    filled = open_source(f"{path},depth=filled")
    assert np.unique(filled[0].depth_m) == pytest.approx(2.5)
    assert "filled-in depth (third column) is read" in filled.notes[0]


def test_depth_filled_needs_the_third_column(small):
    with pytest.raises(DataError, match="line 1 names no second depth map"):
        open_source(f"{write_list(small, ONE)},depth=filled")
    with pytest.raises(DataError, match=r"does not accept depth=range; its values are: raw, fil"):
        open_source(f"{write_list(small, ONE)},depth=range")


@pytest.mark.parametrize(
    "text",
    [
        f"# NYU, train\n\n{ONE} 518.8579\n# end\n",
        f"{ONE} 518.8579".replace("/", "\\") + "\r\n",
        ",".join(f"{ONE} 518.8579".split()),
        " ".join(f"D:\\nyu\\sync\\{name}" for name in ONE.replace("/", "\\").split()),
        " ".join(f"/home/ann/nyu/sync/{name}" for name in ONE.split()),
        DENSE.replace("kitchen_", "nyu/sync/kitchen_"),
    ],
)
def test_comments_backslashes_and_paths_of_another_computer_are_read(small, text):
    source = open_source(str(write_list(small, text)))
    (frame,) = source.frames
    assert frame.name.removeprefix("sync/") == "kitchen_0028b/rgb_00000.jpg"
    assert (frame.split, frame.scene) == ("train", "kitchen_0028b")
    assert_same(source[0], FRAMES[0])


def test_absolute_paths_are_read_wherever_the_list_is(small, tmp_path):
    text = " ".join(f"{small}/sync/{name}" for name in ONE.split())
    source = open_source(str(write_list(tmp_path, text)))
    assert [(f.name, f.split) for f in source.frames] == [("kitchen_0028b/rgb_00000.jpg", "train")]
    assert_same(source[0], FRAMES[0])
