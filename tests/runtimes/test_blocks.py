"""Points asked in blocks on threads: each once, in order, whoever else asks."""

import threading
import time

import numpy as np
import pytest

from spd.memory import OutOfMemoryError
from spd.processes import on_threads
from spd.runtimes.blocks import BLOCK, ask_in_blocks


def numbered(count: int, batch: int = 2) -> np.ndarray:
    """Points that tell image and place: `(image, number)`."""
    image, number = np.meshgrid(np.arange(batch), np.arange(count), indexing="ij")
    return np.stack([image, number], axis=-1).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("count", [0, 1, BLOCK, BLOCK + 1, 7 * BLOCK - 5])
def test_every_point_is_asked_once_in_a_block_and_answered_in_its_place(threads, count):
    sizes = []

    def answer(block: np.ndarray) -> np.ndarray:
        sizes.append(block.shape[1])
        return block[..., 0] * 1000 + block[..., 1]

    points = numbered(count)
    got = ask_in_blocks(answer, points, threads)
    np.testing.assert_array_equal(got, points[..., 0] * 1000 + points[..., 1])
    assert sum(sizes) == count
    assert max(sizes) <= BLOCK
    assert max(sizes) - min(sizes) <= 1  # no thread waits for another's larger one


def test_as_many_blocks_at_once_as_there_are_threads():
    together = threading.Barrier(2, timeout=10)

    def answer(block: np.ndarray) -> np.ndarray:
        together.wait()  # breaks unless two come together
        return block[..., 1]

    for _ in range(3):  # the same threads again
        assert ask_in_blocks(answer, numbered(2 * BLOCK), 2).shape == (2, 2 * BLOCK)


def test_what_one_block_raises_the_caller_gets_and_may_ask_again():
    def fails(block: np.ndarray) -> np.ndarray:
        if block[0, 0, 1] >= BLOCK:
            raise OutOfMemoryError("a block does not fit")
        return block[..., 1]

    with pytest.raises(OutOfMemoryError, match="a block does not fit"):
        ask_in_blocks(fails, numbered(4 * BLOCK), 2)
    assert ask_in_blocks(fails, numbered(BLOCK), 2).shape == (2, BLOCK)


def test_after_an_error_the_running_parts_end_and_no_other_begins():
    both, ended = threading.Barrier(2, timeout=10), []

    def answer(part: int) -> None:
        both.wait()
        if part == 0:
            raise OutOfMemoryError("the first does not fit")
        time.sleep(0.2)
        ended.append(part)

    with pytest.raises(OutOfMemoryError, match="the first"):
        on_threads(answer, range(20), 2)
    assert ended == [1]
