"""The folder of an evaluation: one model's predictions on one data set.

settings.json          what decided the predictions; another evaluation is refused here
predictions/NAME.npz   one image's answers at its readings: every reading, whatever the protocol
mirrored/NAME.npz      the same of the mirrored photo, where a protocol with flip was asked for
maps/NAME.npz          whole maps, where boundaries were asked for
photos/NAME.png        small photos of the images that were drawn, for the report
images.json            which images belong to the result; written when the set is complete
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
from spd.files import write_text

_LONGEST_STEM = 120  # file systems allow 255 bytes a name; an ending and a digest are added


@dataclasses.dataclass(frozen=True, slots=True)
class PredictionFolder:
    """Where an evaluation keeps its files."""

    path: Path
    """The folder."""
    kept: int = 0
    """Images whose predictions were there before, whole, and were not made anew."""

    @classmethod
    def start(cls, path: str | os.PathLike[str], settings: EvaluationSettings) -> Self:
        """Open a folder for predicting, new or with predictions of the same settings.

        Nothing is written: whatever is refused before the first prediction leaves no trace.

        Raises:
            DataError: if it holds predictions of other settings (the message says which differ),
                or anything else.
        """
        folder = cls(Path(path))
        if folder.settings_path.exists():
            stored = EvaluationSettings.read(folder.settings_path)
            different = settings.differences(stored)
            if different:
                raise DataError(
                    f"{folder.path} holds an evaluation with another {', '.join(different)}"
                    f"{settings.versions_beside(stored)}; choose another folder, or delete this "
                    "one to evaluate anew"
                )
        elif folder.path.exists() and (not folder.path.is_dir() or any(folder.path.iterdir())):
            raise DataError(
                f"{folder.path} is not empty and holds no evaluation; choose another folder"
            )
        return folder

    def begin(self, settings: EvaluationSettings) -> None:
        """Before anything else is written: say what decides it; not complete until `finish`."""
        if not self.settings_path.exists():
            write_text(self.settings_path, settings.to_json())
        self.images_path.unlink(missing_ok=True)

    @property
    def settings_path(self) -> Path:
        """Where the settings are."""
        return self.path / "settings.json"

    @property
    def images_path(self) -> Path:
        """Where the list of scored and skipped images is, once the set is complete."""
        return self.path / "images.json"

    @property
    def floor_path(self) -> Path:
        """Where the training data's median is, where it is known."""
        return self.path / "floor.json"

    def image_path(self, name: str) -> Path:
        """Where the predictions of the image of that name are, whatever characters it has."""
        return self.path / "predictions" / self._file(name)

    def mirrored_path(self, name: str) -> Path:
        """Where those of its mirror image are, if there are any."""
        return self.path / "mirrored" / self._file(name)

    def maps_path(self, name: str) -> Path:
        """Where its whole maps are, if there are any."""
        return self.path / "maps" / self._file(name)

    def photo_path(self, name: str) -> Path:
        """Where its small photo is, if it was drawn."""
        return self.path / "photos" / self._file(name, ".png")

    def has_maps(self) -> bool:
        """Whether whole maps of any image are kept."""
        return any((self.path / "maps").glob("*.npz"))

    @staticmethod
    def _file(name: str, suffix: str = ".npz") -> str:
        stem = quote(name, safe=" ()+,=@")
        if len(stem) > _LONGEST_STEM:
            stem = f"{stem[:_LONGEST_STEM]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        return f"{stem}{suffix}"

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
