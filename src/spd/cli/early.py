"""Checks of names, paths and folders before torch is loaded, which takes seconds."""

from collections.abc import Sequence
from pathlib import Path

from spd.checkpoints.folder import find_checkpoint
from spd.data.source_name import SourceName
from spd.errors import CheckpointError
from spd.files import check_folder
from spd.peers.kinds import read_peer


def check_sources(sources: Sequence[str]) -> None:
    """Refuse sources with a missing path or an unknown option; no source is opened.

    Raises:
        DataError: for the first of them.
    """
    for source in sources:
        SourceName.parse(source).check_exists()


def find_own(source: str, done: str) -> Path:
    """Checkpoint folder of an SPD.

    Args:
        source: a checkpoint, a run, a hub id or `shipped`.
        done: what only an SPD can be, for the error: `packed`, `exported`.

    Raises:
        CheckpointError: if the checkpoint is missing, or belongs to a different network.
    """
    folder = find_checkpoint(source)
    if read_peer(folder) is not None:
        raise CheckpointError(
            f"{source} is not an SPD model; only an SPD model can be {done}; use it as it is "
            f"(--model {source})"
        )
    return folder


def check_new(folder: Path) -> None:
    """Refuse an output folder that exists or cannot be written.

    Raises:
        CheckpointError: if it exists.
        DataError: if it cannot be written.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} already exists; remove it or choose a different -o")
    check_folder(folder)
