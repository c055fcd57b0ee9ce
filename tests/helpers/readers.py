"""Small readers of PLY and GLB, written from their specifications and not from our writers."""

import json
import struct
from pathlib import Path

import numpy as np


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """xyz, rgb and the header's lines."""
    data = path.read_bytes()
    head, body = data.split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    sizes = {"float": "f", "uchar": "B"}
    fields = [line.split()[1:] for line in lines if line.startswith("property")]
    assert [name for _, name in fields] == ["x", "y", "z", "red", "green", "blue"]
    row = struct.Struct("<" + "".join(sizes[kind] for kind, _ in fields))
    count = next(int(line.split()[2]) for line in lines if line.startswith("element vertex"))
    assert len(body) == count * row.size
    values = list(row.iter_unpack(body))
    return (
        np.array([value[:3] for value in values], dtype=np.float32),
        np.array([value[3:] for value in values], dtype=np.uint8),
        lines,
    )


def read_glb(path: Path) -> tuple[np.ndarray, np.ndarray, dict]:
    """POSITION, COLOR_0 as 0..1, and the JSON, after what the specification demands of a file."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    chunks, at = {}, 12
    while at < length:
        size, kind = struct.unpack_from("<I4s", data, at)
        assert size % 4 == 0
        chunks[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size
    about = json.loads(chunks[b"JSON"])
    assert 0 <= len(chunks[b"BIN\0"]) - about["buffers"][0]["byteLength"] < 4
    (primitive,) = about["meshes"][0]["primitives"]
    assert primitive["mode"] == 0  # points
    kinds = {5126: ("<f4", 1), 5123: ("<u2", 65535)}

    def numbers(accessor: int) -> np.ndarray:
        described = about["accessors"][accessor]
        view = about["bufferViews"][described["bufferView"]]
        dtype, full = kinds[described["componentType"]]
        width = int(described["type"].removeprefix("VEC"))
        assert view["byteOffset"] % 4 == 0
        assert (np.dtype(dtype).itemsize * width) % 4 == 0
        part = chunks[b"BIN\0"][view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        values = np.frombuffer(part, dtype).reshape(-1, width)
        assert len(values) == described["count"]
        if "min" in described:
            assert values.min(axis=0).tolist() == described["min"]
            assert values.max(axis=0).tolist() == described["max"]
        return values / np.float64(full) if described.get("normalized") else values

    attributes = primitive["attributes"]
    return numbers(attributes["POSITION"]), numbers(attributes["COLOR_0"]), about
