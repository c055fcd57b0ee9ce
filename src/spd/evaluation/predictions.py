"""Predictions on disk: one folder holds those of one model on one data set.

settings.json          what decided the predictions; another evaluation is refused here
predictions/NAME.npz   one image: sparse_m, dense_m, truth_m [N] and pixel_index [N]
images.json            which images belong to the result; written when the set is complete
"""

import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

import numpy as np
from jaxtyping import Float, Int

from spd.errors import DataError
from spd.evaluation.settings import EvaluationSettings
from spd.files import atomic_path, write_text

_ARRAYS = (
    *("pixel_index", "depth_size", "sparse_m", "dense_m", "truth_m", "edge_px", "dense_preview_m"),
)
_LONGEST_STEM = 120  # file systems allow 255 bytes a name; an ending and a digest are added


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePredictions:
    """Truth and both modes' answers at the scored pixels of one image."""

    name: str
    """The sample's name."""
    pixel_index: Int[np.ndarray, " n"]
    """Which pixels of the depth map, counted row by row."""
    depth_size: Int[np.ndarray, "2"]
    """(height, width) of the depth map that `pixel_index` counts in."""
    sparse_m: Float[np.ndarray, " n"]
    """Metres, each pixel asked as a point."""
    dense_m: Float[np.ndarray, " n"]
    """Metres, read off the dense map at the nearest pixel of the photo."""
    truth_m: Float[np.ndarray, " n"]
    """Metres, measured."""
    edge_px: Float[np.ndarray, " n"]
    """Distance to the nearest true depth edge, in pixels of the depth map."""
    dense_preview_m: Float[np.ndarray, "h w"]
    """Every so many-th pixel of the dense map, half precision; for pictures only."""
    dense_is_exact: bool
    """Whether no point was rounded to a pixel to read the dense map: depth has the photo's
    resolution, or the map was read bilinearly (view `crop`)."""

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        arrays = {key: getattr(self, key) for key in _ARRAYS}
        with atomic_path(path) as temporary:
            np.savez_compressed(
                temporary, name=self.name, dense_is_exact=self.dense_is_exact, **arrays
            )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file back.

        Raises:
            DataError: if it is missing, damaged, or something else.
        """
        try:
            # Opened here, because np.load leaves a damaged file open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in _ARRAYS}
                exact = bool(stored["dense_is_exact"])
                return cls(name=str(stored["name"]), dense_is_exact=exact, **arrays)
        except FileNotFoundError:
            raise DataError(f"{path} is missing; evaluate again to predict it") from None
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
            raise DataError(f"{path} is damaged; delete it and evaluate again") from None


@dataclasses.dataclass(frozen=True, slots=True)
class PredictionFolder:
    """Where an evaluation keeps its files."""

    path: Path
    """The folder."""

    @classmethod
    def start(cls, path: str | os.PathLike[str], settings: EvaluationSettings) -> Self:
        """Open a folder for predicting, new or with predictions of the same settings.

        Raises:
            DataError: if it holds predictions of other settings (the message says which differ),
                or anything else.
        """
        folder = cls(Path(path))
        if folder.settings_path.exists():
            different = settings.differences(EvaluationSettings.read(folder.settings_path))
            if different:
                raise DataError(
                    f"{folder.path} holds an evaluation with another {', '.join(different)}; "
                    "choose another folder, or delete this one to evaluate anew"
                )
        elif folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise DataError(
                f"{folder.path} is not empty and holds no evaluation; choose another folder"
            )
        else:
            write_text(folder.settings_path, settings.to_json())
        folder.images_path.unlink(missing_ok=True)  # not complete until `finish` says so
        return folder

    @property
    def settings_path(self) -> Path:
        """Where the settings are."""
        return self.path / "settings.json"

    @property
    def images_path(self) -> Path:
        """Where the list of scored and skipped images is, once the set is complete."""
        return self.path / "images.json"

    def image_path(self, name: str) -> Path:
        """Where the predictions of the image of that name are, whatever characters it has."""
        stem = quote(name, safe=" ()+,=@")
        if len(stem) > _LONGEST_STEM:
            stem = f"{stem[:_LONGEST_STEM]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        return self.path / "predictions" / f"{stem}.npz"

    def finish(self, scored: Sequence[str], skipped: Mapping[str, str]) -> None:
        """Record that the set is complete: the scored names and why others were skipped."""
        listed = {"scored": list(scored), "skipped": dict(skipped)}
        write_text(self.images_path, json.dumps(listed, indent=1) + "\n")

    def images(self) -> tuple[list[str], dict[str, str]]:
        """The scored names in order, and the skipped names with their reasons.

        Raises:
            DataError: if the predictions were interrupted or are not there.
        """
        EvaluationSettings.read(self.settings_path)
        if not self.images_path.is_file():
            raise DataError(
                f"the predictions in {self.path} are incomplete; evaluate again with the same "
                "settings, those that are there are kept"
            )
        try:
            listed = json.loads(self.images_path.read_text(encoding="utf-8"))
            return list(listed["scored"]), dict(listed["skipped"])
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{self.images_path} is damaged; evaluate again") from None
