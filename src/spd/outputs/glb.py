"""GLB: a point cloud as binary glTF 2.0, for browsers, Blender and phones.

glTF has y up and looks along -z, so y and z change sign; metres stay metres. Its colours are
linear light, so the photo's sRGB is converted, in 16 bits so that no shade is lost, and the
material is unlit. A file is just a chunk of JSON and one of numbers, so no library is needed.
"""

import json
import os
import struct
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from spd._version import __version__
from spd.files import write_bytes
from spd.outputs.cloud import PointCloud, check_cloud

_FLOAT, _UINT16 = 5126, 5123  # glTF's codes of the types
_ARRAY_BUFFER, _POINTS = 34962, 0
_TO_GLTF = np.array([1, -1, -1], dtype=np.float32)


def write_glb(cloud: PointCloud, path: str | os.PathLike[str]) -> None:
    """Write a cloud as one mesh of coloured points."""
    check_cloud(cloud)
    positions = np.ascontiguousarray(cloud.xyz_m * _TO_GLTF, dtype="<f4")
    colours = np.full((len(positions), 4), 65535, dtype="<u2")  # opaque; rows of 4 are aligned
    colours[:, :3] = linear_light(cloud.rgb)
    numbers = positions.tobytes() + colours.tobytes()
    about = json.dumps(_describe(positions, len(numbers)), separators=(",", ":")).encode("ascii")
    chunks = _chunk(b"JSON", about, b" ") + _chunk(b"BIN\0", numbers, b"\0")
    write_bytes(path, struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def linear_light(rgb: UInt8[np.ndarray, "n 3"]) -> UInt16[np.ndarray, "n 3"]:
    """Convert sRGB, 0..255, to linear light, 0..65535."""
    coded = np.arange(256) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return np.rint(linear * 65535).astype(np.uint16)[rgb]


def _describe(positions: np.ndarray, byte_length: int) -> dict[str, Any]:
    count, split = len(positions), positions.nbytes
    views = [(0, split), (split, byte_length - split)]
    return {
        "asset": {"version": "2.0", "generator": f"spd {__version__}"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "photo, metres from the camera"}],
        "meshes": [
            {
                "primitives": [
                    {
                        "mode": _POINTS,
                        "attributes": {"POSITION": 0, "COLOR_0": 1},
                        "material": 0,
                    }
                ]
            }
        ],
        "materials": [
            {
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": _FLOAT,
                "count": count,
                "type": "VEC3",
                "min": positions.min(axis=0).tolist(),
                "max": positions.max(axis=0).tolist(),
            },
            {
                "bufferView": 1,
                "componentType": _UINT16,
                "normalized": True,
                "count": count,
                "type": "VEC4",
            },
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": length, "target": _ARRAY_BUFFER}
            for start, length in views
        ],
        "buffers": [{"byteLength": byte_length}],
    }


def _chunk(kind: bytes, data: bytes, filling: bytes) -> bytes:
    """A glTF chunk, padded to a multiple of four bytes."""
    data += filling * (-len(data) % 4)
    return struct.pack("<I4s", len(data), kind) + data
