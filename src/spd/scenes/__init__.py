"""Queries beyond single points: regions, 3D points, lengths and whole tables.

Everything here asks an encoded photo through `depth_at`, whichever network stands behind it, and
needs numpy alone.
"""

from spd.photos.distortion import Distortion, rays_at
from spd.scenes.regions import (
    MOST_POINTS,
    Box,
    Line,
    Mask,
    RegionStatistics,
    grid,
    read_mask,
    region,
)
from spd.scenes.space import distances_m, length_m, points_3d
from spd.scenes.tables import ask_table

__all__ = [
    "MOST_POINTS",
    "Box",
    "Distortion",
    "Line",
    "Mask",
    "RegionStatistics",
    "ask_table",
    "distances_m",
    "grid",
    "length_m",
    "points_3d",
    "rays_at",
    "read_mask",
    "region",
]
