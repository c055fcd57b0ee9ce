"""What `spd report` does."""

from collections.abc import Sequence
from pathlib import Path


def report_folders(folders: Sequence[Path], out: Path | None) -> None:
    """Write the page and say where it is."""
    from spd.report.report import write_report
    from spd.terminal import progress_bar

    with progress_bar("reading predictions") as progress:
        page = write_report(folders, out, progress)
    size = page.stat().st_size / 1e6
    print(f"the report is {page} ({size:.1f} MB, one file); open it in any browser")
