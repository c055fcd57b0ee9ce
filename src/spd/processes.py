"""Worker processes and Ctrl-C: a terminal sends it to all, and the main process alone answers."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Processes that are started in here never see SIGINT; ours comes when the block is left.

    They inherit the signal mask, so that not even one which is still importing is interrupted.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
