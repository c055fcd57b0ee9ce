"""Counts, turns and memory of what is measured; how long anything takes is never asserted."""

import os

import numpy as np
import pytest

from research.performance.timing import (
    LEAST_REPEATS,
    MOST_REPEATS,
    Effort,
    extra_bytes,
    in_own_process,
    matrix_rate,
    summary,
    take_turns,
)

QUICK = Effort(repeats=4, seconds=10.0, short_s=0.0)


def test_jobs_take_turns_after_two_calls_of_each_that_do_not_count():
    calls = []
    timed = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, QUICK)
    assert "".join(calls) == "aabb" + 4 * "ab"
    assert {name: t["repeats"] for name, t in timed.items()} == {"a": 4, "b": 4}


@pytest.mark.parametrize(
    ("calls", "spent_s", "enough"),
    [
        (LEAST_REPEATS - 1, 1e3, False),  # however long they take
        (LEAST_REPEATS, 11.0, True),
        (LEAST_REPEATS, 1.0, False),
        (15, 1.0, True),
        (15, 0.1, False),  # short calls are repeated
        (MOST_REPEATS, 0.1, True),
    ],
)
def test_a_case_ends_by_calls_and_by_time(calls, spent_s, enough):
    effort = Effort(repeats=15, seconds=10.0, short_s=0.5)
    assert effort.is_enough(calls, spent_s) == enough


def test_the_summary_is_the_median_and_the_quartiles():
    assert summary([5.0, 1.0, 2.0, 4.0, 3.0]) == {
        "median_s": 3.0,
        "quartiles_s": [2.0, 4.0],
        "repeats": 5,
    }
    assert summary([7.0]) == {"median_s": 7.0, "quartiles_s": [7.0, 7.0], "repeats": 1}


def _allocate(megabytes: int) -> int | None:
    return extra_bytes(lambda: np.ones(megabytes * 2**20, dtype=np.uint8).sum())


def test_memory_of_a_call_is_what_it_added_at_its_peak():
    extra = in_own_process(_allocate, 200)
    if extra is None:
        pytest.skip("this system does not tell a process its peak")
    assert 199 * 2**20 < extra < 240 * 2**20  # the kernel counts pages in batches


def test_each_call_has_a_process_of_its_own():
    assert in_own_process(os.getpid) != os.getpid()


def test_the_matrix_rate_is_a_rate():
    assert matrix_rate(0.01, size=64) > 1e6  # any processor at all
