"""Write the HTML page about one evaluation, or about several side by side."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from spd.errors import DataError, InputError, SPDError, reason_of
from spd.files import check_writable, write_text
from spd.report.evaluation_page import evaluation_page

PAGE = "report.html"


def write_report(
    folders: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the page about an evaluation, or about several of the same data side by side.

    Args:
        folders: at least one folder that `spd evaluate` wrote.
        out: the HTML file; None: `report.html` in the folder, or for several in the current one.
        progress: called with the number of images read and their total.

    Returns:
        The file.

    Raises:
        InputError: if no folder is named, or one twice.
        DataError: if a folder has no evaluation, or an incomplete or damaged one, several are not
            comparable, or the file cannot be written.
    """
    paths = [Path(folder) for folder in folders]
    if not paths:
        raise InputError("no folder to report on; pass at least one that spd evaluate wrote")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("the same folder was passed twice; pass each folder once")
    for path in paths:
        if not path.is_dir():
            raise DataError(f"folder {path} does not exist; pass one that spd evaluate wrote")
        if not (path / "settings.json").is_file():
            raise DataError(f"{path} contains no evaluation; pass a folder that spd evaluate wrote")
    target = Path(out) if out is not None else default_page(paths)
    check_writable(target, ".html")
    try:
        page = evaluation_page(paths, progress)
    except (SPDError, MemoryError, OSError):
        raise
    except Exception as error:  # a stored number is missing, or something else is at its place
        named = ", ".join(f"{path}" for path in paths)
        raise DataError(
            f"the evaluation in {named} is damaged ({type(error).__name__}: {reason_of(error)}); "
            f"run spd score {named}"
        ) from error
    write_text(target, page)
    return target


def default_page(folders: Sequence[Path]) -> Path:
    """`report.html` in the folder, or for several in the current one."""
    return folders[0] / PAGE if len(folders) == 1 else Path(PAGE)
