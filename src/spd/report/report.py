"""Which page is made of which folders, and where it is written."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from spd.errors import DataError, InputError
from spd.files import check_writable, write_text
from spd.report.evaluations import evaluation_page, is_evaluation
from spd.report.experiment import experiment_page, is_experiment
from spd.report.parts import Page
from spd.report.render import render

Progress = Callable[[int, int], None]
"""Called with how many images were read, and of how many."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """A kind of folder that there is a page of."""

    name: str
    """In words, for errors."""
    recognise: Callable[[Path], bool]
    """Whether a folder bears its marks."""
    page: Callable[[Sequence[Path], Progress | None], Page]
    """The page about one such folder or several."""


KINDS: tuple[Kind, ...] = (
    Kind("evaluation (spd evaluate writes one)", is_evaluation, evaluation_page),
    Kind("experiment (spd experiment writes one)", is_experiment, experiment_page),
)
"""All there are; the first that recognises a folder makes its page."""


def write_report(
    folders: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page about a folder of results, or about several side by side.

    Args:
        folders: at least one; several must be of one kind.
        out: the HTML file; None: `report.html` in the folder, or of several in the current one.
        progress: see :data:`Progress`.

    Returns:
        The file.

    Raises:
        InputError: if no folder is named, or one twice.
        DataError: if a folder is of no kind that is known, is incomplete or damaged, several do
            not compare, or the file cannot be written.
    """
    paths = [Path(folder) for folder in folders]
    if not paths:
        raise InputError(
            "no folder to report on; name at least one that spd evaluate or spd experiment wrote to"
        )
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("a folder is named twice; name each once")
    target = Path(out) if out is not None else _beside(paths)
    kinds = [_kind_of(path) for path in paths]
    other = next((n for n, kind in enumerate(kinds) if kind is not kinds[0]), None)
    if other is not None:
        raise DataError(
            f"{paths[other]} is an {kinds[other].name}, {paths[0]} an {kinds[0].name}; they do "
            "not compare"
        )
    check_writable(target, ".html")
    write_text(target, render(kinds[0].page(paths, progress)))
    return target


def _beside(paths: Sequence[Path]) -> Path:
    return paths[0] / "report.html" if len(paths) == 1 else Path("report.html")


def _kind_of(path: Path) -> Kind:
    if not path.is_dir():
        raise DataError(
            f"no folder {path}; expected one that spd evaluate or spd experiment wrote results to"
        )
    for kind in KINDS:
        if kind.recognise(path):
            return kind
    known = ", ".join(kind.name for kind in KINDS)
    raise DataError(f"{path} is no folder of results; there are pages of: {known}")
