"""Worker processes and Ctrl-C: a terminal sends it to all, and the main process alone answers."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Processes that are started in here never see SIGINT; ours comes when the block is left.

    They inherit the signal mask, so that not even one which is still importing is interrupted.
    An interrupt that came meanwhile is raised where the block ends: whoever has to end the
    processes then has the block inside the `try` that does.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    came = threading.Event()
    # The mask is this thread's: one that comes may be handled by a library's thread in spite of it,
    # and Python then raises here. Only the main thread is ever interrupted.
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
