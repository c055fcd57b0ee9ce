"""A photo as a point cloud, without flying pixels between near and far surfaces.

At an edge a map's depth passes from the near surface to the far one, and the pixels in between
float in the air. A pixel is removed if one of its four neighbours differs by more than a factor.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, UInt8

from spd.errors import InputError, shown
from spd.photos.camera_matrix import IntrinsicsLike, as_intrinsics
from spd.photos.distortion import DistortionLike, rays_at
from spd.photos.reading import ImageLike, read_image
from spd.pixels import as_map, as_number, as_numbers

EDGE_RATIO = 1.05
"""Depth factor between neighbours above which there is an edge.

A floor stays below it up to 20 rows under the horizon, which is to 38 m as seen from 1.5 m height
at a focal length of 519 px.
"""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class PointCloud:
    """Points in metres from the camera, x right, y down, z forward, and their colours."""

    xyz_m: Float[np.ndarray, "n 3"]
    """float32."""
    rgb: UInt8[np.ndarray, "n 3"]
    """sRGB."""

    def __post_init__(self) -> None:
        expected = "a point cloud must be [N, 3] metres and [N, 3] colours of uint8"
        xyz_m, rgb = as_numbers(self.xyz_m, expected), as_numbers(self.rgb, expected)
        if xyz_m.shape != rgb.shape or xyz_m.ndim != 2 or xyz_m.shape[1] != 3:
            raise InputError(f"{expected}, got {shown(self.xyz_m)} and {shown(self.rgb)}")
        if rgb.size and not (rgb.min() >= 0 and rgb.max() <= 255 and (rgb % 1 == 0).all()):
            raise InputError(f"{expected}, got {shown(self.rgb)}")
        object.__setattr__(self, "xyz_m", xyz_m.astype(np.float32))
        object.__setattr__(self, "rgb", rgb.astype(np.uint8))


def check_cloud(cloud: PointCloud) -> None:
    """Refuse what is no point cloud.

    Raises:
        InputError: naming what was given.
    """
    if not isinstance(cloud, PointCloud):
        raise InputError(f"expected a PointCloud, such as of cloud_of, got {shown(cloud)}")


def cloud_of(
    depth_m: Float[np.ndarray, "h w"],
    rgb: ImageLike,
    intrinsics: IntrinsicsLike,
    distortion: DistortionLike | None = None,
    *,
    edge_ratio: float = EDGE_RATIO,
) -> PointCloud:
    """The points of a depth map, row by row.

    Args:
        depth_m: depth (camera z) at each pixel; only finite, positive depth gives a point.
        rgb: the photo, of the same size: an array, a tensor or a file (`read_image`).
        intrinsics: of the camera.
        distortion: of the lens, OpenCV's coefficients.
        edge_ratio: remove pixels with a neighbour this many times nearer or farther; infinity
            keeps all.

    Raises:
        InputError: if sizes differ, the ratio is not above 1, or no point remains.
    """
    depth_m, rgb = as_map(depth_m), read_image(rgb)
    if rgb.shape != (*depth_m.shape, 3):
        raise InputError(f"photo {rgb.shape} and depth map {depth_m.shape} must have the same size")
    edge_ratio = as_number(edge_ratio, "the edge ratio must be a number above 1")
    kept = is_surface(depth_m, edge_ratio)
    v, u = np.nonzero(kept)
    if not len(u):
        raise InputError(
            f"no point of the cloud is left at edge ratio {edge_ratio:g}; choose a larger ratio"
        )
    pixels = np.stack([u, v], axis=1).astype(np.float64)
    rays = rays_at(pixels, as_intrinsics(intrinsics), distortion)
    forward = np.concatenate([rays, np.ones((len(rays), 1))], axis=1).astype(np.float32)
    return PointCloud(forward * depth_m[kept].astype(np.float32)[:, None], rgb[kept])


def is_surface(depth_m: Float[np.ndarray, "h w"], edge_ratio: float) -> Bool[np.ndarray, "h w"]:
    """Mask of the pixels with a depth that differ from each neighbour by less than the ratio.

    Raises:
        InputError: if the ratio is not above 1.
    """
    if not edge_ratio > 1:
        raise InputError(f"the edge ratio must be above 1 (inf keeps all points), got {edge_ratio}")
    with np.errstate(invalid="ignore"):
        known = np.isfinite(depth_m) & (depth_m > 0)
    logs = np.log(np.where(known, depth_m, 1.0).astype(np.float64))
    most = np.log(edge_ratio)
    down = (np.abs(np.diff(logs, axis=0)) > most) & known[1:] & known[:-1]
    across = (np.abs(np.diff(logs, axis=1)) > most) & known[:, 1:] & known[:, :-1]
    edge = np.zeros_like(known)
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    return known & ~edge
