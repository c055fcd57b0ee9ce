"""`spd report`: one HTML page about evaluations."""

from pathlib import Path
from typing import Annotated

import typer


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
    ] = None,
) -> None:
    """Write an HTML report on one evaluation, or compare several on the same data.

    Example: `spd report out/evaluation -o report.html`
    """
    from spd.report.write import write_report
    from spd.terminal import progress_bar

    with progress_bar("reading predictions") as progress:
        page = write_report(folders, out, progress)
    size = page.stat().st_size / 1e6
    print(f"wrote the report to {page} ({size:.1f} MB, one file); open it in any browser")
