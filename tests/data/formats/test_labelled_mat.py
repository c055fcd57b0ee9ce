"""nyu_depth_v2_labeled.mat: transposed frames, splits that count from 1, damage by name."""

import pickle

import h5py
import numpy as np
import pytest

from helpers.frames import miniature_frames
from helpers.same_frames import assert_same
from helpers.write_nyu import write_labelled_mat, write_mat_arrays, write_splits
from spd.data.check import check_source
from spd.data.formats import open_source, recognise
from spd.data.formats.labelled_mat import LabelledMat
from spd.errors import DataError
from spd.pixels import Intrinsics

FRAMES = miniature_frames()


@pytest.fixture(scope="module")
def mat(tmp_path_factory):
    return write_labelled_mat(tmp_path_factory.mktemp("labelled"), FRAMES)


@pytest.fixture
def small_mat(tmp_path):
    """One frame, to be damaged."""
    return write_labelled_mat(tmp_path / "one", FRAMES[:1])


@pytest.fixture
def whole_mat(tmp_path):
    """All 1,449 frames of the true shapes, with nothing written into them: HDF5 stores none."""
    path = tmp_path / "nyu_depth_v2_labeled.mat"
    with h5py.File(path, "w") as file:
        for key, shape, kind in (
            ("images", (1449, 3, 640, 480), "uint8"),
            ("rawDepths", (1449, 640, 480), "float32"),
        ):
            file.create_dataset(key, shape, kind, chunks=(1, *shape[1:]))
    return path


def test_frames_are_the_written_ones_turned_upright(mat):
    source = open_source(str(mat))
    assert isinstance(source, LabelledMat)
    assert [frame.name for frame in source.frames] == [f"labelled/{n:05d}" for n in range(6)]
    for sample, frame, known in zip(source, FRAMES, source.frames, strict=True):
        assert_same(sample, frame)
        assert (known.split, known.scene) == (frame.split, frame.scene)
        assert sample.name == known.name
    assert source.is_nyu
    assert source.stored == "float32 rawDepths, metres, 0 = missing"


def test_filled_depth_is_read_on_request(mat):
    source = open_source(f"{mat},depth=filled")
    assert np.array_equal(source[2].depth_m, FRAMES[2].filled_m)
    assert (source[2].depth_m > 0).all()
    assert "holes filled" in source.stored
    assert_same(open_source(f"{mat},depth=raw")[2], FRAMES[2])


def test_splits_count_from_one_within_the_file(mat):
    train, test = (open_source(f"{mat}:{split}") for split in ("train", "test"))
    assert [frame.name for frame in train.frames] == [f"labelled/{n:05d}" for n in range(4)]
    assert [frame.name for frame in test.frames] == ["labelled/00004", "labelled/00005"]
    assert_same(test[1], FRAMES[5])
    with pytest.raises(DataError, match=r"no frames in split 'val'; its splits are test, train"):
        open_source(f"{mat}:val")


def test_the_folder_of_the_file_can_be_opened(mat):
    assert list(recognise(mat.parent)) == list(recognise(mat)) == [LabelledMat]
    assert recognise(mat)[LabelledMat] == "nyu_depth_v2_labeled.mat contains images and rawDepths"
    assert open_source(f"{mat.parent}:test").frames == open_source(f"{mat}:test").frames


def test_only_the_complete_file_has_official_numbers(mat, whole_mat):
    assert {frame.official_number for frame in open_source(str(mat)).frames} == {None}
    # Without splits.mat the official split serves: numbers 1, 2, 9, 14 of it are 0, 1, 8, 13 here.
    test = open_source(f"{whole_mat}:test")
    assert [frame.official_number for frame in test.frames[:4]] == [0, 1, 8, 13]
    assert (len(test), len(open_source(f"{whole_mat}:train"))) == (654, 795)
    assert test.frames[3].name == "labelled/00013"
    assert test.frames[3].scene is None  # this file has no `scenes`


def test_a_split_needs_splits_mat_where_frames_are_missing(small_mat):
    (small_mat.parent / "splits.mat").unlink()
    assert open_source(str(small_mat)).frames[0].split is None
    with pytest.raises(
        DataError, match=r"contains 1 of the 1449 .* needs a splits\.mat in the same"
    ):
        open_source(f"{small_mat}:train")


def test_a_missing_splits_mat_is_remarked_with_its_effect(small_mat, whole_mat, mat):
    assert open_source(str(mat)).notes == []
    assert open_source(str(whole_mat)).notes == [
        "there is no splits.mat next to the file, but it contains all 1,449 frames, so the "
        "official split is used: train 795, test 654"
    ]
    (small_mat.parent / "splits.mat").unlink()
    (note,) = open_source(str(small_mat)).notes
    assert note.startswith(
        "the file contains 1 of the 1,449 labelled frames and has no splits.mat next"
    )
    assert note.endswith("or pass a test set with --against")
    assert note in check_source(str(small_mat)).notes


@pytest.mark.parametrize(
    ("train", "test", "named"),
    [
        ([1, 2], [], "trainNdxs has 2, but .* has frames 1 to 1"),
        ([], [0], "testNdxs has 0, but .* has frames 1 to 1"),
        ([1], [1], "frame 1 is in both trainNdxs and testNdxs"),
    ],
)
def test_numbers_that_the_file_does_not_hold_are_refused(small_mat, train, test, named):
    write_splits(small_mat.parent / "splits.mat", train, test)
    with pytest.raises(DataError, match=rf"splits\.mat: {named}"):
        open_source(str(small_mat))


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", b"\x00" * 300])
def test_a_damaged_splits_mat_is_named(small_mat, content):
    (small_mat.parent / "splits.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"splits\.mat (is damaged|has no trainNdxs)") as caught:
        open_source(str(small_mat))
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_named(small_mat):
    whole = small_mat.read_bytes()
    for kept in (len(whole) // 2, 600, 100, 0):
        small_mat.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=r"labeled\.mat is damaged, truncated or no") as caught:
            open_source(str(small_mat))
        assert "\n" not in str(caught.value)


def test_a_damaged_frame_is_named_when_read(small_mat):
    with h5py.File(small_mat) as file:
        start = file["rawDepths"].id.get_chunk_info(0).byte_offset
    with open(small_mat, "r+b") as file:
        file.seek(start + 1000)
        file.write(bytes(2000))
    source = LabelledMat(small_mat)
    with pytest.raises(DataError, match=r"labeled\.mat: frame 0 is damaged, truncated or no"):
        source[0]


def test_missing_and_misshapen_arrays_are_named(tmp_path):
    path = tmp_path / "other.mat"
    images = np.zeros((1, 3, 640, 480), np.uint8)
    depths = np.zeros((1, 640, 480), np.float32)
    for contents, named in (
        ({"rawDepths": depths}, r"other\.mat has no dataset 'images'; it contains rawDepths"),
        (
            {"images": images, "depths": depths},
            r"has no dataset 'rawDepths'; it contains depths, im",
        ),
        ({"images": images[:, 0], "rawDepths": depths}, r"images is uint8 \(1, 640, 480\); expec"),
        ({"images": images, "rawDepths": depths[:, :2]}, r"rawDepths is float32 \(1, 2, 480\)"),
        ({"images": images, "rawDepths": depths.astype(np.uint16)}, "uint16 .* expected float32"),
        ({"images": images, "rawDepths": np.repeat(depths, 2, 0)}, r"expected float32 \(1, 640"),
        (
            {"images": images, "rawDepths": depths, "scenes": ["a", "b"]},
            "scenes has 2 frames, but images has 1",
        ),
        (
            {"images": images, "rawDepths": depths, "scenes": np.zeros((1, 1))},
            "scenes must contain references to scene names",
        ),
    ):
        write_mat_arrays(path, **contents)
        with pytest.raises(DataError, match=named):
            LabelledMat(path)


def test_other_mat_files_are_not_recognised(tmp_path):
    write_splits(tmp_path / "splits.mat", [1], [2])
    assert LabelledMat.recognise(tmp_path / "splits.mat") is None
    assert LabelledMat.recognise(tmp_path) is None
    with pytest.raises(DataError, match=r"file .*nowhere does not exist"):
        LabelledMat(tmp_path / "nowhere")


def test_the_user_overrides_camera_and_border(mat):
    sample = open_source(f"{mat},focal_px=500,border=none")[0]
    # The middle of 640x480 pixels whose centres are integers.
    assert_same(sample, FRAMES[0], camera=Intrinsics(500, 500, 319.5, 239.5), border=False)
    for option in ("unit=millimetre", "root=/", "camera=nyu"):
        with pytest.raises(DataError, match=r"nyu-labelled-mat does not accept .*depth, foc"):
            open_source(f"{mat},{option}")


def test_a_source_can_be_pickled(mat):
    assert_same(pickle.loads(pickle.dumps(open_source(f"{mat}:test")))[0], FRAMES[4])
