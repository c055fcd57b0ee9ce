"""The progress bar of long work."""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Update(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        """Show how much is done; the note stands at the end of the line."""


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Update]:
    """A progress bar with the time left on stderr, if that is a terminal; yields its update."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[note]}"))
    hidden = not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task(title, total=None, note="")

        def update(done: int, total: int | None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield update
