"""Write the HTML page about one evaluation, or about several side by side."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from spd.errors import DataError, InputError
from spd.files import check_writable, write_text
from spd.report.evaluations import evaluation_page, is_evaluation
from spd.report.render import render

Progress = Callable[[int, int], None]
"""Called with the number of images read and their total."""


def write_report(
    folders: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page about an evaluation, or about several of the same data side by side.

    Args:
        folders: folders that `spd evaluate` wrote; at least one.
        out: the HTML file; None: `report.html` in the folder, or of several in the current one.
        progress: see :data:`Progress`.

    Returns:
        The file.

    Raises:
        InputError: if no folder is named, or one twice.
        DataError: if a folder holds no evaluation, is incomplete or damaged, several do not
            compare, or the file cannot be written.
    """
    paths = [Path(folder) for folder in folders]
    if not paths:
        raise InputError("no folder to report on; name at least one that spd evaluate wrote")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("a folder is named twice; name each once")
    for path in paths:
        if not path.is_dir():
            raise DataError(f"no folder {path}; name one that spd evaluate wrote")
        if not is_evaluation(path):
            raise DataError(f"{path} holds no evaluation; name a folder that spd evaluate wrote")
    target = Path(out) if out is not None else _default_target(paths)
    check_writable(target, ".html")
    write_text(target, render(evaluation_page(paths, progress)))
    return target


def _default_target(paths: Sequence[Path]) -> Path:
    return paths[0] / "report.html" if len(paths) == 1 else Path("report.html")
