"""`batch.json`: model and options of a batch; a run resumes only with the same ones."""

import json
from pathlib import Path
from typing import Any, get_args

from spd._version import __version__
from spd.batch.grouping import BatchPlan
from spd.batch.part_files import TableForm
from spd.errors import BatchError, shortened
from spd.files import is_taken, read_json, write_text
from spd.pixels import MAX_INPUT_PIXELS
from spd.predictors.model_options import ModelLocation

BATCH = "batch.json"
SCHEMA = 2
"""Version of the parts' columns and of this file; a batch of another version is refused."""

_COUNTS = ("rows", "photos", "parts")  # these grow with the input
_DESCRIPTIONS = {
    "model_sha256": "the model's weights",
    "points_sha256": "the points",
    "columns": "the input's columns",
    "schema": "the schema of the output parts",
}


def manifest(
    location: ModelLocation,
    plan: BatchPlan,
    *,
    points_sha256: str,
    photos_per_part: int,
    columns: dict[str, str],
    maps: str | None,
    form: TableForm,
) -> dict[str, Any]:
    """The manifest of a batch; a run that resumes it must have the same.

    It leaves out the engine and the numbers of processes and threads, which change only the last
    bits of the answers.
    """
    model = location.options
    input_pixels = model.limits.max_input_pixels
    return {
        "schema": SCHEMA,
        "model": model.name,
        "model_sha256": location.sha256(),
        "runtime": location.runtime,
        "precision": model.precision or "float32",
        "device": None if model.device is None else str(model.device),
        "points_sha256": points_sha256,
        "rows": len(plan.order),
        "photos": plan.photos,
        "photos_per_part": photos_per_part,
        "parts": plan.parts,
        "max_input_pixels": None if input_pixels == MAX_INPUT_PIXELS else input_pixels,
        "maps": maps,
        "format": form,
        "columns": columns,
    }


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest in a folder; None without a batch.

    Raises:
        BatchError: if the folder holds other files, or the manifest is damaged.
    """
    path = folder / BATCH
    if not path.exists():
        if is_taken(folder):
            raise BatchError(f"{folder} exists and is not empty; choose a different --out")
        return None
    try:  # a batch of a version that wrote Parquet only names no format
        found = {"format": "parquet", **read_json(path)}
    except (OSError, ValueError, TypeError):
        found = {}
    if found.get("format") not in get_args(TableForm):
        raise BatchError(f"{path} is damaged; delete {folder} and start again")
    return found


def check_settings(folder: Path, wanted: dict[str, Any]) -> None:
    """Check that a batch in the folder has the same settings; its photos may be different.

    Raises:
        BatchError: if the folder holds other files, or a batch with other settings.
    """
    found = read_manifest(folder)
    if found is None:
        return
    changed = [key for key in wanted if key not in _COUNTS and found.get(key) != wanted[key]]
    if changed:
        raise BatchError(
            f"{folder} contains a batch with different settings: "
            f"{_difference(found, wanted, changed)}; run it with the same "
            "settings, or choose a different --out"
        )


def write_manifest(folder: Path, wanted: dict[str, Any]) -> None:
    """Write the manifest."""
    write_text(folder / BATCH, json.dumps({**wanted, "spd": __version__}, indent=1) + "\n")


def _difference(found: dict[str, Any], wanted: dict[str, Any], changed: list[str]) -> str:
    """The first difference, of an option rather than of a digest."""
    plain = [key for key in changed if key not in _DESCRIPTIONS]
    if plain:
        before, now = (shortened(str(one.get(plain[0]))) for one in (found, wanted))
        return f"{plain[0]} was {before} and is now {now}"
    digests = [key for key in _DESCRIPTIONS if key in changed]
    return f"{_DESCRIPTIONS[digests[0]]} changed"
