"""Which files below a folder are photos, and what is said of the others."""

import os
import socket

import pytest

from spd.batch import folders
from spd.batch.folders import photos_below


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")


def below(folder, own=None):
    photos, notes = photos_below(folder, own)
    return [os.path.relpath(photo, folder) for photo in photos], notes


def test_every_format_that_cameras_write_is_found_whatever_its_case(tmp_path):
    names = ["a.JPG", "b.hif", "c.MPO", "d.dng", "deep/er/e.HEIC", "f.Tiff", "g.jpe", "h.webp"]
    make(tmp_path, *names)
    assert below(tmp_path) == (names, [])


def test_hidden_files_and_folders_are_left_out(tmp_path):
    make(tmp_path, "._x.jpg", ".hidden.png", ".thumbnails/a.jpg", ".git/b/c.png", "x.jpg")
    assert below(tmp_path) == (["x.jpg"], [])


def test_only_regular_files_are_photos(tmp_path):
    make(tmp_path, "album.jpg/inside.png", "x.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "linked.png").symlink_to(tmp_path / "x.jpg")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(tmp_path / "s.png"))
        assert below(tmp_path) == (["album.jpg/inside.png", "linked.png", "x.jpg"], [])


def test_files_of_other_types_are_counted_and_named(tmp_path):
    make(tmp_path, "a.jpg", "b.cr2", "c.cr2", "notes.txt", "README", "out/part-000000.parquet")
    photos, notes = below(tmp_path, tmp_path / "out")
    assert photos == ["a.jpg"]
    (note,) = notes
    assert note.startswith(f"skipped 4 files in {tmp_path} that are not photos (.cr2, ")
    assert "parquet" not in note


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    make(tmp_path, "a.jpg", "locked/b.jpg")
    scandir = os.scandir

    def refuses(path):  # root, as which tests may run, can read every folder
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(folders.os, "scandir", refuses)
    photos, notes = below(tmp_path)
    assert photos == ["a.jpg"]
    assert notes == [
        f"cannot read {tmp_path}/locked: permission denied; its photos are missing",
    ]


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"caf\xe9/x.jpg"])
def test_names_that_are_not_utf8_are_found(tmp_path, name):
    make(tmp_path, os.fsdecode(name))
    assert below(tmp_path) == ([os.fsdecode(name)], [])


def test_maps_of_other_batches_are_no_photos_unless_their_folder_is_named(tmp_path):
    make(tmp_path, "a.jpg", "old/batch.json", "old/state/part-000000.json", "old/maps/a-1.png")
    make(tmp_path, "mine/maps/b.png", "mine/batch.json")  # the user's own, as it has no state
    photos, notes = below(tmp_path)
    assert photos == ["a.jpg", "mine/maps/b.png"]
    assert notes[0] == f"{tmp_path}/old/maps contains the maps of a batch, which were left out"
    assert below(tmp_path / "old" / "maps") == (["a-1.png"], [])


def test_depth_maps_beside_photos_are_left_out(tmp_path):
    for name in ("0001.png", "0001.depth.png", "0002.Depth.PNG", "depth.png"):
        (tmp_path / name).touch()
    photos, notes = photos_below(tmp_path)
    assert photos == [str(tmp_path / name) for name in ("0001.png", "depth.png")]
    assert "skipped 2 files" in notes[0]
    assert ".depth.png" in notes[0]
    (tmp_path / "0002.Depth.PNG").unlink()
    assert f"skipped 1 file in {tmp_path} that is not a photo" in photos_below(tmp_path)[1][0]
