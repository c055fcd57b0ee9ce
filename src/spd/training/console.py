"""What a run shows while it goes, and how it is asked to stop."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def progress(done: int, steps: int, *, shown: bool = True) -> Iterator[Any]:
    """A bar with loss, learning rates and time left; yields a function to move it."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  lr {task.fields[rates]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not shown) as bar:
        task = bar.add_task("train", total=steps, completed=done, loss=float("nan"), rates="")

        def show(step: int, loss: float, rates: list[float]) -> None:
            text = " / ".join(f"{rate:.1e}" for rate in rates)
            bar.update(task, completed=step, loss=loss, rates=text)

        yield show


@contextlib.contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Set when SIGINT or SIGTERM comes; a second one ends the program as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return
    previous = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: FrameType | None) -> None:
        stop.set()
        print("stopping after this step; once more to stop at once", file=sys.stderr, flush=True)
        signal.signal(number, previous[signal.Signals(number)])

    for number in previous:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
