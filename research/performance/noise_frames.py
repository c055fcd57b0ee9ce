"""Write frames of noise, as training data for a timed step."""

from pathlib import Path

import numpy as np

from spd.config import CameraConfig
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.sample import RGBDSample
from spd.pixels import Intrinsics

_FRAMES = 4


def write_noise_frames(folder: Path, camera: CameraConfig) -> Path:
    """Write a few frames of the training camera, slightly larger than its crop."""
    rng = np.random.default_rng(0)
    size = (camera.crop_height_px + 14, camera.crop_width_px + 14)
    entries = []
    for number in range(_FRAMES):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        depth_m = rng.uniform(1, 5, size).astype(np.float32)
        intrinsics = Intrinsics.centred(camera.focal_px, size)
        sample = RGBDSample(image, depth_m, depth_m > 0, intrinsics, f"noise-{number}")
        write_frame(sample, folder)
        entries.append(frame_entry(sample.name, sample.image_size, sample.intrinsics, "train"))
    write_index(entries, folder)
    return folder
