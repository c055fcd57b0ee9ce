"""What stands in for the Hugging Face hub and its client."""

import shutil
from pathlib import Path

import pytest


class FakeHub:
    """Keeps what is uploaded as the client's cache does: blobs, and a snapshot of links to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple] = []

    def __call__(self, token):
        assert token is True  # a token that is missing is said at once
        return self

    def create_repo(self, repo_id, *, private, exist_ok):
        self.asked.append((repo_id, private, exist_ok))
        url = f"https://hub.example/{repo_id}"
        return type("Url", (str,), {"repo_id": repo_id})(url)

    def upload_folder(self, *, repo_id, folder_path):
        snapshot = self.snapshot(repo_id)
        snapshot.mkdir(parents=True)
        blobs = snapshot.parents[1] / "blobs"
        blobs.mkdir()
        for number, file in enumerate(sorted(Path(folder_path).iterdir())):
            shutil.copy(file, blobs / str(number))
            (snapshot / file.name).symlink_to(f"../../blobs/{number}")

    def snapshot(self, repo_id: str) -> Path:
        return self.folder / f"models--{repo_id.replace('/', '--')}" / "snapshots" / "0123abcd"

    def snapshot_download(self, repo_id, allow_patterns):
        return str(self.snapshot(repo_id))


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeHub:
    """Let the client be this, until the test ends."""
    fake = FakeHub(folder)
    monkeypatch.setattr("huggingface_hub.HfApi", fake)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fake.snapshot_download)
    return fake
