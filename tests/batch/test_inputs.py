"""Inputs of a batch: folders, globs, tables with points in either form; and refused inputs."""

import os

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from helpers.batches import answer, model, read, table, write_photos, write_table
from spd.batch.columns import as_list
from spd.batch.inputs import BatchInput, points_sha256, read_rows
from spd.errors import DataError


def rows_of(*inputs, **given):
    return read_rows(BatchInput(inputs=tuple(str(name) for name in inputs), **given))[0]


def paths_of(rows):
    return rows.path.tolist()


def table_at(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


def test_the_points_are_queried_on_every_photo_below_a_folder(tmp_path):
    write_photos(tmp_path / "b" / "deep", 2)
    write_photos(tmp_path / "a", 1)
    (tmp_path / "a" / "notes.txt").write_text("no photo")
    rows = rows_of(tmp_path, points=((3, 4), (5.5, 6)))
    files = [tmp_path / name for name in ("a/0000.png", "b/deep/0000.png", "b/deep/0001.png")]
    assert paths_of(rows) == [str(path) for path in files for _ in range(2)]
    assert rows.points.tolist() == [[3, 4], [5.5, 6]] * 3
    assert as_list(rows.columns["input_row"]) == [0, 0, 1, 1, 2, 2]


def test_a_glob_gives_its_matches_in_order(tmp_path):
    write_photos(tmp_path / "photos", 12)
    rows = rows_of(tmp_path / "photos" / "000?.png", points=((1, 1),))
    assert [path[-8:] for path in paths_of(rows)] == [f"000{n}.png" for n in range(10)]


def test_files_below_the_batch_s_own_folder_are_not_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "photos" / "out"
    write_photos(tmp_path / "photos", 1)
    write_photos(tmp_path / "photos" / "outside", 1)  # its name begins as that of the folder
    write_photos(out / "maps", 2)
    write_table(out / "part-000000.parquet", ["0000.png"], 3)
    (tmp_path / "link").symlink_to(tmp_path / "photos", target_is_directory=True)
    for name in ("photos", "photos/**/*", "link", str(tmp_path / "link" / "**" / "*.png")):
        rows, _ = read_rows(BatchInput(inputs=(name,), points=((1, 1),)), out)
        found = [path.replace("link", "photos") for path in paths_of(rows)]
        files = [tmp_path / "photos" / one for one in ("0000.png", "outside/0000.png")]
        assert sorted(found) == [str(file) for file in files], name
    for name in ("photos/out/maps/0000.png", "photos/out/**"):
        with pytest.raises(DataError, match="no rows to process"):
            read_rows(BatchInput(inputs=(name,), points=((1, 1),)), out)
    with pytest.raises(DataError, match="out contains no photos"):
        read_rows(BatchInput(inputs=("photos/out",), points=((1, 1),)), out)


def test_a_grid_queries_the_centres_of_its_cells_on_photos_of_any_size(tmp_path, model):
    write_photos(tmp_path / "photos", 1)
    write_photos(tmp_path / "photos" / "wide", 1, size=(30, 80))
    (tmp_path / "photos" / "zz.png").write_text("no photo")
    answer(tmp_path / "out", model, tmp_path / "photos", given={"grid": (2, 3)})
    rows = read(tmp_path / "out")
    # Fields of 20 x 10 pixels span -0.5 .. 19.5 and -0.5 .. 9.5.
    near = [(u, v) for v in (4.5, 14.5, 24.5) for u in (9.5, 29.5)]
    wide = [(u, v) for v in (4.5, 14.5, 24.5) for u in (19.5, 59.5)]
    assert [(row["u"], row["v"]) for row in rows[:12]] == near + wide
    assert np.isfinite([row["depth_m"] for row in rows[:12]]).all()
    assert np.isnan([(row["u"], row["depth_m"]) for row in rows[12:]]).all()


def test_every_point_of_a_list_becomes_a_row_and_none_is_lost(tmp_path):
    columns = {"image": ["a.png", "b.png", "c.png"], "label": ["x", "y", "z"]}
    listed = table_at(tmp_path / "t.parquet", points=[[[1, 2], [3, 4]], [], [[5, 6]]], **columns)
    rows = rows_of(listed)
    assert rows.points[[0, 1, 3]].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert rows.errors == {2: "the list of points is empty"}
    assert as_list(rows.columns["input_row"]) == [0, 0, 1, 2]
    assert as_list(rows.columns["label"]) == ["x", "x", "y", "z"]
    assert list(rows.columns) == ["input_row", "image", "label"]
    named = [[{"u": 1, "v": 2}, {"u": 3, "v": 4}], None, [{"u": 5, "v": 6}]]
    same = rows_of(table_at(tmp_path / "s.parquet", points=named, **columns))
    assert same.points[[0, 1, 3]].tolist() == rows.points[[0, 1, 3]].tolist()
    assert same.errors == rows.errors


def test_lists_of_points_in_csv_are_json_and_a_broken_one_is_an_error_of_its_row(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('image,points\na.png,"[[1, 2], [3.5, 4]]"\nb.png,"[[1, 2"\nc.png,"[[1]]"\n')
    rows = rows_of(path)
    assert rows.points[:2].tolist() == [[1, 2], [3.5, 4]]
    assert rows.errors == {
        2: "points is '[[1, 2', expected [[u, v], ...]",
        3: "points is '[[1]]', expected [[u, v], ...]",
    }


def test_csv_columns_pass_through_as_they_are_written(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("﻿id,image,u,v\n007,a.png,1,2\n1e5,b.png,3,4\n", encoding="utf-8")
    rows = rows_of(path)
    assert as_list(rows.columns["id"]) == ["007", "1e5"]
    assert rows.points.tolist() == [[1, 2], [3, 4]]


def test_types_of_parquet_columns_pass_through(tmp_path):
    boxes = pa.array([[1, 2], [3]], pa.list_(pa.int16()))
    images = pa.array(["a.png", "b.png"]).dictionary_encode()
    points = {"u": pa.array([1, 2], pa.int8()), "v": pa.array([3, None], pa.float32())}
    rows = rows_of(table_at(tmp_path / "t.parquet", image=images, box=boxes, **points))
    assert rows.columns["box"].combine_chunks().equals(boxes)
    assert rows.points[0].tolist() == [1, 3]
    assert np.isnan(rows.points[1, 1])


def test_paths_start_from_the_table_s_folder_or_from_the_root(tmp_path):
    (tmp_path / "sub").mkdir()
    path = table_at(tmp_path / "sub" / "t.parquet", image=["a.png", "/b.png"], u=[1, 2], v=[3, 4])
    assert paths_of(rows_of(path)) == [str(tmp_path / "sub" / "a.png"), "/b.png"]
    assert paths_of(rows_of(path, root=tmp_path)) == [str(tmp_path / "a.png"), "/b.png"]


def test_the_rows_of_several_tables_are_concatenated(tmp_path):
    write_table(tmp_path / "a.parquet", ["a.png"], 3)
    table_at(tmp_path / "b.parquet", image=["b.png", ""], u=[1.0, 1.0], v=[2.0, 2.0], more=[7, 8])
    rows = rows_of(tmp_path / "?.parquet")
    assert as_list(rows.columns["input_row"]) == [0, 1, 2, 3, 4]
    assert as_list(rows.columns["more"]) == [None, None, None, 7, 8]
    assert rows.errors == {4: "the image cell is empty"}
    assert np.isnan(rows.focal_px).tolist() == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"photo": ["a"], "u": [1], "v": [2]}, "has no column named image; its columns are photo"),
        ({"image": ["a"], "u": [1], "v": [2], "depth_m": [3]}, "has a column named depth_m, which"),
        ({"image": ["a"], "u": [[1]], "v": [2]}, "column u is of type list.*, expected numbers"),
        ({"image": [5], "u": [1], "v": [2]}, "column image is of type int64, expected text with"),
        ({"image": ["a"]}, "no points; add columns u and v"),
        (dict.fromkeys(("image", "u", "v"), pa.array([], "str")), "no rows to process"),
    ],
)  # fmt: skip
def test_tables_without_the_right_columns_are_refused(tmp_path, columns, words):
    path = table_at(tmp_path / "t.parquet", **columns)
    with pytest.raises(DataError, match=f"t.parquet.*{words}"):
        rows_of(path)


def test_unreadable_tables_and_missing_inputs_are_refused(tmp_path):
    for name, content in (("t.parquet", "no"), ("t.csv", "image,u,v\na,1\n"), ("e.csv", "")):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=f"{name} cannot be read as a table: [^\n]*$"):
            rows_of(tmp_path / name)
    with pytest.raises(DataError, match=r"no file, folder or glob matches .*nothing\*"):
        rows_of(tmp_path / "nothing*")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty contains no photos"):
        rows_of(tmp_path / "empty", points=((1, 2),))


def test_a_table_whose_name_or_whose_paths_are_not_utf8_is_refused_in_one_line(tmp_path):
    path = table_at(tmp_path / "t.parquet", image=["a"], u=[1], v=[2])
    odd = tmp_path / os.fsdecode(b"caf\xe9.parquet")
    path.rename(odd)
    with pytest.raises(DataError, match=r"caf\\udce9\.parquet cannot be read .*: .* not UTF-8"):
        rows_of(odd)
    latin = pa.array([b"caf\xe9.jpg"], pa.binary())
    images = pa.Array.from_buffers(pa.string(), 1, latin.buffers())
    with pytest.raises(DataError, match=r"t\.parquet: column image is not valid UTF-8"):
        rows_of(table_at(path, image=images, u=[1], v=[2]))


def test_points_given_twice_and_repeated_columns_are_refused(tmp_path):
    path = table_at(tmp_path / "t.parquet", image=["a"], u=[1], v=[2])
    with pytest.raises(DataError, match="has points of its own; omit --points and --grid"):
        rows_of(path, grid=(2, 2))
    (tmp_path / "t.csv").write_text("image,u,v,u\na,1,2,3\n")
    with pytest.raises(DataError, match="has two columns named u; rename one"):
        rows_of(tmp_path / "t.csv")


def test_tables_whose_columns_have_different_types_are_refused(tmp_path):
    for name, label in (("a", [1]), ("b", ["one"])):
        table_at(tmp_path / f"{name}.parquet", image=["x"], u=[1], v=[2], label=label)
    with pytest.raises(DataError, match="columns of the same name differ in type"):
        rows_of(tmp_path / "a.parquet", tmp_path / "b.parquet")


def test_digests_depend_on_the_points_of_options_and_on_the_content_of_tables(tmp_path):
    first, same, other = (BatchInput(inputs=("x",), grid=(2, rows)) for rows in (2, 2, 3))
    assert points_sha256(first) == points_sha256(same) != points_sha256(other)
    (tmp_path / "t.csv").write_text("image,u,v\na.png,1,2\n")
    tables = BatchInput(inputs=(str(tmp_path / "t.csv"),))
    digest = read_rows(tables)[1]
    assert read_rows(tables)[1] == digest
    (tmp_path / "t.csv").write_text("image,u,v\na.png,1,3\n")
    assert read_rows(tables)[1] != digest


@pytest.mark.parametrize(
    "photo", ["out/part-000000.csv", "out/maps/a.png", "out/x/../lock", "link/batch.json"]
)
def test_photos_of_a_table_are_not_in_the_output_folder(tmp_path, model, photo):
    (tmp_path / "link").symlink_to("out")
    (tmp_path / "table.csv").write_text(f"image,u,v\n{photo},3,4\nelsewhere.png,3,4\n")
    with pytest.raises(DataError, match=r"is in the output folder .*out, where it could be"):
        answer(tmp_path / "out", model, tmp_path / "table.csv")
    assert not (tmp_path / "out").exists()
    (tmp_path / "other").mkdir()
    assert answer(tmp_path / "other", model, tmp_path / "table.csv", table_form="csv").failed == 2
