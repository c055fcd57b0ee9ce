"""Torch's default dtype, which other libraries of a program may set."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def float32_by_default() -> Iterator[None]:
    """Make new parameters and tensors float32; also a decorator.

    The default dtype is one for all threads, so it is touched only if it is another.
    """
    before = torch.get_default_dtype()
    if before == torch.float32:
        yield
        return
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
