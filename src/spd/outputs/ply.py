"""PLY: a point cloud in the camera's axes, for CloudCompare, MeshLab, Open3D and others."""

import os

import numpy as np

from spd.files import write_bytes
from spd.outputs.cloud import PointCloud, check_cloud

_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])


def write_ply(cloud: PointCloud, path: str | os.PathLike[str]) -> None:
    """Write binary PLY: float x, y, z in metres and uchar red, green, blue."""
    check_cloud(cloud)
    vertices = np.empty(len(cloud.xyz_m), dtype=_VERTEX)
    vertices["xyz"], vertices["rgb"] = cloud.xyz_m, cloud.rgb
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment metres from the camera; x right, y down, z forward",
        f"element vertex {len(vertices)}",
        *(f"property float {name}" for name in "xyz"),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        "end_header",
    ]
    write_bytes(path, ("\n".join(header) + "\n").encode("ascii") + vertices.tobytes())
