"""Records of data notice what changed in every format, and read files only where they must."""

import os
import shutil

import pytest

from helpers.frames import miniature_frames
from helpers.write_general import write_image_folders, write_table
from helpers.writers import WITHOUT_CAMERA, WRITERS
from spd.data import record
from spd.data.record import DataChange, DataRecord, compare_data, record_data
from spd.data.sources import Samples, open_samples
from spd.errors import DataError

FRAMES = [miniature_frames()[n] for n in (0, 2, 4, 5)]
SHARED = ("nyu-labelled-mat", "tars", "parquet")
"""Formats in which a file holds several frames."""


@pytest.fixture(params=WRITERS)
def written(request, tmp_path) -> tuple[str, str]:
    """Name of a format, and a source in it."""
    path = WRITERS[request.param](tmp_path / "data", FRAMES)
    camera = ",camera=nyu" * (request.param in WITHOUT_CAMERA)
    return request.param, f"{path}{camera}"


def opened(source: str) -> Samples:
    return open_samples([source], metric_only=True)


def test_a_changed_byte_is_noticed_in_every_file_of_every_format(written):
    name, text = written
    samples = opened(text)
    before = record_data(samples)
    assert not compare_data(before, record_data(samples, before))
    source, place = samples.places[0]
    assert len(source.files_of(place)) == (
        1 if name in ("nyu-labelled-mat", "tars", "nyu-h5") else 2
    )
    for file in source.files_of(place):
        content = file.read_bytes()
        status = file.stat()
        flipped = bytearray(content)
        flipped[len(flipped) // 3] ^= 1
        file.write_bytes(bytes(flipped))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        found = compare_data(before, record_data(samples, before))
        assert 0 in found.changed
        assert (len(found.changed) > 1) == (name in SHARED)
        assert (found.missing, found.added, found.reordered) == ((), (), False)
        file.write_bytes(content)
        assert not compare_data(before, record_data(samples, before))


def test_moved_data_are_the_same_data(written, tmp_path):
    _, text = written
    before = record_data(opened(text))
    shutil.copytree(tmp_path / "data", tmp_path / "moved", copy_function=shutil.copyfile)
    shutil.rmtree(tmp_path / "data")
    moved = text.replace(str(tmp_path / "data"), str(tmp_path / "moved"))
    assert not compare_data(before, record_data(opened(moved), before))


def test_a_record_is_read_back(written):
    made = record_data(opened(written[1]))
    assert DataRecord.from_dict(made.to_dict()) == made


@pytest.mark.parametrize("option", ["focal_px=500", "unit=1001", "border=none"])
def test_other_options_of_a_source_change_every_frame(tmp_path, option):
    path = write_table(tmp_path / "data", FRAMES)
    before, now = record_data(opened(str(path))), record_data(opened(f"{path},{option}"))
    assert len(compare_data(before, now).changed) == len(FRAMES)


def test_a_changed_cell_of_a_table_changes_its_frame(tmp_path):
    path = write_table(tmp_path / "data", FRAMES)
    before = record_data(opened(str(path)))
    lines = path.read_text().splitlines()
    assert "518.8" in lines[2]
    lines[2] = lines[2].replace("518.8", "528.8", 1)
    path.write_text("\n".join(lines))
    assert compare_data(before, record_data(opened(str(path)))).changed == (1,)


def test_files_of_known_size_and_times_are_not_read(tmp_path, monkeypatch):
    path = write_image_folders(tmp_path / "data", FRAMES)
    samples = opened(f"{path},camera=nyu")
    before = record_data(samples)
    read = []
    original = record.file_sha256
    monkeypatch.setattr(record, "file_sha256", lambda file: read.append(file) or original(file))
    assert record_data(samples, before) == before
    assert read == []
    touched = samples.places[0][0].files_of(0)[1]
    os.utime(touched)
    assert not compare_data(before, record_data(samples, before))
    assert read == [touched]


def test_data_too_large_to_read_are_compared_by_size_and_time(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "MOST_READ_BYTES", 10)
    path = write_image_folders(tmp_path / "data", FRAMES)
    samples = opened(f"{path},camera=nyu")
    before = record_data(samples)
    assert {file.sha256 for file in before.files} == {None}
    assert not compare_data(before, record_data(samples, before))
    shutil.copytree(path, tmp_path / "kept")  # as `cp -p` and `rsync -a` do
    moved = opened(f"{tmp_path / 'kept'},camera=nyu")
    assert not compare_data(before, record_data(moved, before))
    os.utime(samples.places[2][0].files_of(2)[0])
    assert compare_data(before, record_data(samples, before)).changed == (2,)


def test_two_sources_with_the_same_names_are_told_apart(tmp_path):
    one = write_table(tmp_path / "one", FRAMES)
    other = write_table(tmp_path / "other", FRAMES[::-1])
    both = record_data(open_samples([str(one), str(other)]))
    assert len(set(both.names)) == 2 * len(FRAMES)
    assert compare_data(both, record_data(open_samples([str(other), str(one)]))).reordered


def test_an_unreadable_file_is_named(tmp_path):
    path = write_image_folders(tmp_path / "data", FRAMES)
    samples = opened(f"{path},camera=nyu")
    file = samples.places[0][0].files_of(0)[0]
    file.unlink()
    with pytest.raises(DataError, match=rf"{file.name} cannot be read \(no such file"):
        record_data(samples)


def test_a_change_in_words():
    change = DataChange(missing=("a",), added=("x", "y"), changed_names=("b", "c", "d", "e"))
    assert str(change) == "1 missing (a), 4 changed (b, c, d, ...), 2 new (x, y)"
    assert change
    assert not DataChange()
    assert str(DataChange(reordered=True)) == "the same frames in a different order"
