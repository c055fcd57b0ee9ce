"""Parsing the names of sources, and recognising their formats."""

import pytest

from helpers.frames import miniature_frames
from helpers.write_general import (
    write_array_parquet,
    write_image_folders,
    write_parquet,
    write_table,
)
from helpers.write_nyu import write_bts, write_h5, write_h5_tars, write_labelled_mat
from spd.data.formats import FORMATS, open_source, recognise
from spd.data.source_name import SourceName, SourceOptions
from spd.errors import DataError

FRAMES = miniature_frames()[:1]


@pytest.mark.parametrize(
    ("text", "path", "split", "options"),
    [
        ("rooms", "rooms", None, {}),
        ("rooms:val", "rooms", "val", {}),
        ("a/nyu.mat:test,depth=filled", "a/nyu.mat", "test", {"depth": "filled"}),
        ("tum,unit=5000,focal_px=525", "tum", None, {"unit": 5000.0, "focal_px": 525.0}),
        ("x,unit=metre,border=none", "x", None, {"unit": "metre", "border": "none"}),
        ("a,b:train,camera=nyu", "a,b", "train", {"camera": "nyu"}),
        ("hf://datasets/a/b", "hf://datasets/a/b", None, {}),
        ("hf://datasets/a/b@main:val", "hf://datasets/a/b@main", "val", {}),
        ("t.csv,root=/data/a:b", "t.csv", None, {"root": "/data/a:b"}),
    ],
)
def test_a_name_is_parsed(text, path, split, options):
    assert SourceName.parse(text) == SourceName(path, split, SourceOptions(**options))


def test_an_existing_path_is_not_split_into_split_and_options(tmp_path):
    for name in ("a:b", "c,unit=5"):
        (tmp_path / name).mkdir()
        text = f"{tmp_path / name}"
        assert SourceName.parse(text) == SourceName(text, None, SourceOptions())
    with_split = SourceName.parse(f"{tmp_path / 'a:b'}:train,unit=5")
    assert (with_split.path, with_split.split) == (f"{tmp_path / 'a:b'}", "train")
    other = SourceName.parse(f"{tmp_path / 'a:b'},unit=5")
    assert (other.path, other.split) == (f"{tmp_path / 'a:b'}", None)


@pytest.mark.parametrize(
    "option", ["colour=red", "focal_px=-1", "unit=feet", "unit=0", "unit=nan", "camera=kinect"]
)
def test_an_option_that_does_not_exist_is_named(option):
    with pytest.raises(DataError, match=f"^rooms,{option}: .*{option.partition('=')[0]}") as caught:
        SourceName.parse(f"rooms,{option}")
    assert "\n" not in str(caught.value)


def test_formats_have_distinct_names():
    assert len({form.format for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize(
    ("write", "form"),
    [
        (write_parquet, "parquet"),
        (write_array_parquet, "parquet"),
        (write_image_folders, "image-depth-folders"),
        (write_table, "table"),
        (write_labelled_mat, "nyu-labelled-mat"),
        (write_bts, "bts"),
        (write_h5, "nyu-h5"),
        (write_h5_tars, "nyu-h5"),
    ],
)
def test_each_format_is_recognised_as_itself_only(tmp_path, write, form):
    path = write(tmp_path / "a", miniature_frames())
    assert [found.format for found in recognise(path)] == [form]


def test_a_folder_with_an_index_is_recognised(rgbd_folder):
    assert {found.format: told for found, told in recognise(rgbd_folder).items()} == {
        "rgbd-folder": "contains frames.json"
    }


def test_an_index_takes_precedence_over_image_folders(tmp_path):
    folder = write_image_folders(tmp_path / "a", FRAMES)
    (folder / "frames.json").write_text("[]")
    assert [form.format for form in recognise(folder)] == ["rgbd-folder"]


def test_two_formats_in_one_folder_are_named_and_one_can_be_chosen(tmp_path):
    folder = write_parquet(write_image_folders(tmp_path / "a", FRAMES), FRAMES)
    with pytest.raises(DataError) as caught:
        open_source(str(folder))
    assert str(caught.value) == (
        f"{folder} matches several formats: "
        "parquet (has columns image and depth_map); "
        "image-depth-folders (contains images/ and depth/); choose one with format="
    )
    chosen = open_source(f"{folder},format=image-depth-folders,camera=nyu")
    assert (chosen.format, len(chosen)) == ("image-depth-folders", 1)


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing of use\n")
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "images").mkdir()  # with nothing in it
    (tmp_path / "depth").mkdir()
    for path in (tmp_path, *(tmp_path / name for name in ("notes.txt", "noise", "empty"))):
        with pytest.raises(
            DataError, match=r"is not in a known format; supported formats are rgbd-folder, .*table"
        ):
            open_source(str(path))


def test_a_missing_path_or_unknown_format_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no file or folder .*nothing$"):
        open_source(f"{tmp_path / 'nothing'}:train")
    with pytest.raises(
        DataError, match="unknown format 'tfds'; supported formats are rgbd-folder, "
    ):
        open_source(f"{tmp_path},format=tfds")


def test_no_frame_is_opened_to_recognise_a_form(tmp_path, monkeypatch):
    folder = write_image_folders(tmp_path / "a", miniature_frames())
    (folder / "nyu.yaml").unlink()

    def refuse(*arguments, **options):
        raise AssertionError(f"opened {arguments}")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    assert [form.format for form in recognise(folder)] == ["image-depth-folders"]


def test_an_unreadable_folder_is_refused_in_one_line(tmp_path, monkeypatch):
    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", forbidden)
    with pytest.raises(DataError, match=r"^cannot read .*: permission denied$"):
        recognise(tmp_path)
