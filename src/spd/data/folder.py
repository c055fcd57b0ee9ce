"""Writing RGB-D folders: images, 16-bit PNG depth and `frames.json` (`docs/data.md`)."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spd.data.depth_png import write_depth_png
from spd.data.frame_index import INDEX, UNIT
from spd.data.sample import RGBDSample
from spd.files import atomic_path, write_text
from spd.pixels import Intrinsics, Size


def write_frame(sample: RGBDSample, folder: Path) -> None:
    """Write one sample as `NAME.png`, `NAME.depth.png` and, with exact points, `NAME.points.npy`.

    `frame_entry` gives the index entry of these files; pass it `points=` for the last one.
    """
    write_points(sample, folder, sample.name)
    with atomic_path(folder / f"{sample.name}.png") as temporary:
        Image.fromarray(sample.image).save(temporary)
    write_depth_png(np.where(sample.valid, sample.depth_m, 0), folder / f"{sample.name}.depth.png")


def write_points(sample: RGBDSample, folder: Path, name: str) -> str | None:
    """Write the sample's exact points as `NAME.points.npy`; returns that name, None without any."""
    if sample.exact_points is None:
        return None
    written = f"{name}.points.npy"
    with atomic_path(folder / written) as temporary, temporary.open("wb") as file:
        np.save(file, sample.exact_points)
    return written


def frame_entry(
    name: str, size: Size, intrinsics: Intrinsics | None, split: str | None, **about: Any
) -> dict[str, Any]:
    """Index entry of one frame; the depth map has the image's size unless `about` gives another.

    Args:
        name: name of the frame, as in `write_frame`.
        size: (height, width) of the image in pixels.
        intrinsics: camera of the image; None: unknown.
        split: part of the data, such as `train`.
        about: further keys, or other values for the keys above.
    """
    return {
        "image": f"{name}.png",
        "depth": f"{name}.depth.png",
        "depth_unit": UNIT,
        "intrinsics": dataclasses.asdict(intrinsics) if intrinsics else None,
        "split": split,
        "image_size": list(size),
        "depth_size": list(size),
        **about,
    }


def write_index(entries: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write `frames.json`. Write it last, so that it only names files that exist."""
    write_text(folder / INDEX, json.dumps(list(entries), indent=1) + "\n")
