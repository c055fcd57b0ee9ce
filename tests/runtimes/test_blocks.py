"""Points asked in blocks on threads: each once, in order, whoever else asks."""

import threading

import numpy as np
import pytest

from spd.memory import OutOfMemoryError
from spd.runtimes.blocks import BLOCK, PointBlocks


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
    got = PointBlocks(threads).ask(answer, points)
    np.testing.assert_array_equal(got, points[..., 0] * 1000 + points[..., 1])
    assert sum(sizes) == count
    assert max(sizes) <= BLOCK
    assert max(sizes) - min(sizes) <= 1  # no thread waits for another's larger one


def test_as_many_blocks_at_once_as_there_are_threads():
    together = threading.Barrier(2, timeout=10)

    def answer(block: np.ndarray) -> np.ndarray:
        together.wait()  # breaks unless two come together
        return block[..., 1]

    blocks = PointBlocks(2)
    for _ in range(3):  # the same threads again
        assert blocks.ask(answer, numbered(2 * BLOCK)).shape == (2, 2 * BLOCK)


def test_what_one_block_raises_the_caller_gets_and_may_ask_again():
    def fails(block: np.ndarray) -> np.ndarray:
        if block[0, 0, 1] >= BLOCK:
            raise OutOfMemoryError("a block does not fit")
        return block[..., 1]

    blocks = PointBlocks(2)
    with pytest.raises(OutOfMemoryError, match="a block does not fit"):
        blocks.ask(fails, numbered(4 * BLOCK))
    assert blocks.ask(fails, numbered(BLOCK)).shape == (2, BLOCK)
