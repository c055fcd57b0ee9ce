"""Maps of whole photos beside the parts, one file a photo, for batches that are to have them."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from spd.batch.cells import storable
from spd.outputs.maps import write_npy, write_png

MapForm = Literal["npy", "png16"]
MAPS = "maps"
_ENDINGS: dict[MapForm, str] = {"npy": ".npy", "png16": ".png"}
_LONGEST_STEM = 200  # bytes of the photo's; file systems take 255 of number, stem and ending


@dataclasses.dataclass(frozen=True, slots=True)
class Maps:
    """Where they go, and what as."""

    folder: Path
    """Of the batch, absolute."""
    form: MapForm

    def name(self, photo: int, path: str) -> str:
        """Relative to the batch's folder; by number, because photos of two folders share names."""
        stem = storable(Path(path).stem).encode("utf-8")[:_LONGEST_STEM]
        whole = stem.decode("utf-8", "ignore")  # without what is left of a character that was cut
        return f"{MAPS}/{photo:06d}-{whole}{_ENDINGS[self.form]}"

    def write(self, photo: int, path: str, depth_m: np.ndarray) -> None:
        """Write one, whole or not at all.

        Raises:
            InputError: if 16 bits of millimetres do not hold it.
            DataError: if it cannot be written.
        """
        write = write_npy if self.form == "npy" else write_png
        write(depth_m, self.folder / self.name(photo, path))
