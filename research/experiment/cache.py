"""The frozen trunk's maps of every room, on disk, so that a head trains without the encoder.

FOLDER/cache.json            names of the parts and the image size
FOLDER/part-00000/           a hundred rooms: stride_8_map, l2, l1 [n, D, h, w] float16, and
                             points [n, P, 3] float32, (u, v, depth_m) in the model's pixels

A part is written whole or not at all, so an interrupted run continues after the last one.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from research.command import Progress, unreported
from spd.data.sample import RGBDSample, valid_depth
from spd.data.views import middle_placement
from spd.errors import DataError
from spd.files import atomic_path, write_text
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.pixels import Size

ROOMS_PER_PART = 100
MAPS = ("stride_8_map", "l2", "l1")


@dataclasses.dataclass(frozen=True, slots=True)
class MapCache:
    """Maps and exact points of many rooms, memory-mapped."""

    parts: list[dict[str, np.ndarray]]
    image_size: Size

    def __len__(self) -> int:
        return sum(len(part["points"]) for part in self.parts)

    @classmethod
    def open(cls, folder: Path) -> "MapCache":
        """Open a finished cache.

        Raises:
            DataError: if the folder holds no finished cache.
        """
        path = folder / "cache.json"
        if not path.is_file():
            raise DataError(f"{folder} holds no finished cache of maps")
        about = json.loads(path.read_text(encoding="utf-8"))
        parts = [
            {
                name: np.load(folder / part / f"{name}.npy", mmap_mode="r")
                for name in (*MAPS, "points")
            }
            for part in about["parts"]
        ]
        height, width = about["image_size"]
        return cls(parts, (height, width))

    def maps(self, rooms: Int[np.ndarray, " b"]) -> FeatureMaps:
        """Maps of these rooms, float32."""
        s8, l2, l1 = (self._stack(name, rooms).float() for name in MAPS)
        return FeatureMaps(s8, l2, l1, self.image_size)

    def points(self, rooms: Int[np.ndarray, " b"]) -> Float[Tensor, "b p 3"]:
        """All exact points of these rooms: u, v, depth_m; depth is NaN where there is none."""
        return self._stack("points", rooms)

    def _stack(self, name: str, rooms: Int[np.ndarray, " b"]) -> Tensor:
        places = (divmod(int(room), ROOMS_PER_PART) for room in rooms)
        return torch.from_numpy(np.stack([self.parts[part][name][n] for part, n in places]))


def write_cache(
    model: SPD,
    samples: Sequence[RGBDSample],
    folder: Path,
    progress: Progress = unreported,
) -> None:
    """Encode every room once; existing parts are kept."""
    names = []
    for start in range(0, len(samples), ROOMS_PER_PART):
        part = folder / f"part-{start // ROOMS_PER_PART:05d}"
        names.append(part.name)
        stop = min(start + ROOMS_PER_PART, len(samples))
        if not part.is_dir():
            _write_part(model, [samples[n] for n in range(start, stop)], part)
        progress(stop, len(samples))
    about = {"parts": names, "image_size": model.config.camera.crop_size}
    write_text(folder / "cache.json", json.dumps(about) + "\n")


def _write_part(model: SPD, samples: Sequence[RGBDSample], part: Path) -> None:
    arrays: dict[str, list[np.ndarray]] = {name: [] for name in (*MAPS, "points")}
    for sample in samples:
        placement = middle_placement(sample, model.config.camera)
        image = torch.from_numpy(placement.image(sample.image).copy()).permute(2, 0, 1)
        with torch.inference_mode():
            maps = model.encode(image[None].to(model.dtype) / 255)
        for name in MAPS:
            arrays[name].append(getattr(maps, name)[0].numpy().astype(np.float16))
        if sample.exact_points is None:
            raise DataError(f"{sample.name} has no exact points; make the rooms with points")
        points = placement.to_view(sample.exact_points[:, :2].astype(np.float64))
        usable = valid_depth(sample.exact_points[:, 2]) & placement.holds(points)
        depth_m = np.where(usable, sample.exact_points[:, 2], np.nan)
        arrays["points"].append(np.column_stack([points, depth_m]).astype(np.float32))
    fewest = min(len(points) for points in arrays["points"])  # a ray may meet nothing
    arrays["points"] = [points[:fewest] for points in arrays["points"]]
    with atomic_path(part) as temporary:
        temporary.mkdir()
        for name, values in arrays.items():
            np.save(temporary / f"{name}.npy", np.stack(values))
