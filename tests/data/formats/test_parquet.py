"""Parquet tables in all their layouts are read as they were written."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import DataLoader

from helpers.frames import miniature_frames
from helpers.same_frames import assert_same
from helpers.write_general import (
    nested,
    npy_bytes,
    png_bytes,
    structs,
    tiff_bytes,
    write_array_parquet,
    write_parquet,
)
from spd.data import nyu_dataset as nyu
from spd.data.formats import open_source
from spd.data.formats.parquet import ParquetTables
from spd.data.sample import valid_depth
from spd.errors import DataError
from spd.pixels import Intrinsics

FRAMES = miniature_frames()
TRAIN = [frame for frame in FRAMES if frame.split == "train"]
IMAGE = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
DEPTH_MM = np.arange(1000, 1048, dtype=np.uint16).reshape(6, 8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """The library's Arrow copies stay out of the user's folder."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "arrow"))


@pytest.fixture(scope="module")
def hub_layout(tmp_path_factory):
    return write_parquet(tmp_path_factory.mktemp("hub") / "nyu", FRAMES)


def small(path, **columns):
    """One small row, with columns changed, added, or taken away by None."""
    row = {
        "image": structs([png_bytes(IMAGE)]),
        "depth": structs([png_bytes(DEPTH_MM)]),
        **columns,
    }
    pq.write_table(pa.table({key: cells for key, cells in row.items() if cells is not None}), path)
    return path


def assert_is(sample, frame):
    assert np.array_equal(sample.image, frame.image)
    assert np.array_equal(sample.depth_m, frame.depth_m)


@pytest.mark.parametrize("depth", ["tiff", "png16"])
@pytest.mark.parametrize("metadata", [True, False])
def test_every_layout_of_file_bytes_gives_the_same_frames(tmp_path, metadata, depth):
    folder = write_parquet(tmp_path / "nyu", FRAMES, metadata=metadata, depth=depth)
    source = open_source(f"{folder}:train,camera=nyu")
    assert isinstance(source, ParquetTables)
    assert [frame.scene for frame in source.frames] == [frame.scene for frame in TRAIN]
    assert [frame.name for frame in source.frames] == [f"train/{n:06d}" for n in range(4)]
    for sample, frame in zip(source, TRAIN, strict=True):
        assert_same(sample, frame)
    said = {"tiff": "float32 TIFF, metres", "png16": "16-bit PNG, millimetres"}
    assert source.stored == said[depth]


@pytest.mark.parametrize("feature_types", [True, False])
def test_arrays_of_numbers_are_images_and_depth(tmp_path, feature_types):
    folder = write_array_parquet(tmp_path / "nyu", FRAMES, feature_types=feature_types)
    source = open_source(f"{folder}:train,camera=nyu")
    for sample, frame in zip(source, TRAIN, strict=True):
        assert np.array_equal(sample.image, frame.image[::2, ::2])
        assert np.array_equal(sample.depth_m, frame.depth_m[::2, ::2])
        assert sample.intrinsics == nyu.CAMERA.resized(0.5, 0.5)
    assert source.stored == "float32 array, metres"


def test_all_splits_are_read_by_default(hub_layout):
    source = open_source(str(hub_layout))
    assert sorted(frame.split for frame in source.frames) == ["test"] * 2 + ["train"] * 4
    by_name = {frame.name: number for number, frame in enumerate(source.frames)}
    assert len(by_name) == 6
    assert_is(source[by_name["test/000001"]], FRAMES[5])


def test_one_file_is_a_source_of_its_own(hub_layout):
    source = open_source(str(hub_layout / "data" / "train-00001-of-00002.parquet"))
    assert len(source) == 2
    assert_is(source[0], TRAIN[2])


def test_a_camera_is_never_guessed_from_the_size(hub_layout):
    source = open_source(f"{hub_layout}:test")
    assert [frame.has_focal for frame in source.frames] == [False, False]
    assert source[0].intrinsics is None
    assert not source.is_nyu
    assert np.array_equal(source[0].valid, valid_depth(FRAMES[4].depth_m))
    assert open_source(f"{hub_layout}:test,camera=nyu").is_nyu


def test_the_border_is_masked_only_on_request(hub_layout):
    inside = valid_depth(FRAMES[4].depth_m) & nyu.inside_border((480, 640))
    with_border = open_source(f"{hub_layout}:test,border=nyu")
    assert np.array_equal(with_border[0].valid, inside)
    assert with_border[0].intrinsics is None
    without = open_source(f"{hub_layout}:test,camera=nyu,border=none")
    assert np.array_equal(without[0].valid, valid_depth(FRAMES[4].depth_m))


def test_unknown_splits_and_options_of_other_formats_are_refused(hub_layout):
    with pytest.raises(DataError, match="no frames in split 'night'; its splits are test, train"):
        open_source(f"{hub_layout}:night")
    with pytest.raises(DataError, match="does not accept depth="):
        open_source(f"{hub_layout},depth=raw")


@pytest.mark.parametrize("workers", [0, 1])
def test_frames_are_read_in_another_process(hub_layout, workers):
    source = pickle.loads(pickle.dumps(open_source(f"{hub_layout}:train,camera=nyu")))
    depths = [s.depth_m for s in DataLoader(source, batch_size=None, num_workers=workers)]
    assert len(depths) == 4
    for depth_m, frame in zip(depths, TRAIN, strict=True):
        assert np.array_equal(depth_m, frame.depth_m)


def test_progress_bars_are_silent_and_left_as_they_were(tmp_path, capfd):
    import datasets

    assert not datasets.are_progress_bars_disabled()
    open_source(str(small(tmp_path / "a.parquet")))
    assert not datasets.are_progress_bars_disabled()
    assert capfd.readouterr() == ("", "")


def test_columns_may_give_camera_scene_split_and_name(tmp_path):
    three = {
        "image": structs([png_bytes(IMAGE)] * 3),
        "depth": structs([tiff_bytes(DEPTH_MM.astype(np.float32))] * 3),
        "split": ["train", "validation", "train"],
        "scene": ["hall", "loft", None],
        "id": [7, 8, 7],
        "fx": [5.0, 5.0, None],
        "fy": [6.0, 6.0, None],
        "cx": [3.0, 3.0, None],
        "cy": [2.0, 2.0, None],
        "focal": [9.0, None, 4.0],
    }
    source = open_source(f"{small(tmp_path / 'a.parquet', **three)},unit=millimetre")
    names = [(frame.name, frame.split, frame.scene) for frame in source.frames]
    assert names == [
        ("train/7", "train", "hall"),
        ("val/8", "val", "loft"),
        ("train/7#2", "train", None),
    ]
    assert source[0].intrinsics == Intrinsics(5.0, 6.0, 3.0, 2.0)
    assert source[2].intrinsics == Intrinsics.centred(4.0, (6, 8))
    # Millimetres stored as floats, because the user says so.
    assert source[0].depth_m[0, 0] == np.float32(1.0)
    assert source.stored == "float32 TIFF, millimetres"
    for asked in ("val", "validation"):
        (frame,) = open_source(f"{tmp_path / 'a.parquet'}:{asked}").frames
        assert frame.name == "val/8"
    names = [frame.name for frame in open_source(f"{tmp_path / 'a.parquet'}:train").frames]
    assert names == ["train/7", "train/7#2"]


def test_the_users_camera_overrides_the_columns(tmp_path):
    path = small(tmp_path / "a.parquet", focal_px=[5.0])
    assert open_source(f"{path},focal_px=7")[0].intrinsics == Intrinsics.centred(7.0, (6, 8))


@pytest.mark.parametrize(
    "name",
    ["validation-00000-of-00001.parquet", "validation.parquet", "validation/0000.parquet"],
)
def test_file_names_give_the_split_and_validation_is_val(tmp_path, name):
    (tmp_path / "set" / name).parent.mkdir(parents=True)
    small(tmp_path / "set" / name)
    for asked in ("val", "validation"):
        (frame,) = open_source(f"{tmp_path / 'set'}:{asked}").frames
        assert frame.split == "val"


def test_a_folder_whose_name_looks_like_a_pattern_is_read(tmp_path):
    (tmp_path / "a[1]*").mkdir()
    small(tmp_path / "a[1]*" / "train.parquet")
    assert len(open_source(str(tmp_path / "a[1]*"))) == 1


@pytest.mark.parametrize(
    ("image", "depth"),
    [
        (nested([IMAGE]), nested([DEPTH_MM])),
        (nested([IMAGE.astype(np.int64)]), nested([DEPTH_MM[..., None].astype(np.int64)])),
        ([png_bytes(IMAGE)], [png_bytes(DEPTH_MM)]),
        (structs([png_bytes(IMAGE)]), structs([npy_bytes(DEPTH_MM / 1000.0)])),
    ],
    ids=["rows of pixels", "wide numbers", "plain bytes", "npy of float64"],
)
def test_other_ways_to_store_pixels_give_the_same_sample(tmp_path, image, depth):
    (sample,) = open_source(str(small(tmp_path / "a.parquet", image=image, depth=depth)))
    assert np.array_equal(sample.image, IMAGE)
    assert np.allclose(sample.depth_m, DEPTH_MM / 1000.0, rtol=1e-7, atol=0)


def test_values_that_are_not_readings_become_zero(tmp_path):
    stored = DEPTH_MM.astype(np.float32)
    stored[0, :3] = np.nan, -1, np.inf
    path = small(tmp_path / "a.parquet", depth=structs([tiff_bytes(stored)]))
    assert open_source(str(path))[0].depth_m[0, :4].tolist() == [0, 0, 0, 1003]


BAD_ROWS = {
    "8-bit grey": ({"depth": structs([png_bytes(IMAGE[..., 0])])}, "000000 contains 8-bit depth"),
    "8-bit colour": ({"depth": structs([png_bytes(IMAGE)])}, "000000 contains 8-bit depth"),
    "8-bit numbers": ({"depth": nested([IMAGE[..., 0]])}, "contains 8-bit depth"),
    "half a TIFF": (
        {"depth": structs([tiff_bytes(DEPTH_MM)[:60]])},
        "000000 is not a readable depth file; is the file complete",
    ),
    "half a npy": ({"depth": structs([npy_bytes(DEPTH_MM)[:150]])}, "is not a readable .npy file"),
    "npy of texts": ({"depth": structs([npy_bytes(np.array([["a"]]))])}, "which cannot be depth"),
    "half a photo": (
        {"image": structs([TRAIN[0].jpeg[:9000]])},
        "a.parquet: 000000: the image is damaged or truncated",
    ),
    "no photo": ({"image": structs([b"hello"])}, "000000 is not a readable image"),
    "a path alone": ({"image": structs([None])}, "column image contains only a file path"),
    "an empty cell": (
        {"depth": pa.array([None], pa.struct([("bytes", pa.binary())]))},
        "000000: column depth is empty",
    ),
    "a text": ({"depth": ["a.png"]}, "column depth is of type string; expected the bytes"),
    "unequal lists": ({"depth": [[[1.0, 2.0], [3.0]]]}, "lists in column depth differ in length"),
    "three channels": ({"depth": nested([IMAGE / 50.0])}, r"must contain depth as \[H, W\]"),
    "floats beyond 1": ({"image": nested([IMAGE / 100.0])}, "floats in 0..1"),
    "floats that are none": ({"image": nested([IMAGE * np.nan])}, "floats in 0..1"),
    "too wide numbers": ({"image": nested([IMAGE.astype(np.int32) + 200])}, "integers in 0..255"),
    "grey numbers": ({"image": nested([IMAGE[..., 0]])}, r"an image as \[3, H, W\]"),
    "another shape": (
        {"depth": structs([png_bytes(DEPTH_MM[:3])])},
        "must show the same field of view",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_row_that_cannot_be_read_is_named(tmp_path, case):
    columns, message = BAD_ROWS[case]
    source = open_source(str(small(tmp_path / "a.parquet", **columns)))
    with pytest.raises(DataError, match=message) as caught:
        source[0]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"fx": [5.0]}, "row 0: the camera lacks fy, cx, cy"),
        ({"focal_px": [-5.0]}, "row 0: focal_px is -5; expected a positive number"),
        ({"focal": ["long"]}, "row 0: focal is 'long'; expected a number"),
    ],
)
def test_an_impossible_camera_is_refused_when_opened(tmp_path, columns, message):
    with pytest.raises(DataError, match=message):
        open_source(str(small(tmp_path / "a.parquet", **columns)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",depth=filled", "parquet does not accept depth="),
        (",root=x", "parquet does not accept root="),
        (",camera=nyu,focal_px=500", "both set the camera"),
        (":night", "has no frames in split 'night'; its splits are none"),
    ],
)
def test_options_that_do_not_apply_are_refused(tmp_path, options, message):
    path = small(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        open_source(f"{path}{options}")


def test_nyus_camera_is_refused_for_squeezed_frames(tmp_path):
    # 6x8 has NYU's proportions; 6x6 has not.
    square = {
        "image": structs([png_bytes(IMAGE[:, :6])]),
        "depth": structs([png_bytes(DEPTH_MM[:, :6])]),
    }
    source = open_source(f"{small(tmp_path / 'a.parquet', **square)},camera=nyu")
    with pytest.raises(DataError, match="squeezed or cropped"):
        source[0]


def test_a_table_without_the_required_columns_is_refused_with_its_columns(tmp_path):
    path = small(tmp_path / "a.parquet", depth=None, label=[1])
    with pytest.raises(DataError, match=r"must have a column image .*; it has image, label"):
        open_source(f"{path},format=parquet")
    with pytest.raises(DataError, match="is not in a known format"):
        open_source(str(path))


def test_truncated_files_and_files_without_a_table_are_named(tmp_path):
    path = small(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a.parquet is not a readable parquet file; .* complete"):
        open_source(str(path))
    with pytest.raises(DataError, match="is neither a parquet file nor a folder of parquet files"):
        open_source(f"{tmp_path / 'nothing'},format=parquet")


def test_files_of_one_split_that_differ_in_columns_are_refused_in_one_line(tmp_path):
    small(tmp_path / "train-00000-of-00002.parquet")
    small(tmp_path / "train-00001-of-00002.parquet", depth=[1.0])
    with pytest.raises(DataError, match="cannot be read by the datasets library") as caught:
        open_source(str(tmp_path))
    assert "\n" not in str(caught.value)


def from_the_hub(monkeypatch, path, asked):
    """Stand in for the hub: its split names, and a loader that reads files of this machine."""
    import datasets

    load = datasets.load_dataset
    monkeypatch.setattr(
        datasets, "get_dataset_split_names", lambda name, **about: ["train", "validation"]
    )

    def loader(path_or_name, *, split, **about):
        asked.append((path_or_name, split, about))
        return load("parquet", data_files=[str(path)], split="train")

    monkeypatch.setattr(datasets, "load_dataset", lambda path, **call: loader(path, **call))


def test_a_data_set_of_the_hub_is_loaded_by_name_split_and_revision(tmp_path, monkeypatch):
    asked = []
    from_the_hub(monkeypatch, small(tmp_path / "a.parquet"), asked)
    source = open_source("hf://datasets/someone/rooms@refs/convert/parquet:val,focal_px=7")
    (sample,) = source
    assert asked == [("someone/rooms", "validation", {"revision": "refs/convert/parquet"})]
    assert sample.name == "val/000000"
    assert sample.intrinsics == Intrinsics.centred(7.0, (6, 8))
    assert np.array_equal(sample.image, IMAGE)


def test_errors_of_the_hub_are_one_line(tmp_path, monkeypatch):
    def unreachable(name, **about):
        raise ConnectionError(f"Couldn't reach {name!r}\non the Hub")

    monkeypatch.setattr("datasets.get_dataset_split_names", unreachable)
    with pytest.raises(DataError, match=r"^hf://datasets/a/b cannot be read .* on the Hub$"):
        open_source("hf://datasets/a/b")
    from_the_hub(monkeypatch, tmp_path, [])
    with pytest.raises(DataError, match=r"^hf://datasets/a/b has no frames in split 'test'"):
        open_source("hf://datasets/a/b:test")


@pytest.mark.parametrize("name", ["", "a/b/c", "a b", "@main"])
def test_an_invalid_name_on_the_hub_is_refused(name):
    with pytest.raises(
        DataError, match="is not a valid dataset name; expected hf://datasets/OWNER/NAME"
    ):
        open_source(f"hf://datasets/{name}")


def test_a_table_damaged_in_the_middle_is_one_line(tmp_path):
    path = small(tmp_path / "a.parquet")
    data = bytearray(path.read_bytes())
    data[10 : len(data) // 3] = bytes(len(data) // 3 - 10)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a.parquet cannot be read by the datasets") as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)
