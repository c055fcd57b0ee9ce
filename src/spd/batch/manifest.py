"""`batch.json`: what a folder of parts answers, so that it is gone on with only as it was begun."""

import json
from pathlib import Path
from typing import Any

from spd._version import __version__
from spd.batch.asking import Computation
from spd.checkpoints.folder import WEIGHTS, find_checkpoint
from spd.errors import BatchError
from spd.files import UNFINISHED, write_text
from spd.predictors.loading import find_export, runtime_of
from spd.runtimes.folder import ExportFolder, file_sha256

BATCH = "batch.json"
LOCK = "lock"
SCHEMA = 1
"""Of the parts' columns and of this file; another is refused."""

_TOLD = {
    "model_sha256": "the model's weights",
    "input_sha256": "the input",
    "columns": "the input's columns",
    "schema": "the schema of parts",
}


def manifest(
    computed: Computation,
    *,
    input_sha256: str,
    rows: int,
    photos: int,
    parts: int,
    photos_per_part: int,
    columns: dict[str, str],
    maps: str | None,
) -> dict[str, Any]:
    """What is written beside the parts, and must be the same to go on.

    How many processes and threads compute, and with which engine, is left out: they change no
    more than the last bits.
    """
    runtime = runtime_of(computed.model, computed.runtime)
    return {
        "schema": SCHEMA,
        "model": computed.model or "shipped",
        "model_sha256": model_sha256(computed),
        "runtime": runtime,
        "precision": computed.precision or "float32",
        "device": computed.device,
        "input_sha256": input_sha256,
        "rows": rows,
        "photos": photos,
        "photos_per_part": photos_per_part,
        "parts": parts,
        "maps": maps,
        "columns": columns,
    }


def model_sha256(computed: Computation) -> str:
    """The digest of the weights, or of an export's graphs."""
    if runtime_of(computed.model, computed.runtime) != "torch":
        return ExportFolder.read(find_export(computed.model)).sha256()
    return file_sha256(find_checkpoint(computed.model) / WEIGHTS)


def check_own(folder: Path) -> None:
    """Refuse a folder that holds something and was not begun as a batch.

    Raises:
        BatchError: if it does.
    """
    if (folder / BATCH).exists() or not folder.exists():
        return
    if not folder.is_dir() or any(map(_is_foreign, folder.iterdir())):
        raise BatchError(f"{folder} exists and is not empty; choose another --out")


def begin_or_go_on(folder: Path, wanted: dict[str, Any]) -> bool:
    """Write the manifest, or check that the one which is there says the same.

    Returns:
        Whether the batch was begun before.

    Raises:
        BatchError: if the folder is something else, or was begun with other options or input.
    """
    path = folder / BATCH
    check_own(folder)
    if not path.exists():
        write_text(path, json.dumps({**wanted, "spd": __version__}, indent=1) + "\n")
        return False
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        changed = [key for key in wanted if found.get(key) != wanted[key]]
    except (OSError, ValueError, AttributeError):
        raise BatchError(f"{path} is damaged; remove {folder} and begin again") from None
    if changed:
        raise BatchError(
            f"{folder} was begun otherwise: {_difference(found, wanted, changed)}; go on as it was "
            "begun, or choose another --out"
        )
    return True


def _is_foreign(path: Path) -> bool:
    """Whether this is anything but what a batch leaves that was killed before it was one."""
    return path.name != LOCK and not path.name.startswith(UNFINISHED)


def _difference(found: dict[str, Any], wanted: dict[str, Any], changed: list[str]) -> str:
    """The first difference that means something to a reader; digests mean the least."""
    plain = [key for key in changed if key not in _TOLD and key not in ("rows", "photos", "parts")]
    if plain:
        return f"{plain[0]} was {found.get(plain[0])}, is {wanted[plain[0]]}"
    told = [key for key in _TOLD if key in changed]
    return f"{_TOLD[told[0]]} changed" if told else f"{changed[0]} changed"
