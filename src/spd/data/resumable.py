"""Output folders of commands that resume: a settings file keeps other settings out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spd.errors import DataError, shortened
from spd.files import read_json, write_text


def claim_folder(
    path: Path, settings: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> None:
    """Write the settings file `path` into a new folder, or compare it with an existing one.

    The settings are JSON data; `defaults` are those that files of earlier versions lack.

    Raises:
        DataError: if the folder holds anything else, or was written with other settings.
    """
    folder = path.parent
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} is not an empty folder; choose a different one")
        write_text(path, json.dumps(settings, indent=1) + "\n")
        return
    try:
        found = dict(defaults or {}) | read_json(path)
    except (OSError, ValueError, TypeError):
        found = {}
    for key, wanted in settings.items():
        if found.get(key) != wanted:
            given = shortened(repr(found.get(key)))
            raise DataError(
                f"{folder} was written with {key} {given}, but this command uses "
                f"{wanted!r}; choose a different folder"
            )
