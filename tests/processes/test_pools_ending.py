"""A pool whose workers and work end at once is silent about it, and about nothing else."""

import concurrent.futures
import threading

import pytest

from spd.processes.pools import _cancelled_work_untold


def told_of(error, monkeypatch):
    """Types of the errors that reach the usual hook from a thread that raises `error`."""
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))

    def fail():
        raise error

    with _cancelled_work_untold():
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    return seen


def test_an_error_set_on_cancelled_work_is_not_printed(monkeypatch):
    future = concurrent.futures.Future()
    assert future.cancel()
    with pytest.raises(concurrent.futures.InvalidStateError) as caught:
        future.set_exception(ValueError())
    assert told_of(caught.value, monkeypatch) == []


def test_other_errors_of_threads_are(monkeypatch):
    assert told_of(KeyError("x"), monkeypatch) == [KeyError]
