"""Depth maps beside the parts, one file for each photo."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Literal

import numpy as np

from spd.files import storable
from spd.outputs.maps import write_npy, write_png

MapForm = Literal["npy", "png16"]
MAPS = "maps"
_ENDINGS: dict[MapForm, str] = {"npy": ".npy", "png16": ".png"}
_LONGEST_STEM = 200  # bytes of the photo's name; file systems allow 255 for the whole name


@dataclasses.dataclass(frozen=True, slots=True)
class MapFiles:
    """Names and format of a batch's depth maps."""

    folder: Path
    """The batch's folder, absolute."""
    form: MapForm

    def name(self, path: str, focal_px: float | None) -> str:
        """Path relative to the batch's folder; it does not depend on the other photos.

        It contains a digest, because two photos may have the same name, and one photo may be
        queried with two focal lengths.
        """
        stem = storable(Path(path).stem).encode("utf-8")[:_LONGEST_STEM]
        whole = stem.decode("utf-8", "ignore")  # drops the rest of a character that was cut
        content = repr((path, focal_px)).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(content).hexdigest()[:12]
        return f"{MAPS}/{whole}-{digest}{_ENDINGS[self.form]}"

    def write(self, path: str, focal_px: float | None, depth_m: np.ndarray) -> None:
        """Write one map atomically.

        Raises:
            InputError: if its depths do not fit 16 bits of millimetres.
            DataError: if it cannot be written.
        """
        write = write_npy if self.form == "npy" else write_png
        write(depth_m, self.folder / self.name(path, focal_px))

    def remove(self, path: str, focal_px: float | None) -> None:
        """Delete the map of a photo that has none any more, such as one that is now unreadable."""
        (self.folder / self.name(path, focal_px)).unlink(missing_ok=True)
