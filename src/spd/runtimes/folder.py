"""The folder of an export: ONNX graphs, and `export.json` that describes them.

`export.json` holds the model's configuration, its camera, the input size, and a digest of each
graph, so that a changed or truncated graph is refused before a runtime loads it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spd.config import ModelConfig
from spd.errors import CheckpointError, ConfigError, InputError
from spd.pixels import Size

EXPORT = "export.json"
FORMAT = 1  # version of the file's format

ENCODE = "encode.onnx"
ENCODE_INT8 = {
    "onnxruntime": "encode.int8.onnx",
    "openvino": "encode.int8.openvino.onnx",
}
"""Encoder in 8 bits by runtime: each runtime multiplies another layout fastest."""
QUERY = "query.onnx"
QUERY_WEIGHTS = "query.weights"
"""Weights of the compiled kernel, which replaces `query.onnx`: float32, in its order."""
FUSED = "spd.onnx"

MAP_NAMES = ("stride_8_map", "l2", "l1")
"""Outputs of `encode.onnx` and inputs of `query.onnx`, each `[B, rows, columns, D]`."""


def is_export(source: str | Path | None) -> bool:
    """True for a folder that `spd export onnx` wrote, and for its `export.json`."""
    if source is None:
        return False
    path = Path(source)
    return path.name == EXPORT or (path / EXPORT).is_file()


def file_sha256(path: Path) -> str:
    """The SHA-256 digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class ExportFolder:
    """An exported model on this machine."""

    path: Path
    """The folder."""
    config: ModelConfig
    """Configuration of the model, with its camera."""
    image_size: Size | None
    """(height, width) of the encoder's input; None: any."""
    opset: int
    """ONNX operator set that the runtime must support."""
    source: str
    """Name of the model when it was exported."""
    weights_sha256: str
    """SHA-256 of the weights it was made from."""
    training_median_m: float | None
    """Median training depth in metres; None where it is unknown."""
    digests: Mapping[str, str]
    """SHA-256 of every graph, by name."""

    @classmethod
    def read(cls, source: str | Path) -> "ExportFolder":
        """Read the folder's `export.json`; the graphs are not read yet.

        Raises:
            CheckpointError: if it is missing, damaged or of another version.
        """
        path = Path(source)
        folder = path.parent if path.name == EXPORT else path
        file = folder / EXPORT
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(
                f"{folder} contains no {EXPORT}; create an export: spd export onnx MODEL -o FOLDER"
            ) from None
        except (OSError, ValueError):
            raise CheckpointError(f"{file} is damaged; export the model again") from None
        return cls._parse(folder, file, data)

    @classmethod
    def _parse(cls, folder: Path, file: Path, data: Any) -> "ExportFolder":
        found = data.get("format") if isinstance(data, dict) else None
        if found != FORMAT:
            raise CheckpointError(
                f"{file} has format {found!r}, but this version of spd reads format {FORMAT}; "
                "export the model again"
            )
        try:
            size = data["image_size"]
            return cls(
                path=folder,
                config=ModelConfig.from_dict(data["model"]),
                image_size=None if size is None else (int(size[0]), int(size[1])),
                opset=int(data["opset"]),
                source=str(data["source"]),
                weights_sha256=str(data["weights_sha256"]),
                training_median_m=data["training_median_m"],
                digests={name: str(entry["sha256"]) for name, entry in data["files"].items()},
            )
        except (KeyError, TypeError, IndexError, ValueError, AttributeError, ConfigError) as error:
            reason = (
                f"lacks the key {error}" if isinstance(error, KeyError) else f"is damaged ({error})"
            )
            raise CheckpointError(f"{file} {reason}; export the model again") from None

    def sha256(self) -> str:
        """SHA-256 of `export.json`, which holds the digests of the graphs."""
        return file_sha256(self.path / EXPORT)

    def graph(self, name: str) -> Path:
        """Path of a graph, after its digest was checked.

        Raises:
            CheckpointError: if it is missing, truncated or changed.
        """
        path = self.path / name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing; export the model again")
        if file_sha256(path) != self.digests.get(name):
            raise CheckpointError(
                f"{path} is truncated or modified: its SHA-256 differs from the one in {EXPORT}; "
                "export the model again"
            )
        return path

    def check_size(self, size: Size, photo: Size) -> None:
        """Refuse a photo that needs a larger input than was exported; a smaller one is padded.

        Args:
            size: (height, width) of the input that the photo needs.
            photo: (height, width) of the photo.

        Raises:
            InputError: naming the size to export for.
        """
        if self.image_size is None:
            return
        if size[0] > self.image_size[0] or size[1] > self.image_size[1]:
            raise InputError(
                f"the {photo[1]}x{photo[0]} photo needs an input of {size[0]} rows and {size[1]} "
                f"columns at the model's pixels per radian, but {self.path} was exported for "
                f"{self.image_size[0]} rows and {self.image_size[1]} columns; export with --height "
                f"{size[0]} --width {size[1]}, or without both options for any size"
            )
