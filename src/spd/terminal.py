"""The terminal of a command: its progress bar, Ctrl-C, and libraries' messages."""

import contextlib
import logging
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def progress_bar(
    title: str, numbers: str = "", *, shown: bool | None = None, **values: Any
) -> Iterator[Callable[..., None]]:
    """Show a progress bar with the time left on stderr; yield `update(done, total, **values)`.

    Args:
        title: text before the bar.
        numbers: format of what stands behind the bar, such as `loss {loss:.3f}`.
        shown: whether to draw it; by default where stderr is a terminal.
        values: first values of `numbers`, by name.
    """
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    columns = (
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn(re.sub(r"{(\w+)", r"{task.fields[\1]", numbers)),
        progress.TimeRemainingColumn(),
    )
    hidden = not (console.is_terminal if shown is None else shown)
    with progress.Progress(*columns, console=console, disable=hidden) as bar:
        task = bar.add_task(title, total=None, **values)
        yield lambda done, total, **now: bar.update(task, completed=done, total=total, **now)


@contextlib.contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set; a second signal ends the program as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python handles signals in the main thread only
        return
    previous = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: FrameType | None) -> None:
        stop.set()
        print(
            "stopping after this step; press Ctrl-C again to stop at once",
            file=sys.stderr,
            flush=True,
        )
        signal.signal(number, previous[signal.Signals(number)])

    for number in previous:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Shield processes started in this block from SIGINT, and delay ours to the block's end.

    A terminal sends Ctrl-C to all processes; only the main one should answer. Child processes
    inherit the signal mask, so even one that is still importing is not interrupted. A delayed
    interrupt is raised where the block ends, so put the block inside the `try` that ends them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    came = threading.Event()
    # The mask covers this thread only: another thread may receive the signal, and Python then
    # raises KeyboardInterrupt here. Only the main thread is ever interrupted.
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, lambda *_: came.set()) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came.is_set():
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def quiet_loggers(*names: str) -> Iterator[None]:
    """Show only errors of these loggers; an empty name is the root logger."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
