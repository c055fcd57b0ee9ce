"""The cache of compiled kernels: damage, other users, missing homes and broken compilers."""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spd.config import ModelConfig
from spd.files import UNFINISHED
from spd.models.kernel import build, cache
from spd.models.kernel.build import compiler, kernel, shape_of

SHAPE = shape_of(ModelConfig())
REAL = compiler()
pytestmark = pytest.mark.skipif(REAL is None, reason="this machine has no C compiler")


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """A library that the real compiler wrote."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "query.c"
    source.write_text("void spd_query(void) {}\n")
    subprocess.run([*REAL, "-shared", "-fPIC", "-o", folder / "query.so", source], check=True)
    return folder / "query.so"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The cache of this test, in which nothing is compiled yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.delenv("SPD_NATIVE", raising=False)
    monkeypatch.setattr(build, "SECONDS", 20)
    return tmp_path / "spd"


@pytest.fixture
def cc(tmp_path, monkeypatch):
    """Sets `CC` to a shell script; `$out` is the library that it shall write."""

    def use(script: str) -> Path:
        path = tmp_path / "cc"
        find = 'out=; for word; do [ "$last" = -o ] && out=$word; last=$word; done\n'
        path.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\n{find}{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("CC", str(path))
        return tmp_path / "calls"

    return use


def built() -> ctypes.CDLL | str:
    return kernel.__wrapped__(SHAPE)


def calls(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.mark.parametrize("damage", ["empty", "cut", "page", "flipped", "text", "fifo", "folder"])
def test_a_damaged_library_is_compiled_again(folder, cc, library, damage):
    log = cc(f'cp {library} "$out"')
    assert isinstance(built(), ctypes.CDLL)
    (path,) = folder.glob("query-*.so")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.unlink()
    if damage == "fifo":
        os.mkfifo(path)
    elif damage == "folder":
        path.mkdir()
    else:
        contents = {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "page": whole[:4096],
            "flipped": bytes(flipped),
            "text": b"no library",
        }
        path.write_bytes(contents[damage])
        path.chmod(0o700)
    # In a process of its own, which a damaged library would end with SIGBUS or SIGSEGV.
    program = f"from spd.models.kernel.build import kernel; print(kernel({SHAPE!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert calls(log) == 2
    if damage == "folder":  # it is in the way of the new file
        assert "cannot be saved or loaded" in done.stdout
    else:
        assert "CDLL" in done.stdout
        assert path.read_bytes() == whole


def test_a_library_is_compiled_once_and_only_its_owner_can_write_it(folder, cc, library):
    log = cc(f'umask 0; cp {library} "$out"; chmod 777 "$out"')
    before = os.umask(0)
    try:
        for _ in range(3):
            assert isinstance(built(), ctypes.CDLL)
    finally:
        os.umask(before)
    assert calls(log) == 1
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())] == [
        "0o700",
        "0o700",
    ]


def planted(folder: Path, tmp_path: Path) -> Path:
    """A library with a valid digest that writes a file where it is loaded."""
    source, path = tmp_path / "planted.c", tmp_path / "planted.so"
    trace = tmp_path / "trace"
    source.write_text(
        "#include <stdio.h>\nvoid spd_query(void) {}\n"
        f'__attribute__((constructor)) void run(void) {{ fclose(fopen("{trace}", "w")); }}\n'
    )
    subprocess.run([*REAL, "-shared", "-fPIC", "-o", path, source], check=True)
    (theirs,) = folder.glob("query-*.so")
    content = path.read_bytes()
    target = cache._name(folder, theirs.name.split("-")[1], content)
    theirs.unlink()
    target.write_bytes(content)
    target.chmod(0o755)
    return trace


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("whose", ["file", "folder", "parent"])
def test_a_library_of_another_user_never_runs(folder, cc, library, tmp_path, whose):
    cc(f'cp {library} "$out"')
    assert isinstance(built(), ctypes.CDLL)
    trace = planted(folder, tmp_path)
    given = {"file": next(folder.glob("query-*.so")), "folder": folder, "parent": tmp_path}[whose]
    os.chown(given, 12345, 12345)
    found = built()
    assert not trace.exists()
    if whose == "parent":  # the temporary folder lies in it too, so there is no private one
        assert "belongs to another user" in found
    else:
        assert isinstance(found, ctypes.CDLL)


def test_a_library_that_others_can_write_never_runs(folder, cc, library, tmp_path):
    log = cc(f'cp {library} "$out"')
    assert isinstance(built(), ctypes.CDLL)
    trace = planted(folder, tmp_path)
    next(folder.glob("query-*.so")).chmod(0o777)
    assert isinstance(built(), ctypes.CDLL)
    assert not trace.exists()
    assert calls(log) == 2


def test_an_open_folder_is_closed_or_left_alone(folder, cc, library, tmp_path):
    cc(f'cp {library} "$out"')
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert isinstance(built(), ctypes.CDLL)
    assert folder.stat().st_mode & 0o022 == 0  # it is this user's own
    tmp_path.chmod(0o777)
    reason = built()
    assert "can be written by other users" in reason
    tmp_path.chmod(0o1777)  # sticky, as /tmp is
    assert isinstance(built(), ctypes.CDLL)


@pytest.mark.parametrize("home", [None, "", "relative", "/dev/null", "/proc/no/such"])
@pytest.mark.parametrize("named", ["", "relative"])
def test_without_a_home_the_library_lies_among_the_temporary_files(
    folder, cc, library, tmp_path, monkeypatch, home, named
):
    log = cc(f'cp {library} "$out"')
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)

    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    if home == "":  # the root folder
        monkeypatch.setattr(os.path, "expanduser", lambda _: "/proc/no")
    for _ in range(2):
        assert isinstance(built(), ctypes.CDLL)
    assert calls(log) == 1
    (own,) = (tmp_path / "tmp").iterdir()
    assert own.name == f"spd-{os.geteuid()}"
    assert own.stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "relative").exists()


BROKEN = {
    "fails": ("echo 'query.c:1: error: no such thing' >&2; exit 1", "error: no such thing"),
    "fails mutely": ("exit 3", "exit status 3"),
    "is killed": ("kill -9 $$", "ended by signal 9"),
    "writes nothing": ("exit 0", "it wrote no library"),
    "writes a folder": ('mkdir "$out"', "it wrote no library"),
    "writes a link": ('ln -s /etc/passwd "$out"', "it wrote no library"),
    "writes text": ('echo hello > "$out"', "cannot be loaded"),
    "writes an empty file": (': > "$out"', "cannot be loaded"),
    "writes half a library": ('head -c 4096 LIBRARY > "$out"', "cannot be loaded"),
    "has no function": ('cp OTHER "$out"', "spd_query"),
    "is no program": ("", "xec format error"),
    "says much": ("yes error >&2 & sleep 0.05; kill $!; exit 1", "error"),
    "says bytes": (r"printf 'error \377\033[31m\0' >&2; exit 1", "error"),
    "has data of that name": ('cp DATA "$out"', "cannot be loaded"),
    "has a function that crashes": ('cp CRASHES "$out"', "ended by signal"),
    "writes a huge file": ('cp LIBRARY "$out"; truncate -s 65M "$out"', "larger than"),
    "leaves a process": ("sleep 60 & exit 1", "exit status 1"),
}

OTHERS = {
    "OTHER": "void other(void) {}",
    "DATA": "void *spd_query;",
    "CRASHES": "void spd_query(void) { __builtin_trap(); }",
}


def shared(path: Path, source: str) -> Path:
    """Compile a library."""
    path.with_suffix(".c").write_text(f"{source}\n")
    subprocess.run([*REAL, "-shared", "-fPIC", "-o", path, path.with_suffix(".c")], check=True)
    return path


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_compiler_gives_a_reason_that_is_remembered(
    folder, cc, library, tmp_path, monkeypatch, name
):
    script, expected = BROKEN[name]
    for word, source in OTHERS.items():
        if word in script:
            other = shared(tmp_path / f"{word}.so", source)
            script = script.replace(word, str(other))
    log = cc(script.replace("LIBRARY", str(library)))
    if name == "is no program":
        (tmp_path / "cc").write_bytes(b"\x7fELF no program")
    first, again = built(), built()
    assert first.startswith("the C compiler failed: ")
    assert expected in first
    assert again.startswith(first[:200])
    assert "not tried again for 1 h" in again
    assert all(line.isprintable() for line in (first, again))
    assert calls(log) == (0 if name == "is no program" else 1)
    # A later start, and a compiler that was mended, are tried.
    (failed,) = folder.glob("query-*.failed")
    long_ago = time.time() - 1.1 * cache.FAILED_FOR_S
    os.utime(failed, (long_ago, long_ago))
    assert built() == first
    cc(f'cp {library} "$out" # mended')
    assert isinstance(built(), ctypes.CDLL)


def test_a_compiler_that_hangs_is_ended_with_its_processes(folder, cc, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "SECONDS", 0.3)
    cc(f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    start = time.monotonic()
    assert built() == "the C compiler failed: it took more than 0.3 s"
    assert time.monotonic() - start < 30
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in _state(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "took more than" in built()


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize(
    "command", ['"cc', "cc 'x", "\\", "''", "/", "no-such", "./no-such", "\udcff"]
)
def test_a_command_that_names_no_compiler_is_a_reason(folder, monkeypatch, command):
    monkeypatch.setenv("CC", command)
    reason = built()
    assert reason.startswith("no C compiler (cc) was found: CC is ")
    assert reason.isprintable()


@pytest.mark.parametrize("flag", ["-E", "-fsyntax-only", "-no-such-flag", "-\udcff"])
def test_a_compiler_with_flags_that_make_no_library_is_a_reason(folder, monkeypatch, flag):
    monkeypatch.setenv("CC", f"{REAL[0]} {flag}")
    assert built().startswith("the C compiler failed: ")


@pytest.mark.parametrize("content", [b"", b"\xff\0\n" * 99, b"x" * 10**5, "folder", "fifo"])
def test_a_damaged_memory_of_a_failure_is_no_traceback(folder, cc, content):
    cc("exit 1")
    built()
    (failed,) = folder.glob("query-*.failed")
    failed.unlink()
    if content == "folder":
        failed.mkdir()
    elif content == "fifo":
        os.mkfifo(failed)
    else:
        failed.write_bytes(content)
    reason = built()
    assert isinstance(reason, str)
    assert reason.isprintable()
    assert len(reason) < 2000


def test_an_intact_library_without_the_function_is_a_reason(folder, cc, library, tmp_path):
    cc(f'cp {library} "$out"')
    built()
    (own,) = folder.glob("query-*.so")
    content = shared(tmp_path / "other.so", "void other(void) {}").read_bytes()
    other = cache._name(folder, own.name.split("-")[1], content)
    own.unlink()
    other.write_bytes(content)
    other.chmod(0o700)
    assert f"{other} is another library; delete it" in built()


def test_leftovers_of_killed_builds_go_after_a_while(folder, cc, library):
    cc(f'cp {library} "$out"')
    folder.mkdir(mode=0o700)
    for name, age_s in (("old", 1.1 * cache.FAILED_FOR_S), ("new", 1)):
        left = folder / f"{UNFINISHED}{name}"
        left.mkdir()
        (left / "query.so").write_text("half")
        os.utime(left, (time.time() - age_s,) * 2)
    assert isinstance(built(), ctypes.CDLL)
    assert [path.name for path in folder.glob(f"{UNFINISHED}*")] == [f"{UNFINISHED}new"]


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_no_folder_is_not_used(folder, monkeypatch, home):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", home)
    assert cache.cache_folder("key") == folder.parent / "tmp" / f"spd-{os.geteuid()}"


def test_a_home_that_can_only_be_read_is_used_where_it_holds_the_library(folder, monkeypatch):
    home = folder.parent / "home"
    own = home / ".cache" / "spd"
    own.mkdir(parents=True)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != own)  # root writes anywhere
    assert cache.cache_folder("key") == folder.parent / "tmp" / f"spd-{os.geteuid()}"
    path = cache._name(own, "key", b"library")
    path.write_bytes(b"library")
    path.chmod(0o700)
    assert cache.cache_folder("key") == own
    assert cache.cache_folder("another key") != own


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another group")
def test_a_folder_below_one_that_another_group_can_write_is_not_used(folder, monkeypatch):
    parent = folder.parent / "shared"
    parent.mkdir()
    parent.chmod(0o775)
    monkeypatch.setenv("XDG_CACHE_HOME", str(parent))
    assert cache.cache_folder("key") == parent / "spd"
    os.chown(parent, -1, 45678)
    assert cache.cache_folder("key") == folder.parent / "tmp" / f"spd-{os.geteuid()}"
    parent.chmod(0o755)
    assert cache.cache_folder("key") == parent / "spd"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_the_owner_of_the_file_system_is_not_the_owner_of_libraries(folder, monkeypatch):
    """In a container without root, other users' files seem to belong to the owner of /."""
    real_stat = os.stat
    root = os.stat_result((0o40755, 0, 0, 1, 65534, 65534, 0, 0, 0, 0))
    monkeypatch.setattr(os, "stat", lambda p, **k: root if p == "/" else real_stat(p, **k))
    folder.mkdir(mode=0o755)
    os.chown(folder, 65534, 65534)
    assert cache.cache_folder("key") != folder


def test_many_builds_at_once_leave_one_whole_library(folder, cc, library):
    cc(f'head -c 2000 {library} > "$out"; sleep 0.05; tail -c +2001 {library} >> "$out"')
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: kernel.__wrapped__(SHAPE), range(6)))
    assert all(isinstance(one, ctypes.CDLL) for one in found)
    (path,) = folder.iterdir()
    assert path.read_bytes() == library.read_bytes()


@pytest.mark.parametrize(
    "sides",
    [
        {"DIM": 4096, "HEADS": 256},
        {"DIM": 8192, "HEADS": 1, "WINDOW": 31},
        {"FFN": 10**9},
        {"HEAD_WIDTH": 10**9 // 16 * 16},
        {"WINDOW": 10**6 + 1},
    ],
    ids=str,
)
def test_a_shape_whose_buffers_would_break_the_stack_has_no_kernel(folder, sides):
    reason = kernel.__wrapped__(tuple((dict(SHAPE) | sides).items()))
    assert reason == "the model is too large for the compiled kernel"
    assert not folder.exists()


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv changes the user")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_without_a_name_gets_a_kernel(library, tmp_path):
    program = (
        "import ctypes; from spd.models.kernel.build import kernel; "
        f"found = kernel({SHAPE!r}); assert isinstance(found, (ctypes.CDLL, str)); print(found)"
    )
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    done = subprocess.run(
        ["setpriv", "--reuid=45678", "--regid=45678", "--clear-groups", sys.executable, "-c",
         program],
        env=variables | {"TMPDIR": str(tmp_path / "tmp")}, cwd="/", capture_output=True, text=True,
    )  # fmt: skip
    if "ModuleNotFoundError" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("another user cannot read this installation")
    assert done.returncode == 0, done.stderr
