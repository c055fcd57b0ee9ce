"""What a command can refuse at once: names, paths and places, before torch is loaded.

Loading torch and transformers takes seconds, and nobody should wait that long for a typing error.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from spd.checkpoints.folder import find_checkpoint
from spd.checkpoints.run_folder import check_free
from spd.data.source_name import SourceName
from spd.errors import CheckpointError, ConfigError
from spd.files import check_folder
from spd.peers.kinds import read_peer
from spd.recipes import Recipe, override, recipe


@dataclasses.dataclass(frozen=True, slots=True)
class Start:
    """What a new run is asked to be."""

    recipe: Recipe
    """With its overrides."""
    data: tuple[str, ...]
    """Training sources; all are there."""
    validation: tuple[str, ...]
    """Validation sources, likewise; may be empty."""
    folder: Path
    """Where the run goes."""


def check_sources(sources: Sequence[str]) -> None:
    """Refuse sources whose path is not there or whose options are not known; opens none.

    Raises:
        DataError: on the first of them.
    """
    for source in sources:
        SourceName.parse(source).check_exists()


def find_own(source: str, done: str) -> Path:
    """The checkpoint that is meant, if it is an SPD.

    Args:
        source: a checkpoint, a run, a hub id or `shipped`.
        done: what cannot be done to another network, such as `packed`.

    Raises:
        CheckpointError: if there is none, or it is another network's.
    """
    folder = find_checkpoint(source)
    if read_peer(folder) is not None:
        raise CheckpointError(f"{source} is not an SPD; only those can be {done}")
    return folder


def check_new(folder: Path) -> None:
    """Refuse a folder to be made that is there, or cannot be.

    Raises:
        CheckpointError: if it is there.
        DataError: if it cannot be written.
    """
    if folder.exists():
        raise CheckpointError(f"{folder} exists already; remove it or choose another -o")
    check_folder(folder)


def check_start(
    recipe_name: str,
    data: Sequence[str],
    validation: Sequence[str],
    out: Path | None,
    overrides: Sequence[str],
    *,
    plan: bool = False,
) -> Start:
    """Refuse a run that cannot start, as far as that shows without opening its data.

    Args:
        recipe_name: a recipe's name or file.
        data: training sources.
        validation: validation sources.
        out: folder of the run; None: `runs/` and the recipe's name.
        overrides: of the recipe, `section.key=value`.
        plan: nothing will be written, so the folder may be any.

    Raises:
        ConfigError: on an unknown recipe or key, or a wrong value; without training data.
        DataError: if a source is not there, or the folder cannot be written.
        TrainingError: if the folder holds anything.
    """
    chosen = override(recipe(recipe_name), overrides)
    if not data:
        raise ConfigError("no training data; name folders with --data (spd data rooms makes some)")
    check_sources([*data, *validation])
    folder = out or Path("runs") / chosen.name
    # Of several processes one may have begun to write; it looks again, holding the folder.
    if not plan and "RANK" not in os.environ:
        check_free(folder)
        check_folder(folder)
    return Start(chosen, tuple(data), tuple(validation), folder)
