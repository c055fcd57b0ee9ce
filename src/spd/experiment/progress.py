"""How far a stage is: a bar on a terminal, one line elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Told = Callable[[int, int], None]
"""Told how many are done, of how many."""


def untold(done: int, total: int) -> None:
    """Nobody is told."""


@contextlib.contextmanager
def stage(title: str, *, ticking: bool = True) -> Iterator[Told]:
    """A bar with the time left on stderr; into a file, the title when the stage begins.

    Args:
        title: what is done.
        ticking: draw ten times a second from a thread; else only when told, as while measuring.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        print(title, file=sys.stderr, flush=True)
        yield untold
        return
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, auto_refresh=ticking) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, refresh=not ticking)
