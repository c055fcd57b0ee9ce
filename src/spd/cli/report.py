"""`spd report`: one HTML page about evaluations."""

from pathlib import Path
from typing import Annotated

import typer

from spd.cli.guard import Writes
from spd.cli.options import Overwrite


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Output folders of spd evaluate; several are compared on one page."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="HTML file to write; default: report.html in the evaluation's folder.",
        ),
        Writes(),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write an HTML report on one evaluation, or compare several on the same data.

    Example: `spd report out/evaluation -o report.html`
    """
    from spd.files import refuse_existing
    from spd.report.write import default_page, write_report
    from spd.terminal import progress_bar

    page = out or default_page(folders)
    if out is None and not overwrite:
        refuse_existing(page)
    with progress_bar("reading predictions") as progress:
        write_report(folders, page, progress)
    size = page.stat().st_size / 1e6
    print(f"wrote the report to {page} ({size:.1f} MB, one file); open it in any browser")
