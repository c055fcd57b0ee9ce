"""Points in files as people write them: read where they are certain, refused where they are not."""

import json

import numpy as np
import pytest

from spd.batch.inputs import BatchInput, read_rows
from spd.cli.points import read_points
from spd.errors import DataError, InputError, PointError
from spd.pixels import as_points

READ = {
    "capitals": "U,V\n1,2\n",
    "blanks": " U , v \n1,2\n",
    "a byte order mark": "\ufeffU,V\n1,2",
    "x and y": "X,Y\n1,2\n",
    "the other way round": "y,x\n2,1\n",
    "rows and columns": "row,col\n2,1\n",
    "v first": "v,u\n2,1\n",
    "units": "u (px),v [px]\n1,2\n",
    "pixel_x": "pixel_x,pixel_y\n1,2\n",
    "ids and depths beside": "id,u,v,depth_m\n7,1,2,3.5\n",
    "metres beside": "u,v,x_m,y_m,z\n1,2,3,4,5\n",
    "an index of pandas": ",u,v\n0,1,2\n",
    "quotes": '"u","v"\n"1", "2"\n',
    "tabs": "1\t2\n",
    "spaces": "  1   2 \n",
    "semicolons": "u;v\n1,0;2,0\n",
    "Excel's separator": "sep=;\nu;v\n1;2\n",
    "a separator at the end": "1,2,\n",
    "one at the end of every row": "u,v\n1,2,\n",
    "comments": "# seen from the left\n1,2\n# end\n",
    "a header of numpy": "# v u\n2.0 1.0\n",
    "old line ends": "u,v\r1,2\r",
    "JSON with x and y": '[{"x": 1, "y": 2, "id": 3}]',
    "JSON with rows": '[{"row": 2, "col": 1}]',
    "UTF-16": "u\tv\n1\t2\n".encode("utf-16"),
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_points_are_found_by_the_names_of_their_columns(tmp_path, content):
    path = tmp_path / "points.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert [(point.u, point.v) for point in read_points(path)] == [(1, 2)]


REFUSED = {
    "three columns": ("1,100,100\n", r"line 1 is '1,100,100', 3 columns without a header"),
    "five columns": ("1,2,3,4,5\n", "5 columns without a header"),
    "a third in a later line": ("1,2\n3,4,5\n", "line 2 is '3,4,5', 3 columns without"),
    "one column": ("5\n", "line 1 is '5'; expected u,v"),
    "decimal commas": ("1,5,2,5\n", "4 columns without a header"),
    "decimal commas below names": ("u,v\n1,5,2,5\n", "4 cells under the 2 columns 'u', 'v'"),
    "decimal commas and tabs": ("1,5\t2,5\n", "expected u,v"),
    "other units": ("u (mm),v (mm)\n1,2\n", "a header must also name u and v"),
    "other names": ("a,b\n1,2\n", "line 1 is 'a,b'"),
    "half a pair": ("u,y\n1,2\n", "line 1 is 'u,y'"),
    "a name twice": ("u,v,U\n1,2,3\n", "has columns 'u', 'v', 'U'; expected columns u and v"),
    "points in space": ("x,y,z\n1,2,3\n", "x and y may not be a pixel"),
    "boxes": ("x,y,w,h\n1,2,3,4\n", "x and y may not be a pixel"),
    "two separators": ("1,2\n3;4\n", "line 2 is '3;4'"),
    "digits in groups": ("1_0,2\n", "line 1 is '1_0,2'"),
    "nothing": ("", "has no points"),
    "only names": ("u,v\n", "has no points"),
    "only comments": ("# u\n\n", "has no points"),
    "an empty list": ("[]", "has no points"),
    "three numbers": ("[[1, 2, 3]]", r"point 1 of 1 is \[1, 2, 3\]"),
    "JSON in space": ('[{"x": 1, "y": 2, "z": 3}]', "point 1 of 1 is"),
}


@pytest.mark.parametrize(("content", "pattern"), REFUSED.values(), ids=REFUSED)
def test_points_that_are_uncertain_are_refused(tmp_path, content, pattern):
    path = tmp_path / "points.csv"
    path.write_text(content)
    with pytest.raises(PointError, match=rf"points\.csv.*{pattern}"):
        read_points(path)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"PK\x03\x04...", "an Excel workbook or a zip archive; save the sheet as CSV"),
        (b"\x93NUMPY\x01\x00", "a NumPy array; save it with numpy.savetxt"),
        (b"\x1f\x8b\x08", "it is compressed; unpack it"),
        ("u,v,café\n1,2,3".encode("latin-1"), "is not a text file"),
    ],
)
def test_files_that_are_not_text_are_named(tmp_path, content, pattern):
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=pattern):
        read_points(path)


TABLES = {
    "capitals": "Image, U , v \na.jpg,1,2\n",
    "x and y": "image,X,Y\na.jpg,1,2\n",
    "rows and columns": "image,row,col\na.jpg,2,1\n",
    "semicolons": "image;u;v\na.jpg;1,0;2\n",
    "tabs in UTF-16": "image\tu\tv\na.jpg\t1\t2\n".encode("utf-16"),
    "a byte order mark": "\ufeffIMAGE,U,V\na.jpg,1,2\n",
    "a comment": "# made today\nimage,u,v\na.jpg,1,2\n",
    "separators at the end": "image,u,v,\na.jpg,1,2,\n",
    "a semicolon in a name": "image,u,v,a;b\na.jpg,1,2,3\n",
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES)
def test_tables_of_a_batch_are_read_in_the_same_way(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, _ = read_rows(BatchInput(inputs=(str(path),)))
    assert rows.points.tolist() == [[1, 2]]
    assert rows.path.tolist() == [str(tmp_path / "a.jpg")]
    assert rows.errors == {}


def test_a_focal_length_of_any_spelling_is_the_focal_length(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("image;u;v;Focal (px)\na.jpg;1;2;500,5\n")
    rows, _ = read_rows(BatchInput(inputs=(str(path),)))
    assert rows.focal_px.tolist() == [500.5]


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("a.jpg,1,2\n", "its first line must name the columns"),
        ("image,u,v,U\na.jpg,1,2,3\n", "one of each"),
        ("image,Image,u,v\na,b,1,2\n", "two columns for image"),
        ("image,x,y,z\na.jpg,1,2,3\n", "x and y may not be a pixel"),
        ("image,u,v\na.jpg,1,5,2,5\n", "line 2 has 5 cells, expected 3"),
    ],
)
def test_tables_that_are_uncertain_are_refused(tmp_path, content, pattern):
    path = tmp_path / "table.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=pattern):
        read_rows(BatchInput(inputs=(str(path),)))


def test_x_and_y_of_a_table_are_no_points_beside_points_of_the_command(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("image,x,y,z\na.jpg,1,2,3\n")
    rows, _ = read_rows(BatchInput(inputs=(str(path),), points=((3, 4),)))
    assert rows.points.tolist() == [[3, 4]]
    assert {"x", "y", "z"} <= set(rows.columns)


@pytest.mark.parametrize("name", ["https://example.org/a.jpg", "https:/example.org/a.csv"])
def test_a_link_is_said_to_be_one(tmp_path, name):
    with pytest.raises(DataError, match="URLs are not fetched"):
        read_rows(BatchInput(inputs=(name,), points=((1, 2),)))


@pytest.mark.parametrize("suffix", [".xlsx", ".json", ".txt"])
def test_a_file_that_is_neither_photo_nor_table_is_refused(tmp_path, suffix):
    path = tmp_path / f"table{suffix}"
    path.write_text(json.dumps([1]))
    with pytest.raises(DataError, match=r"save a table as one of \.parquet, \.csv, \.tsv"):
        read_rows(BatchInput(inputs=(str(path),)))


def test_columns_of_a_data_frame_are_found_by_name():
    pandas = pytest.importorskip("pandas")
    expected = np.array([[1.0, 2.0]])
    for columns in (
        {"v": [2], "u": [1]},
        {"id": [9], "row": [2], "col": [1]},
        {"a": [1], "b": [2]},
    ):
        np.testing.assert_array_equal(as_points(pandas.DataFrame(columns)), expected)
    np.testing.assert_array_equal(as_points(pandas.DataFrame([[1, 2]])), expected)
    with pytest.raises(PointError, match="one of each"):
        as_points(pandas.DataFrame([[1, 2, 3]], columns=["u", "v", "U"]))
