"""The memory limit: work is refused with its number, or waits for other threads."""

import math
import subprocess
import sys
import threading

import pytest

from spd.errors import ConfigError
from spd.memory import (
    MemoryLimitError,
    OutOfMemoryError,
    available_bytes,
    budget,
    limit_memory,
    machine,
    reserved,
)


@pytest.fixture(autouse=True)
def gigabyte(monkeypatch):
    """A gigabyte is left, and this process holds 100 MB."""
    monkeypatch.setattr(machine, "left_bytes", lambda: 1_000_000_000)
    monkeypatch.setattr(machine, "held_bytes", lambda: 100_000_000)
    limit_memory(None)
    yield
    limit_memory(None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2GB", 2_000_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("800M", 800_000_000),
        ("900000kb", 900_000_000),
        (300_000_000, 300_000_000),
    ],
)
def test_sizes_are_read(text, size):
    assert budget.parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-2GB", "2 apples", "nan", "1e9", "2GBGB"])
def test_other_text_is_refused(text):
    with pytest.raises(ConfigError, match="a size such as 2GB"):
        limit_memory(text)


def test_limits_that_the_program_itself_exceeds_are_refused():
    with pytest.raises(ConfigError, match="at least 256 MB"):
        limit_memory("100MB")


def test_the_tightest_limit_counts():
    assert available_bytes() == 1_000_000_000
    limit_memory("600MB")
    assert available_bytes() == 500_000_000
    limit_memory("5GB")
    assert available_bytes() == 1_000_000_000


def test_work_that_does_not_fit_is_refused_with_its_number():
    with reserved(900_000_000, "it", "shrink it"):
        pass
    said = r"it needs about 1\.2 GB of memory, but only 952 MB can be used here; shrink it"
    with pytest.raises(MemoryLimitError, match=said), reserved(1_200_000_000, "it", "shrink it"):
        pytest.fail("it began")
    limit_memory("600MB")
    said = (
        "it needs about 500 MB of memory, but only 452 MB of the limit of 600 MB are left; shrink"
    )
    with pytest.raises(MemoryLimitError, match=said), reserved(500_000_000, "it", "shrink it"):
        pytest.fail("it began")


def test_needs_and_rest_are_never_the_same_text():
    limit_memory("3GB")  # of which the fixture leaves 1 GB
    said = "it needs about 953 MB of memory, but only 952 MB of the limit of 3 GB are left; shrink"
    with pytest.raises(MemoryLimitError, match=said), reserved(952_000_001, "it", "shrink it"):
        pytest.fail("it began")
    assert budget.in_words(1_815_000_001, math.ceil) == "1.82 GB"
    assert budget.in_words(1_815_000_001, math.floor) == "1.81 GB"


def test_without_any_limit_all_work_begins(monkeypatch):
    monkeypatch.setattr(machine, "left_bytes", lambda: None)
    with reserved(10**15, "it", "shrink it"):
        assert available_bytes() is None


def test_reservations_of_one_thread_do_not_wait_for_each_other():
    with reserved(600_000_000, "one", ""), reserved(600_000_000, "inside it", ""):
        pass


def test_what_fits_only_later_waits_for_other_threads():
    order = []
    begun = threading.Event()
    may_end = threading.Event()

    def first() -> None:
        with reserved(700_000_000, "first", ""):
            begun.set()
            assert may_end.wait(20)
            order.append("first ends")

    def second() -> None:
        assert begun.wait(20)
        may_end_later.start()
        with reserved(700_000_000, "second", ""):
            order.append("second begins")

    may_end_later = threading.Timer(0.2, may_end.set)
    threads = [threading.Thread(target=run) for run in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert order == ["first ends", "second begins"]


def test_waiting_ends(monkeypatch):
    monkeypatch.setattr(budget, "_PATIENCE_S", 0.1)
    inside, over = threading.Event(), threading.Event()

    def first() -> None:
        with reserved(700_000_000, "first", ""):
            inside.set()
            over.wait(20)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(20)
    with pytest.raises(OutOfMemoryError) as caught, reserved(700_000_000, "second", ""):
        pass
    over.set()
    thread.join()
    assert not isinstance(caught.value, MemoryLimitError)  # it would fit later
    assert "but only 252 MB can be used here" in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts only the heap elsewhere")
def test_in_a_process_of_ours_the_kernel_refuses_what_was_not_predicted():
    program = """
import spd.memory as memory
memory.limit_this_process("400MB")
kept = bytearray(500_000_000)  # in another program than ours only the limit itself is set
del kept
memory.own_this_process()
memory.limit_this_process("400MB")
try:
    bytearray(500_000_000)
except MemoryError:
    print("refused", memory.available_bytes() > 200_000_000)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "refused True\n", done.stderr


def test_small_work_does_not_look_at_the_system_every_time(monkeypatch):
    looks = []
    monkeypatch.setattr(budget, "_SURE_S", 1000.0)
    monkeypatch.setattr(machine, "left_bytes", lambda: looks.append(1) or 1_000_000_000)
    for _ in range(40):
        with reserved(10_000_000, "it", ""):
            pass
    assert len(looks) == 1
    for _ in range(40):
        with reserved(10_000_000, "it", ""):
            pass
    assert len(looks) == 2  # half of what was left has been reserved since
