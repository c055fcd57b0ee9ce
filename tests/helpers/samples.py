"""Small maps, samples and folders that tests in several folders start from."""

from pathlib import Path

import numpy as np
import torch

from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.sample import RGBDSample
from spd.models.feature_maps import FeatureMaps
from spd.pixels import Intrinsics


def random_maps(
    dim: int, patches: tuple[int, int], *, batch: int = 1, dtype: torch.dtype = torch.float64
) -> FeatureMaps:
    """Feature maps of normal noise, as large as an image of h x w patches makes them."""
    h, w = patches
    s8, l2, l1 = (torch.randn(batch, dim, n * h, n * w, dtype=dtype) for n in (2, 2, 4))
    return FeatureMaps(s8, l2, l1, (14 * h, 14 * w))


def slanted_sample(name: str = "slanted", size: tuple[int, int] = (48, 64)) -> RGBDSample:
    """A coloured ramp whose depth grows with the row, and a camera of NYU's field of view."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows * 255 // size[0], columns * 255 // size[1], rows * 0 + 99], axis=-1)
    depth_m = (1.0 + 3.0 * rows / size[0]).astype(np.float32)
    camera = Intrinsics.centred(0.81 * size[1], size)
    return RGBDSample(image.astype(np.uint8), depth_m, np.ones(size, dtype=bool), camera, name)


def write_rgbd_folder(folder: Path) -> Path:
    """A folder of five slanted frames: three to train on, two to validate on."""
    entries = []
    for number in range(5):
        sample = slanted_sample(f"frame-{number}")
        write_frame(sample, folder)
        split = "train" if number < 3 else "val"
        entries.append(frame_entry(sample.name, sample.image_size, sample.intrinsics, split))
    write_index(entries, folder)
    return folder
