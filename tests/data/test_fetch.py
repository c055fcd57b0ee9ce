"""`spd data fetch` with a hub that is not there, and `spd data extract` on archives that are."""

import io
import tarfile
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub.hf_api import RepoFile, RepoFolder

from spd.cli import run
from spd.data import fetch
from spd.data.fetch import HubClient, RemoteFile, extract, fetch_nyu
from spd.errors import DataError

FILES = [
    RemoteFile("data/val-000000.tar", 30),
    RemoteFile("data/train-000001.tar", 20),
    RemoteFile("data/train-000000.tar", 10),
    RemoteFile("data/README.md", 5),
]


class FakeHub:
    """Serves files of the sizes it lists, or breaks off at one."""

    def __init__(self, break_at: str | None = None, short: bool = False) -> None:
        self.break_at, self.short = break_at, short
        self.served: list[str] = []

    def files(self) -> list[RemoteFile]:
        return FILES

    def download(self, path: str, folder: Path) -> None:
        if path == self.break_at:
            raise DataError("connection lost")
        self.served.append(path)
        size = next(file.size for file in FILES if file.path == path)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes(size - self.short))


def test_archives_of_the_split_are_fetched_in_order_after_the_announcement(tmp_path):
    told: list[str] = []
    hub = FakeHub()
    got = fetch_nyu(tmp_path / "nyu", "train", client=hub, tell=told.append)
    assert hub.served == ["data/train-000000.tar", "data/train-000001.tar"]
    assert got == [tmp_path / "nyu" / path for path in hub.served]
    assert "research" in told[0]
    assert "in 2 archives" in told[1]
    assert "run the same command again" in told[1]
    assert told[2].startswith("archive 1 of 2: data/train-000000.tar")
    assert "README" not in " ".join(told)


def test_after_an_interruption_only_the_rest_is_fetched(tmp_path):
    with pytest.raises(DataError, match="connection lost"):
        fetch_nyu(tmp_path, client=FakeHub(break_at="data/val-000000.tar"), tell=lambda text: None)
    hub = FakeHub()
    fetch_nyu(tmp_path, client=hub, tell=lambda text: None)
    assert hub.served == ["data/val-000000.tar"]
    hub = FakeHub()
    assert len(fetch_nyu(tmp_path, client=hub, tell=lambda text: None)) == 3
    assert hub.served == []


def test_a_disk_that_is_too_small_is_refused_before_anything_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: SimpleNamespace(free=1.5e9))
    hub = FakeHub()
    with pytest.raises(DataError, match=r"has 1\.5 GB free, but the download needs 2\.0 GB"):
        fetch_nyu(tmp_path / "new" / "nyu", "val", client=hub, tell=lambda text: None)
    assert hub.served == []


def test_a_file_of_the_user_is_not_replaced_by_a_download(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "val-000000.tar").write_bytes(b"mine")
    hub = FakeHub()
    with pytest.raises(DataError, match=r"val-000000\.tar differs in size .*; delete it"):
        fetch_nyu(tmp_path, client=hub, tell=lambda text: None)
    assert hub.served == []
    assert (tmp_path / "data" / "val-000000.tar").read_bytes() == b"mine"


def test_a_file_of_another_size_than_listed_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"val-000000\.tar differs in size from the file on the hub"
    ):
        fetch_nyu(tmp_path, "val", client=FakeHub(short=True), tell=lambda text: None)


def test_a_repository_without_archives_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(FakeHub, "files", lambda self: FILES[3:])
    with pytest.raises(DataError, match=r"no longer has an archive of split 'val'"):
        fetch_nyu(tmp_path, "val", client=FakeHub(), tell=lambda text: None)


def test_the_hubs_client_lists_files_and_fetches_them_into_the_folder(tmp_path, monkeypatch):
    tree = [
        RepoFolder(path="data", oid="0"),
        RepoFile(path="data/val-000000.tar", size=30, oid="1"),
    ]
    asked = []

    def list_repo_tree(self, repo_id, path_in_repo, *, recursive, repo_type):
        asked.append((repo_id, path_in_repo, recursive, repo_type))
        return iter(tree)

    def download(repo_id, filename, *, repo_type, local_dir):
        asked.append((repo_id, filename, repo_type, local_dir))

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", list_repo_tree)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert HubClient().files() == [RemoteFile("data/val-000000.tar", 30)]
    HubClient().download("data/val-000000.tar", tmp_path)
    assert asked == [
        ("sayakpaul/nyu_depth_v2", "data", True, "dataset"),
        ("sayakpaul/nyu_depth_v2", "data/val-000000.tar", "dataset", tmp_path),
    ]


def test_connection_errors_are_one_line_and_bugs_are_not_hidden(monkeypatch):
    class NoConnectionError(Exception):
        __module__ = "httpx._exceptions"

    errors = iter([OSError("502 Bad Gateway\nfor url"), NoConnectionError("no route"), KeyError(3)])

    def failing(self, *args, **settings):
        raise next(errors)

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", failing)
    with pytest.raises(DataError, match=r"\(502 Bad Gateway\); run the same command again"):
        HubClient().files()
    with pytest.raises(DataError, match=r"\(no route\); run the same command again"):
        HubClient().files()
    with pytest.raises(KeyError):
        HubClient().files()


def write_tar(path: Path, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return path


def test_archives_are_unpacked_where_the_reader_of_frames_looks(tmp_path):
    train = write_tar(tmp_path / "train-000000.tar", {"./attic/00001.h5": b"abc"})
    val = write_tar(tmp_path / "val-000000.tar", {"val/official/00001.h5": b"defg"})
    other = write_tar(tmp_path / "mine.tar", {"x/y.bin": b"z"})
    seen = []
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    assert extract([train, val, other], tmp_path / "out", progress=progress) == 3
    files = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert files == {
        "train/attic/00001.h5": b"abc",
        "val/official/00001.h5": b"defg",
        "x/y.bin": b"z",
    }
    total = sum(path.stat().st_size for path in (train, val, other))
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_unpacking_resumes(tmp_path):
    archive = write_tar(tmp_path / "a.tar", {"1": b"one", "2": b"two", "3": b"three"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1").write_bytes(b"one")
    (tmp_path / "out" / "3").write_bytes(b"thr")  # left over from an interruption
    assert extract([archive], tmp_path / "out") == 2
    assert (tmp_path / "out" / "3").read_bytes() == b"three"
    assert extract([archive], tmp_path / "out") == 0


def test_unpacking_never_replaces_a_file_of_the_user(tmp_path):
    archive = write_tar(tmp_path / "a.tar", {"notes.txt": b"theirs", "a.tar": b"not the archive"})
    before = archive.read_bytes()
    (tmp_path / "notes.txt").write_bytes(b"mine, and longer")
    with pytest.raises(
        DataError, match=r"notes\.txt already exists and is not the file in .*a\.tar"
    ):
        extract([archive], tmp_path)
    (tmp_path / "notes.txt").unlink()
    with pytest.raises(DataError, match=r"a\.tar already exists and is not the file"):
        extract([archive], tmp_path)
    assert archive.read_bytes() == before
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "notes.txt").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"notes\.txt already exists"):
        extract([archive], tmp_path)


def test_a_newer_version_further_on_in_an_archive_replaces_the_older(tmp_path):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as opened:
        for content in (b"old", b"newer"):
            member = tarfile.TarInfo("1")
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    assert extract([archive], tmp_path / "out") == 1
    assert (tmp_path / "out" / "1").read_bytes() == b"newer"


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("name", "member", "pattern"),
    [
        ("../out.txt", None, r"\.\./out\.txt points outside the output folder"),
        ("a/../../out.txt", None, "points outside the output folder"),
        ("/out.txt", None, r"/out\.txt points outside the output folder"),
        ("C:\\out.txt", None, "points outside the output folder"),
        ("ok", link("soft", tarfile.SYMTYPE), "soft is a link"),
        ("ok", link("hard", tarfile.LNKTYPE), "hard is a link"),
        ("ok", link("pipe", tarfile.FIFOTYPE), "pipe is a link or a device"),
    ],
)
def test_unsafe_members_are_refused_and_nothing_leaves_the_folder(tmp_path, name, member, pattern):
    more = [] if member is None else [member]
    archive = write_tar(tmp_path / "in" / "bad.tar", {name: b"x"}, *more)
    with pytest.raises(DataError, match=pattern):
        extract([archive], tmp_path / "in" / "out")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {"bad.tar", "ok"}


@pytest.mark.parametrize("keep", [600, 1024 + 512 + 100, 1024 + 1024, 2 * 1024 + 512, 3 * 1024])
def test_a_truncated_archive_is_named_wherever_it_was_cut(tmp_path, keep):
    # Each member is a header of 512 bytes and 512 bytes of content; the end is two empty blocks.
    archive = write_tar(tmp_path / "cut.tar", {f"f{n}": bytes([n + 1]) * 512 for n in range(3)})
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"cut\.tar is damaged or truncated at .*download it again"):
        extract([archive], tmp_path / "out")
    whole = [path for path in (tmp_path / "out").glob("*") if path.is_file()]
    assert all(path.stat().st_size == 512 for path in whole)


def test_an_archive_that_is_zeros_from_some_point_on_is_truncated(tmp_path):
    archive = write_tar(tmp_path / "cut.tar", {f"f{n}": bytes([n + 1]) * 512 for n in range(3)})
    archive.write_bytes(archive.read_bytes()[:1024] + bytes(100_000))
    with pytest.raises(DataError, match="truncated at f0"):
        extract([archive], tmp_path / "out")


def test_a_missing_or_invalid_archive_is_named(tmp_path):
    (tmp_path / "text.tar").write_text("no archive at all " * 100)
    with pytest.raises(DataError, match=r"text\.tar is damaged"):
        extract([tmp_path / "text.tar"], tmp_path / "out")
    (tmp_path / "empty.tar").touch()
    with pytest.raises(DataError, match=r"empty\.tar is damaged"):
        extract([tmp_path / "empty.tar"], tmp_path / "out")
    with pytest.raises(DataError, match=r"archive .* does not exist"):
        extract([tmp_path / "none.tar"], tmp_path / "out")


def test_the_commands_report_the_result(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "HubClient", FakeHub)
    assert run(["data", "fetch", "nyu", str(tmp_path / "nyu"), "--split", "val"]) == 0
    assert f"1 archives are in {tmp_path / 'nyu' / 'data'}" in capsys.readouterr().out
    a = write_tar(tmp_path / "a.tar", {"1": b"one"})
    b = write_tar(tmp_path / "b.tar", {"2": b"two"})
    assert run(["data", "extract", str(a), str(b), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.strip() == f"unpacked 2 files into {tmp_path / 'out'}"
    assert run(["data", "fetch", "kitti", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
