"""What `spd report` does."""

from collections.abc import Sequence
from pathlib import Path


def report_folders(folders: Sequence[Path], out: Path | None) -> None:
    """Write the page and say where it is."""
    from rich.console import Console
    from rich.progress import Progress

    from spd.report.report import write_report

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("reading predictions", total=None)
        page = write_report(
            folders, out, lambda done, total: bar.update(task, completed=done, total=total)
        )
    size = page.stat().st_size / 1e6
    print(f"the report is {page} ({size:.1f} MB, one file); open it in any browser")
