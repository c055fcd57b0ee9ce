"""Damaged Parquet tables of points and photos: one error, whatever the reader raises."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from spd.batch.inputs import BatchInput, read_rows
from spd.cli.points import read_points
from spd.errors import DataError, InputError


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "table.parquet"
    parquet.write_table(pa.table({"image": ["a.jpg"] * 3, "u": [1.0] * 3, "v": [2.0] * 3}), path)
    return path


@pytest.mark.parametrize("kind", [pa.ArrowInvalid, KeyError, TypeError, RuntimeError, EOFError])
def test_whatever_the_reader_raises_is_one_error(path, kind, monkeypatch):
    def fail(*args, **kwargs):
        raise kind("two\nlines")

    monkeypatch.setattr(parquet.ParquetFile, "read", fail)
    with pytest.raises(DataError, match=r"table\.parquet.*two") as caught:
        read_rows(BatchInput(inputs=(str(path),)))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="is damaged or not a Parquet file"):
        read_points(path)


def test_a_lack_of_memory_is_no_damage(path, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(parquet.ParquetFile, "read", fail)
    for read in (lambda: read_rows(BatchInput(inputs=(str(path),))), lambda: read_points(path)):
        with pytest.raises(MemoryError):
            read()


def test_columns_that_differ_in_length_are_a_damaged_file(path, monkeypatch):
    whole = parquet.ParquetFile.read

    def read(self, columns=None, **how):
        if columns is not None and len(columns) > 1:  # as pyarrow does for such a file
            raise pa.ArrowInvalid("Column 1 named v expected length 3 but got length 2")
        return whole(self, columns, **how)

    monkeypatch.setattr(parquet.ParquetFile, "read", read)
    with pytest.raises(InputError, match="is damaged or not a Parquet file"):
        read_points(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9, 0.99])
def test_a_table_that_is_cut_is_one_error(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"table\.parquet"):
        read_rows(BatchInput(inputs=(str(path),)))
    with pytest.raises(InputError):
        read_points(path)
