"""The folder of an evaluation: one model's predictions on one data set.

settings.json          everything that decides the predictions; other settings are refused
predictions/NAME.npz   predictions at all readings of one image, whatever the protocol
mirrored/NAME.npz      predictions of the mirrored photo, for protocols with flip
maps/NAME.npz          whole maps, for boundaries
photos/NAME.png        small photos of the images that were drawn, for the report
images.json            names of the images that were predicted and skipped; written last
floor.json             the training data's median depth, where it is known
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

from spd.errors import DataError
from spd.evaluation.settings import EvaluationSettings
from spd.files import LISTED_BYTES, read_json, storable, write_text

_LONGEST_STEM = 120  # file systems allow 255 bytes a name; an ending and a digest are added


@dataclasses.dataclass(frozen=True, slots=True)
class PredictionFolder:
    """The files of an evaluation."""

    path: Path
    """The folder."""
    reused: int = 0
    """Images whose predictions were complete before, so that the network was not run."""

    @classmethod
    def start(cls, path: str | os.PathLike[str], settings: EvaluationSettings) -> Self:
        """Open a folder for predicting: a new one, or one with predictions of the same settings.

        Writes nothing, so an evaluation refused before its first prediction leaves no trace.

        Raises:
            DataError: if it has predictions of other settings (the message names them), or
                any other files.
        """
        folder = cls(Path(path))
        if folder.settings_path.exists():
            stored = EvaluationSettings.read(folder.settings_path)
            different = settings.differences(stored)
            if different:
                raise DataError(
                    f"{folder.path} contains an evaluation with different settings: "
                    f"{', '.join(different)}"
                    f"{settings.version_differences(stored)}; choose a different folder, or delete "
                    "this one to evaluate again"
                )
        elif folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise DataError(
                f"{folder.path} is not empty and contains no evaluation; choose a different folder"
            )
        return folder

    def begin(self, settings: EvaluationSettings) -> None:
        """Write the settings before any prediction; the set is incomplete until `finish`."""
        if not self.settings_path.exists():
            write_text(self.settings_path, settings.to_json())
        self.images_path.unlink(missing_ok=True)

    @property
    def settings_path(self) -> Path:
        """The settings."""
        return self.path / "settings.json"

    @property
    def images_path(self) -> Path:
        """The list of scored and skipped images; exists once the set is complete."""
        return self.path / "images.json"

    @property
    def constant_path(self) -> Path:
        """The constant baseline; exists where the training data's median is known."""
        return self.path / "floor.json"

    def image_path(self, name: str) -> Path:
        """The predictions of the image of that name, which may have any characters."""
        return self.path / "predictions" / self._file(name)

    def mirrored_path(self, name: str) -> Path:
        """The predictions of its mirror image, where a protocol asked for them."""
        return self.path / "mirrored" / self._file(name)

    def maps_path(self, name: str) -> Path:
        """Its whole maps, where boundaries are measured."""
        return self.path / "maps" / self._file(name)

    def photo_path(self, name: str) -> Path:
        """Its small photo, where it was drawn."""
        return self.path / "photos" / self._file(name, ".png")

    def has_maps(self) -> bool:
        """Whether whole maps of any image are stored."""
        return any((self.path / "maps").glob("*.npz"))

    @staticmethod
    def _file(name: str, suffix: str = ".npz") -> str:
        stem = quote(storable(name), safe=" ()+,=@")
        if len(stem) > _LONGEST_STEM:
            digest = hashlib.sha256(storable(name).encode()).hexdigest()
            stem = f"{stem[:_LONGEST_STEM]}-{digest[:12]}"
        return f"{stem}{suffix}"

    def finish(self, scored: Sequence[str], skipped: Mapping[str, str]) -> None:
        """Mark the set as complete: write the scored names and why others were skipped."""
        listed = {"scored": list(scored), "skipped": dict(skipped)}
        write_text(self.images_path, json.dumps(listed, indent=1) + "\n")

    def images(self) -> tuple[list[str], dict[str, str]]:
        """The scored names in order, and the skipped names with their reasons.

        Raises:
            DataError: if there are no predictions, or they were interrupted.
        """
        EvaluationSettings.read(self.settings_path)
        if not self.images_path.is_file():
            raise DataError(
                f"the predictions in {self.path} are incomplete; run the evaluation again with "
                "the same settings to reuse the finished predictions"
            )
        try:
            listed = read_json(self.images_path, LISTED_BYTES)
            scored, skipped = list(listed["scored"]), dict(listed["skipped"])
            if not all(isinstance(one, str) for one in (*scored, *skipped, *skipped.values())):
                raise TypeError("names and reasons are texts")
            return scored, skipped
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(f"{self.images_path} is damaged; run the evaluation again") from None
