"""The terminal of a command: its progress bar, Ctrl-C, and libraries' messages."""

import contextlib
import errno
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

HANGUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none
ENDING = tuple(s for s in (signal.SIGTERM, HANGUP) if s is not None)
"""Signals that ask a program to end."""
_ended: list[int] = []


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


def end_by_signals() -> list[int]:
    """Let SIGTERM and SIGHUP end the program as Ctrl-C does: finished work stays, workers end.

    Returns:
        A list to which the number of such a signal is added when it comes, also in `stop_signal`.
    """
    came = _ended
    came.clear()

    def end(number: int, frame: FrameType | None) -> None:
        if number == HANGUP:
            leave_closed_terminal()
        if not came:  # another one would interrupt the clean end
            came.append(number)
            raise KeyboardInterrupt

    for number in ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, end)
    return came


def on_hangup(handle: Callable[[int, FrameType | None], None]) -> None:
    """Call `handle` on SIGHUP, unless SIGHUP is ignored (nohup) or this is not the main thread."""

    def answer(number: int, frame: FrameType | None) -> None:
        leave_closed_terminal()
        signal.signal(number, signal.SIG_IGN)  # a terminal that closes may send several
        handle(number, frame)

    is_main = threading.current_thread() is threading.main_thread()
    if HANGUP is not None and is_main and signal.getsignal(HANGUP) != signal.SIG_IGN:
        signal.signal(HANGUP, answer)


def leave_closed_terminal() -> None:
    """Discard output to a terminal that was closed, because writing to it fails."""
    for number in (1, 2):
        try:
            os.tcgetpgrp(number)
        except OSError as error:
            if error.errno == errno.EIO:
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, number)
                os.close(nowhere)


@contextlib.contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGINT, SIGTERM and SIGHUP set.

    A second SIGINT or SIGTERM ends the program as usual. A second SIGHUP does nothing, since a
    terminal that closes may send several. SIGHUP stays ignored where it is, as under nohup.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python handles signals in the main thread only
        return
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, *ENDING)}
    previous = {s: h for s, h in handlers.items() if s != HANGUP or h != signal.SIG_IGN}

    def request(number: int, frame: FrameType | None) -> None:
        stop.set()
        if number in ENDING:
            _ended.append(number)
        if number == HANGUP:
            signal.signal(number, signal.SIG_IGN)
            leave_closed_terminal()
        else:
            signal.signal(number, previous[signal.Signals(number)])
        # The signal may have interrupted another print.
        with contextlib.suppress(OSError, RuntimeError):
            print(
                "stopping after this step; press Ctrl-C again to stop at once",
                file=sys.stderr,
                flush=True,
            )

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

    They are shielded from SIGHUP too. A terminal sends Ctrl-C, and SIGHUP when it closes, to all
    processes; only the main one should answer. Child processes inherit the signal mask, so even
    one that is still importing is not interrupted. A delayed interrupt is raised where the block
    ends, so put the block inside the `try` that ends them.
    """
    shielded = {signal.SIGINT} if HANGUP is None else {signal.SIGINT, HANGUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, shielded)
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
