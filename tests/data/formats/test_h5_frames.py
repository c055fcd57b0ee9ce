"""One .h5 file a frame, in folders and in tar shards that are read at random."""

import gzip
import pickle
import tarfile

import numpy as np
import pytest
import torch

from helpers.frames import miniature_frames
from helpers.same_frames import assert_same
from helpers.write_nyu import h5_bytes, hdf5_bytes, write_h5, write_h5_tars
from spd.data import nyu_dataset as nyu
from spd.data.formats import open_source, recognise
from spd.data.formats.h5_frames import H5Frames
from spd.data.formats.tar_index import index_tar
from spd.errors import DataError
from spd.pixels import Intrinsics

FRAMES = miniature_frames()
# Scenes are read by name: bedroom, kitchen, kitchen, office; then the official frames by number.
IN_ORDER = [FRAMES[n] for n in (2, 0, 1, 3, 4, 5)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_h5(tmp_path_factory.mktemp("data") / "nyudepthv2", FRAMES)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_h5_tars(tmp_path_factory.mktemp("hub") / "data", FRAMES)


@pytest.fixture
def empty(tmp_path):
    """A folder of empty files of these names, for what names alone decide."""

    def make(*names: str):
        for name in names:
            path = tmp_path / "named" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "named"

    return make


def test_frames_of_folders_are_the_written_ones(folder):
    source = open_source(str(folder))
    assert isinstance(source, H5Frames)
    assert [frame.name for frame in source.frames] == [
        "train/bedroom_0004/00001",
        "train/kitchen_0028b/00001",
        "train/kitchen_0028b/00006",
        "train/office_0003/00001",
        "val/official/00001",
        "val/official/00046",
    ]
    for sample, frame, known in zip(source, IN_ORDER, source.frames, strict=True):
        assert_same(sample, frame)
        assert sample.name == known.name
        training = frame.split == "train"
        assert (known.split, known.scene, known.official_number) == (
            ("train", frame.scene, None) if training else ("val", None, frame.number)
        )
    assert source.is_nyu
    assert source.stored == "float32 HDF5, metres"


def test_frames_of_shards_are_the_written_ones(shards):
    for path in (shards, shards.parent):  # the folder of shards, and the one above its `data`
        source = open_source(str(path))
        assert [frame.name for frame in source.frames] == [
            "train-000000/train/kitchen_0028b/00001",
            "train-000000/train/kitchen_0028b/00006",
            "train-000001/train/bedroom_0004/00001",
            "train-000001/train/office_0003/00001",
            "val-000000/val/official/00001",
            "val-000000/val/official/00046",
        ]
        for sample, frame, known in zip(source, FRAMES, source.frames, strict=True):
            assert_same(sample, frame)
            training = frame.split == "train"
            assert (known.split, known.scene, known.official_number) == (
                ("train", frame.scene, None) if training else ("val", None, frame.number)
            )


def test_flat_shards_have_the_split_of_their_name(tmp_path):
    path = write_h5_tars(tmp_path / "flat", FRAMES, flat=True)
    train, val = (open_source(f"{path}:{split}") for split in ("train", "val"))
    assert [frame.name for frame in train.frames] == [
        *("train-000000/00000", "train-000000/00001", "train-000001/00000", "train-000001/00001")
    ]
    assert {(f.scene, f.official_number) for f in (*train.frames, *val.frames)} == {(None, None)}
    assert_same(train[3], FRAMES[3])
    assert_same(val[1], FRAMES[5])
    one = open_source(str(path / "train-000001.tar"))
    assert (len(one), one.frames[0].split) == (2, "train")


def test_any_folder_below_and_one_file_can_be_opened(folder):
    for inside, names, split, scene in (
        ("train", ["bedroom_0004/00001", "kitchen_0028b/00001"], "train", "bedroom_0004"),
        ("train/kitchen_0028b", ["00001", "00006"], "train", "kitchen_0028b"),
        ("val", ["official/00001", "official/00046"], "val", None),
        ("val/official", ["00001", "00046"], "val", None),
        ("val/official/00046.h5", ["00046"], "val", None),
    ):
        source = open_source(str(folder / inside))
        assert [frame.name for frame in source.frames][:2] == names
        assert (source.frames[0].split, source.frames[0].scene) == (split, scene)
    assert_same(source[0], FRAMES[5])
    assert source.frames[0].official_number == 45


def test_a_flat_folder_has_neither_scene_nor_split(tmp_path):
    flat = tmp_path / "some_0001"  # a name like a scene's, which it is not
    flat.mkdir()
    (flat / "7.h5").write_bytes(h5_bytes(FRAMES[0]))
    source = open_source(str(flat))
    assert (source.frames[0].name, source.frames[0].scene, source.frames[0].split) == (
        *("7", None, None),
    )
    with pytest.raises(DataError, match="no frames in split 'train'; its splits are none"):
        open_source(f"{flat}:train")


def test_splits_are_train_and_val(folder):
    assert (len(open_source(f"{folder}:train")), len(open_source(f"{folder}:val"))) == (4, 2)
    with pytest.raises(DataError, match="no frames in split 'test'; its splits are train, val"):
        open_source(f"{folder}:test")


def test_numbers_of_official_files_count_from_one(empty):
    path = empty(*(f"val/official/{number:05d}.h5" for number in (1, 2, 9, 14)))
    assert [f.official_number for f in H5Frames(path).frames] == [0, 1, 8, 13]
    # 00003 is no test frame: whoever wrote it has counted anew, so no number is what it seems.
    empty("val/official/00003.h5")
    assert {f.official_number for f in H5Frames(path).frames} == {None}


def test_val_without_folders_is_official_if_all_numbers_exist(empty):
    numbers = sorted(nyu.official_test_frames())
    path = empty(*(f"val/{number + 1:05d}.h5" for number in numbers))
    assert [f.official_number for f in H5Frames(path).frames] == numbers
    (path / "val" / "00001.h5").unlink()
    assert {f.official_number for f in H5Frames(path).frames} == {None}


def test_recognised_by_the_keys_of_the_first_file(folder, shards, tmp_path):
    assert recognise(folder) == {H5Frames: "00001.h5 contains rgb and depth"}
    assert recognise(shards) == {
        H5Frames: "train-000000.tar contains train/kitchen_0028b/00001.h5",
    }
    other = tmp_path / "other"
    other.mkdir()
    (other / "1.h5").write_bytes(hdf5_bytes(features=np.zeros(3)))
    assert recognise(other) == {}
    (other / "1.h5").write_bytes(b"no HDF5")
    assert recognise(other) == {}
    (other / "2.h5").write_bytes(h5_bytes(FRAMES[0]))  # the first one damaged, the second whole
    assert recognise(other) == {H5Frames: "2.h5 contains rgb and depth"}
    with tarfile.open(tmp_path / "texts.tar", "w") as archive:
        archive.add(other / "1.h5", "readme.txt")
    assert recognise(tmp_path / "texts.tar") == {}


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "val" / "official" / "00001.h5"
    path.parent.mkdir(parents=True)
    whole = h5_bytes(FRAMES[4])
    for kept in (len(whole) // 2, 100, 0):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=r"official.00001\.h5 is damaged, truncated") as caught:
            H5Frames(tmp_path)[0]
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "named"),
    [
        ({"rgb": np.zeros((3, 8, 8), np.uint8)}, r"has no dataset 'depth'; it contains rgb"),
        ({"depth": np.ones((8, 8), np.float32)}, r"has no dataset 'rgb'; it contains depth"),
        (
            {"rgb": np.zeros((8, 8, 3), np.uint8), "depth": np.ones((8, 8), np.float32)},
            r"rgb is uint8 \(8, 8, 3\); expected uint8 \(3, H, W\)",
        ),
        (
            {"rgb": np.bytes_(b"a JPEG"), "depth": np.ones((8, 8), np.float32)},
            r"rgb is \|S6 \(\); expected uint8",
        ),
        (
            {"rgb": np.zeros((3, 8, 8)), "depth": np.ones((8, 8), np.float32)},
            r"rgb is float64 \(3, 8, 8\); expected uint8",
        ),
        (
            {"rgb": np.zeros((3, 480, 640), np.uint8), "depth": np.ones((1, 480, 640), "f4")},
            r"depth must contain depth as \[H, W\], got \(1, 480, 640\)",
        ),
        (
            {"rgb": np.zeros((3, 480, 640), np.uint8), "depth": np.ones((480, 640), np.uint8)},
            "8-bit depth, which is too coarse for metric depth",
        ),
        (
            {"rgb": np.zeros((3, 480, 640), np.uint8), "depth": np.ones((480, 480), "f4")},
            "the aspect ratios of",
        ),
        (
            {"rgb": np.zeros((3, 256, 256), np.uint8), "depth": np.ones((256, 256), "f4")},
            "squeezed or cropped",
        ),
    ],
)
def test_files_with_other_content_are_named(tmp_path, arrays, named):
    (tmp_path / "1.h5").write_bytes(hdf5_bytes(**arrays))
    with pytest.raises(DataError, match=rf"1(\.h5)?: .*{named}|1\.h5 .*{named}"):
        H5Frames(tmp_path)[0]


def test_a_truncated_shard_is_named_with_its_last_member(shards, tmp_path):
    whole = (shards / "train-000000.tar").read_bytes()
    path = tmp_path / "train-000000.tar"
    path.write_bytes(whole)
    first, second = index_tar(path, ".h5")
    for kept, last in (
        (second.offset + second.size // 2, "kitchen_0028b/00006.h5"),  # in the data of the second
        (second.offset - 100, "kitchen_0028b/00001.h5"),  # in its header
        (second.offset - 512, "kitchen_0028b/00001.h5"),  # right before it
        (first.offset + 5, "kitchen_0028b/00001.h5"),
        (100, "its beginning"),
        (0, "its beginning"),
    ):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=rf"train-000000\.tar is trunc.*{last}") as caught:
            H5Frames(path)
        assert "\n" not in str(caught.value)
    # A download that reserved its space before it stopped, and one with a hole.
    for rest in (bytes(2_000_000), bytes(5120) + b"what came later"):
        path.write_bytes(whole[: second.offset - 512] + rest)
        with pytest.raises(DataError, match=r"00001\.h5: the end-of-archive marker is missing"):
            H5Frames(path)


def test_a_shard_shortened_after_it_was_opened_is_named_with_its_member(tmp_path):
    path = write_h5_tars(tmp_path / "hub", FRAMES[4:])
    source = open_source(str(path))
    with open(path / "val-000000.tar", "r+b") as file:
        file.truncate(source.files[1].offset + 10)
    with pytest.raises(
        DataError, match=r"val-000000\.tar: val/official/00046\.h5: truncated; only 10 of \d+ byt"
    ):
        source[1]
    assert_same(source[0], FRAMES[4])


def test_a_damaged_member_is_named_with_its_shard(tmp_path):
    path = write_h5_tars(tmp_path / "hub", FRAMES[4:])
    source = open_source(str(path))
    with open(path / "val-000000.tar", "r+b") as file:
        file.seek(source.files[0].offset)
        file.write(bytes(64))
    with pytest.raises(DataError, match=r"val-000000\.tar: val/official/00001\.h5 is damaged"):
        source[0]


def test_compressed_archives_are_refused(tmp_path, shards):
    packed = tmp_path / "nyudepthv2.tar.gz"
    packed.write_bytes(gzip.compress((shards / "val-000000.tar").read_bytes(), 1))
    with pytest.raises(DataError, match=r"does not allow random access; unpack it \(tar -xzf\)"):
        open_source(str(packed))
    packed.rename(tmp_path / "val.tar")  # compressed all the same
    with pytest.raises(DataError, match=r"val\.tar is truncated, compressed or not a tar"):
        H5Frames(tmp_path / "val.tar")


def test_shards_and_files_in_one_folder_are_refused(tmp_path):
    write_h5_tars(tmp_path / "both", FRAMES[4:])
    write_h5(tmp_path / "both", FRAMES[4:])
    with pytest.raises(DataError, match=r"1 tar shard\(s\) and 2 \.h5 file\(s\)"):
        open_source(str(tmp_path / "both"))


def test_hidden_files_of_macos_are_skipped(tmp_path):
    write_h5(tmp_path, FRAMES[4:5])
    (tmp_path / "val" / "official" / "._00001.h5").write_bytes(b"of macOS")
    assert [frame.name for frame in H5Frames(tmp_path).frames] == ["val/official/00001"]


def test_a_linked_folder_is_followed_and_a_loop_ends(tmp_path):
    write_h5(tmp_path / "disk", FRAMES[:1])
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "train").symlink_to(tmp_path / "disk" / "train")
    (tmp_path / "disk" / "train" / "loop").symlink_to(tmp_path / "disk" / "train")
    names = [frame.name for frame in H5Frames(tmp_path / "here").frames]
    assert names[0] == "train/kitchen_0028b/00001"
    assert len(names) == 2  # once more through the loop, and no deeper


def test_the_user_overrides_camera_border_and_unit(folder):
    sample = open_source(f"{folder}:val,focal_px=500,border=none")[0]
    assert_same(sample, FRAMES[4], camera=Intrinsics(500, 500, 319.5, 239.5), border=False)
    wrong = open_source(f"{folder}:val,unit=millimetre")
    assert wrong.stored == "float32 HDF5, millimetres"
    np.testing.assert_allclose(wrong[0].depth_m * 1000, FRAMES[4].depth_m, rtol=1e-6)
    for option in ("depth=raw", "root=/", "camera=nyu"):
        with pytest.raises(DataError, match=r"nyu-h5 does not accept .*unit, focal_px, border"):
            open_source(f"{folder},{option}")
    with pytest.raises(DataError, match=r"no file or folder .*nowhere"):
        H5Frames(folder / "nowhere")


@pytest.mark.parametrize("form", ["folder", "shards"])
def test_workers_read_what_this_process_reads(form, request):
    source = pickle.loads(pickle.dumps(open_source(str(request.getfixturevalue(form)))))
    loader = torch.utils.data.DataLoader(source, batch_size=None, num_workers=1)
    for got, expected in zip(loader, IN_ORDER if form == "folder" else FRAMES, strict=True):
        assert_same(got, expected)
