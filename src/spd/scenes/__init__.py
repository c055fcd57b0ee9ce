"""Queries of an encoded photo: regions, points in space, distances, tables of photos.

Everything here queries a scene through `depth_at`, works with any network and needs only numpy.
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
