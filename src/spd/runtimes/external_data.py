"""Names of the files that an ONNX graph keeps tensors in, read without the package onnx.

A tensor may lie in another file, which the digest of the graph does not cover. Only the fields of
ONNX's protocol buffers that lead to tensors are followed.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

# Numbers of the fields that lead to tensors, by message (onnx/onnx.proto3).
_MODEL = {7: "graph", 20: "training", 25: "function"}
_FIELDS = {
    "model": _MODEL,
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY = b"location"
_DEEPEST = 100  # subgraphs in subgraphs; protocol buffers allow 100 levels


def external_files(graph: Path) -> set[str]:
    """Locations of a graph's external tensors, as they are written in it.

    A file that is not an ONNX graph has none; the runtime refuses it.
    """
    with graph.open("rb") as file:
        if not graph.stat().st_size:
            return set()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(_KEY) < 0:  # nearly always
                return set()
            return set(_locations(memoryview(content[:]), "model", 0))


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    for number, value in _fields(message):
        inner = _FIELDS[kind].get(number)
        if inner == "entry":
            entry = dict(_fields(value))
            if bytes(entry.get(1, b"")) == _KEY:
                yield bytes(entry.get(2, b"")).decode("utf-8", "replace")
        elif inner is not None:
            yield from _locations(value, inner, depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Numbers and contents of the fields that have a length; the others are skipped."""
    place = 0
    while place < len(message):
        tag, place = _integer(message, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            _, place = _integer(message, place)
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        elif wire == 2:
            length, place = _integer(message, place)
            yield number, message[place : place + length]
            place += length
        else:  # not an ONNX graph
            return


def _integer(message: memoryview, place: int) -> tuple[int, int]:
    """A number of 7 bits per byte, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, place
