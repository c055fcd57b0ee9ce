"""What `spd batch` does: checks, a bar with the time left, and a summary at the end."""

import contextlib
import sys
from collections.abc import Iterator

from spd.batch.inputs import Asked
from spd.batch.run import BatchSettings, Show, Summary, run_batch
from spd.cli.query import Computed
from spd.predictors.loading import runtime_of

_SHOWN_ERRORS = 5


def batch_photos(asked: Asked, settings: BatchSettings, *, fail_on_error: bool) -> int:
    """Answer the rows; returns the exit code: 1 if all rows failed, or any where that is asked."""
    settings.check()
    computed = settings.computed
    Computed(
        model=computed.model,
        device=computed.device,
        runtime=computed.runtime,
        precision=computed.precision,
    ).check()
    on_torch = runtime_of(computed.model, computed.runtime) == "torch"
    if computed.device is not None and on_torch and settings.engine == "local":
        from spd.cli.devices import choose_device

        choose_device(computed.device)
    try:
        with _bar() as show:
            summary = run_batch(asked, settings, show)
    except KeyboardInterrupt:
        print(f"what is done is in {settings.out}; the same command goes on", file=sys.stderr)
        raise
    for note in summary.notes:
        print(f"warning: {note}", file=sys.stderr)
    print(describe(summary))
    return int(summary.failed == summary.rows or (fail_on_error and summary.failed > 0))


def describe(summary: Summary) -> str:
    """The summary for people."""
    lines = [
        f"{summary.rows} rows of {summary.photos} photos are in {summary.parts} parts in "
        f"{summary.out}"
    ]
    if summary.rows_before == summary.rows:
        lines.append("nothing was left to do")
    elif summary.rows_before:
        lines.append(f"{summary.rows_before} of them were there from an earlier run")
    now = summary.rows - summary.rows_before
    if now:
        lines.append(f"{now} rows in {summary.seconds:.1f} s")
    if summary.failed:
        lines.append(f"{summary.failed} rows have an error:")
        shown = list(summary.errors.items())[:_SHOWN_ERRORS]
        lines += [f"  {count} x {error}" for error, count in shown]
        if len(summary.errors) > len(shown):
            lines.append(f"  and {len(summary.errors) - len(shown)} other errors (column error)")
    return "\n".join(lines)


@contextlib.contextmanager
def _bar() -> Iterator[Show]:
    """A bar on stderr with rows, errors and the time left; yields what moves it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("rows"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} errors"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("batch", total=None, failed=0)

        def show(done: int, rows: int, failed: int) -> None:
            bar.update(task, completed=done, total=rows, failed=failed)

        yield show
