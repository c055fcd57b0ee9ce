"""The folder that `spd export onnx` writes: graphs, and `export.json`, which describes them.

The file makes a folder of graphs a model: its configuration, its camera, the sizes it takes, and a
digest of each graph, so that a changed or truncated one is refused before a runtime guesses at it.
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
FORMAT = 1  # of the file; another is refused

ENCODE = "encode.onnx"
ENCODE_INT8 = {
    "onnxruntime": "encode.int8.onnx",
    "openvino": "encode.int8.openvino.onnx",
}
"""In 8 bits, by runtime: what one multiplies fastest the other unpacks first."""
QUERY = "query.onnx"
QUERY_WEIGHTS = "query.weights"
"""Weights that the compiled kernel reads in place of `query.onnx`: float32, in its order."""
FUSED = "spd.onnx"

MAP_NAMES = ("stride_8_map", "l2", "l1")
"""Outputs of `encode.onnx` and inputs of `query.onnx`, each `[B, rows, columns, D]`."""


def is_export(source: str | Path | None) -> bool:
    """Whether this is a folder that `spd export onnx` wrote, or its `export.json`."""
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
    """Configuration of the model, including its camera."""
    image_size: Size | None
    """(height, width) that the encoder takes; None: any."""
    opset: int
    """Version of the ONNX operator set that a runtime must support."""
    source: str
    """Name of the model when it was exported."""
    weights_sha256: str
    """Digest of the weights it was made from."""
    training_median_m: float | None
    """Median training depth in metres; None where it is unknown."""
    digests: Mapping[str, str]
    """SHA-256 of every graph, by name."""

    @classmethod
    def read(cls, source: str | Path) -> "ExportFolder":
        """Read the folder's `export.json`, but not its graphs.

        Raises:
            CheckpointError: if there is none, or it is damaged or of another version.
        """
        path = Path(source)
        folder = path.parent if path.name == EXPORT else path
        file = folder / EXPORT
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CheckpointError(
                f"{folder} holds no {EXPORT}; write an export with: spd export onnx MODEL -o FOLDER"
            ) from None
        except (OSError, ValueError):
            raise CheckpointError(f"{file} is damaged; export the model again") from None
        return cls._parse(folder, file, data)

    @classmethod
    def _parse(cls, folder: Path, file: Path, data: Any) -> "ExportFolder":
        found = data.get("format") if isinstance(data, dict) else None
        if found != FORMAT:
            raise CheckpointError(
                f"{file} is of format {found!r}, and this version of spd reads {FORMAT}; export "
                "the model again"
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
            reason = f"lacks {error}" if isinstance(error, KeyError) else f"is damaged ({error})"
            raise CheckpointError(f"{file} {reason}; export the model again") from None

    def sha256(self) -> str:
        """Digest of `export.json`, which holds those of the graphs."""
        return file_sha256(self.path / EXPORT)

    def graph(self, name: str) -> Path:
        """The path of a graph whose bytes are those that were written.

        Raises:
            CheckpointError: if it is missing, truncated or changed.
        """
        path = self.path / name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing; export the model again")
        if file_sha256(path) != self.digests.get(name):
            raise CheckpointError(
                f"{path} is truncated or was changed: its SHA-256 is not that of {EXPORT}; export "
                "the model again"
            )
        return path

    def check_size(self, size: Size, photo: Size) -> None:
        """Refuse a photo that would become an input of another size than the encoder takes.

        Smaller is padded; `size` is what the photo needs.

        Raises:
            InputError: naming the size to export for.
        """
        if self.image_size is None:
            return
        if size[0] > self.image_size[0] or size[1] > self.image_size[1]:
            raise InputError(
                f"the photo of {photo[1]}x{photo[0]} pixels needs an input of {size[0]} rows and "
                f"{size[1]} columns at the model's pixels per radian, and {self.path} was exported "
                f"for {self.image_size[0]}x{self.image_size[1]}; export with --height {size[0]} "
                f"--width {size[1]}, or without them for any size"
            )
