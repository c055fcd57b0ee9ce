"""Output files: whole or unchanged, at the target of a link, with their mode; devices stay."""

import contextlib
import errno
import os
import stat
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

from spd.errors import DataError
from spd.files import (
    LISTED_BYTES,
    atomic_path,
    check_folder,
    check_writable,
    make_folder,
    read_stream,
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


@pytest.mark.filterwarnings("ignore:waiting for a program")
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


@pytest.mark.filterwarnings("error")
def test_a_fifo_with_a_reader_is_opened_once(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(path, "text")
        assert os.read(reader, 99) == b"text"
        assert os.read(reader, 99) == b""
    finally:
        os.close(reader)


def test_a_fifo_without_a_reader_is_waited_for_and_said(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    code = "import sys; from spd.files import write_text; write_text(sys.argv[1], 'text')"
    writer = subprocess.Popen([sys.executable, "-c", code, path], stderr=subprocess.PIPE, text=True)
    try:
        line = writer.stderr.readline()
        assert f"waiting for a program that reads the pipe {path}" in line
        assert path.read_text() == "text"
        assert writer.wait(10) == 0
    finally:
        writer.kill()
        writer.communicate()


def test_a_file_that_is_open_for_reading_only_is_refused_early(tmp_path):
    (tmp_path / "in").write_text("old")
    with (tmp_path / "in").open() as file:
        path = f"/dev/fd/{file.fileno()}"
        with pytest.raises(DataError, match="is not open for writing; choose another path"):
            check_writable(path)
        with pytest.raises(DataError, match="cannot write"):
            write_text(path, "new")
    read, write = os.pipe()
    try:
        check_writable(f"/dev/fd/{write}")
        with pytest.raises(DataError, match="is not open for writing"):
            check_writable(f"/dev/fd/{read}")
    finally:
        os.close(read)
        os.close(write)
    assert (tmp_path / "in").read_text() == "old"


@pytest.mark.parametrize("number", ["EBUSY", "EPERM", "EACCES"])
def test_a_file_that_cannot_be_replaced_is_written_in_place(tmp_path, monkeypatch, number):
    """A file mounted into a container is busy; another user's file in /tmp cannot be moved."""

    def refuse(source, target):
        raise OSError(getattr(errno, number), "refused")

    path = tmp_path / "mounted.csv"
    path.write_text("the old and longer content")
    inode = path.stat().st_ino
    monkeypatch.setattr(os, "replace", refuse)
    write_text(path, "new")
    assert (path.read_text(), path.stat().st_ino) == ("new", inode)
    with pytest.raises(DataError, match=r"cannot write .*absent\.csv: refused"):
        write_text(tmp_path / "absent.csv", "new")
    assert os.listdir(tmp_path) == ["mounted.csv"]


@pytest.mark.parametrize("name", ["x" * 256, "one/x", "one", "self"])
def test_names_that_lead_nowhere_are_refused_early(tmp_path, name):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "self").symlink_to("self/x")
    with pytest.raises(DataError, match=r"(too long|too many levels.*); choose a different path"):
        check_writable(tmp_path / name)


def test_the_longest_names_are_written(tmp_path):
    for name in ("x" * 251 + ".csv", "é" * 127 + "x"):
        check_writable(tmp_path / name)
        write_text(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"


def test_attributes_stay_and_the_time_is_new(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    try:
        os.setxattr(path, "user.note", b"kept")
    except (OSError, AttributeError):
        pytest.skip("this file system has no attributes")
    os.utime(path, (1, 1))
    write_text(path, "new")
    assert os.getxattr(path, "user.note") == b"kept"
    assert path.stat().st_mtime > 10**9


def test_a_group_that_cannot_be_kept_gets_no_more_than_everybody(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "chown", lambda *_: None)  # as for a user outside the group
    real_stat = os.stat

    def as_of_another(target, **options):
        found = real_stat(target, **options)
        values = list(found)
        values[5] += target == path  # the group
        return os.stat_result(values)

    monkeypatch.setattr("shutil.copystat", lambda *_: None)
    monkeypatch.setattr(os, "stat", as_of_another)
    for before, after in ((0o660, 0o600), (0o664, 0o644), (0o6775, 0o755)):
        path.chmod(before)
        write_text(path, "new")
        assert mode(path) == after


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


def test_a_small_file_takes_little_memory_whatever_its_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    tracemalloc.start()
    try:
        assert read_stream(path, LISTED_BYTES) == b"12345"
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20  # before: 1 GiB
    finally:
        tracemalloc.stop()
    path.write_bytes(bytes(3 * 2**20))
    assert len(read_stream(path, 3 * 2**20)) == 3 * 2**20
    with pytest.raises(ValueError, match="larger than 2 MiB"):
        read_stream(path, 2 * 2**20)
    with pytest.raises(ValueError, match="larger than"):
        read_stream("/dev/zero", 5)
