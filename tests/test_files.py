"""Output files: whole or unchanged, at the target of a link, with their mode; devices stay."""

import contextlib
import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from spd.errors import DataError
from spd.files import (
    atomic_path,
    check_folder,
    check_writable,
    make_folder,
    write_bytes,
    write_text,
)
from spd.outputs import write_npy, write_table

UNUSUAL = os.fsdecode(b"caf\xe9")  # a name that is not UTF-8


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_an_existing_file_keeps_its_mode(tmp_path):
    for wanted in (0o600, 0o640, 0o666, 0o755):
        path = tmp_path / f"{wanted:o}.csv"
        path.write_text("old")
        path.chmod(wanted)
        write_text(path, "new")
        assert (mode(path), path.read_text()) == (wanted, "new")


def test_a_new_file_has_the_mode_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new.csv", "new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new.csv") == 0o640


def test_a_read_only_file_is_refused_early_and_late_and_stays(tmp_path):
    path = tmp_path / "kept.csv"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(DataError, match=r"kept.csv: it is read-only; choose a different path"):
        check_writable(path)
    with pytest.raises(DataError, match="read-only"):
        write_text(path, "new")
    (tmp_path / "link.csv").symlink_to(path)
    with pytest.raises(DataError, match="read-only"):
        write_bytes(tmp_path / "link.csv", b"new")
    assert path.read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"kept.csv", "link.csv"}


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    (store / "data").write_text("old")
    (tmp_path / "first.csv").symlink_to("second.csv")  # relative, and a chain
    (tmp_path / "second.csv").symlink_to(store / "data")
    inode = (store / "data").stat().st_ino
    write_text(tmp_path / "first.csv", "new")
    assert (tmp_path / "first.csv").is_symlink()
    assert (tmp_path / "second.csv").is_symlink()
    assert (store / "data").read_text() == "new"
    assert (store / "data").stat().st_ino != inode  # replaced whole, not written in place
    assert [p.name for p in store.iterdir()] == ["data"]


def test_a_link_to_nothing_yet_makes_its_target(tmp_path):
    (tmp_path / "link.npy").symlink_to(tmp_path / "later" / "map.npy")
    write_npy(np.ones((2, 3)), tmp_path / "link.npy")
    assert np.load(tmp_path / "later" / "map.npy").shape == (2, 3)
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    check_folder(tmp_path / "folder")
    make_folder(tmp_path / "folder")
    assert (tmp_path / "elsewhere").is_dir()


def test_an_error_leaves_the_target_of_a_link_as_it_was(tmp_path):
    (tmp_path / "data").write_text("old")
    (tmp_path / "link").symlink_to("data")
    with contextlib.suppress(ValueError), atomic_path(tmp_path / "link") as temporary:
        temporary.write_text("half")
        raise ValueError("stop")
    assert (tmp_path / "data").read_text() == "old"
    assert {p.name for p in tmp_path.iterdir()} == {"data", "link"}


def test_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(DataError, match="cannot write"):
        write_text(tmp_path / "one", "new")
    assert (tmp_path / "one").is_symlink()


def test_a_fifo_stays_and_receives_the_content(tmp_path):
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    check_writable(path, ".csv")  # must not wait for a reader
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write_table([{"u": 1, "depth_m": 2.0}], path, "csv")
    reader.join(10)
    assert got == [b"u,depth_m\n1,2.0\n"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_device_stays(tmp_path):
    device = tmp_path / "null.png"  # a file of our own: a fault must not break the machine's
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.stat("/dev/null").st_rdev)
        device.read_bytes()
    except OSError:
        device = tmp_path / "link"
        device.symlink_to("/dev/null")
    for one in (device, "/dev/null"):
        check_writable(one, ".npy")
        before = os.stat(one)
        write_npy(np.ones((2, 3)), one)
        assert stat.S_ISCHR(os.stat(one).st_mode)
        assert (os.stat(one).st_ino, os.stat(one).st_mode) == (before.st_ino, before.st_mode)
    with pytest.raises(DataError, match="cannot write /dev/full: no space left"):
        write_text("/dev/full", "text")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "LINK"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_output_continues_where_it_stands(tmp_path, name, kind):
    if name == "LINK":
        name = tmp_path / "link"
        name.symlink_to("/dev/stdout")
    code = (
        "from spd.files import write_text; import sys;"
        "print('before'); write_text(sys.argv[1], 'table\\n'); print('after')"
    )
    log = tmp_path / "log"
    log.write_text("kept\n")
    with log.open("a") as file:
        done = subprocess.run(
            [sys.executable, "-c", code, name],
            stdout=subprocess.PIPE if kind == "pipe" else file,
            check=True,
            text=True,
        )
    written = done.stdout if kind == "pipe" else log.read_text().removeprefix("kept\n")
    assert written == "before\ntable\nafter\n"


def test_a_socket_is_refused(tmp_path, monkeypatch):
    import socket

    monkeypatch.chdir(tmp_path)  # addresses of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(DataError, match="disk or a socket"):
            check_writable("socket")
        with pytest.raises(DataError, match="cannot write"):
            write_text("socket", "text")
    assert stat.S_ISSOCK(os.stat("socket").st_mode)


def test_a_folder_replaces_an_empty_one_behind_a_link_and_keeps_its_mode(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    with atomic_path(tmp_path / "link") as temporary:
        temporary.mkdir()
        (temporary / "file").write_text("text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "text"
    assert mode(tmp_path / "real") == 0o700


def test_a_relative_path_in_a_removed_folder_is_named(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for refuse in (check_writable, check_folder, lambda path: write_text(path, "")):
        with pytest.raises(DataError, match="the current folder no longer exists"):
            refuse("out.csv")
    check_writable(tmp_path / "out.csv")
    write_text(tmp_path / "out.csv", "new")


def test_names_that_are_not_utf8_are_written_as_escapes(tmp_path):
    path = tmp_path / f"{UNUSUAL}.csv"
    write_text(path, f"{UNUSUAL}\n")
    assert path.read_text(encoding="utf-8") == "caf\\udce9\n"
    rows = [{"u": 1, "depth_m": 2.0}]
    for form in ("csv", "json", "parquet"):
        write_table(rows, tmp_path / f"{UNUSUAL}.{form}", form)
    write_npy(np.ones((2, 3)), tmp_path / f"{UNUSUAL}.NPY")
    assert np.load(tmp_path / f"{UNUSUAL}.NPY").shape == (2, 3)
