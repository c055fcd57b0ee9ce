"""Files of metric depth: tables of answers, depth maps, point clouds.

Depth is never written with 8 bits: a PNG has 16-bit steps and stores their size.
"""

from spd.outputs.cloud import EDGE_RATIO, PointCloud, cloud_of
from spd.outputs.glb import write_glb
from spd.outputs.maps import MAP_FORMS, read_png_depth, write_npy, write_png
from spd.outputs.ply import write_ply
from spd.outputs.tables import (
    TABLE_FORMS,
    csv_text,
    json_text,
    markdown_table,
    table_text,
    write_table,
)

__all__ = [
    "EDGE_RATIO",
    "MAP_FORMS",
    "TABLE_FORMS",
    "PointCloud",
    "cloud_of",
    "csv_text",
    "json_text",
    "markdown_table",
    "read_png_depth",
    "table_text",
    "write_glb",
    "write_npy",
    "write_ply",
    "write_png",
    "write_table",
]
