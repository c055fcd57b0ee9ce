"""The folder of an export: ONNX graphs, and `export.json` that describes them.

`export.json` holds the model's configuration, its camera, the input size, and a digest of each
file, so that a changed or truncated graph, or a file of its tensors, is refused before a runtime
loads it.
"""

import dataclasses
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import Field

from spd.config import PATCH, Float, Frozen, Int, ModelConfig
from spd.errors import CheckpointError, ConfigError, InputError
from spd.files import file_sha256, read_json
from spd.pixels import Size
from spd.runtimes.external_data import external_files

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


_Side = Annotated[Int, Field(ge=2 * PATCH, le=1000 * PATCH, multiple_of=PATCH)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _File(Frozen):
    """A file of the export."""

    model_config = pydantic.ConfigDict(extra="ignore")
    sha256: _Digest
    bytes: Int = Field(0, ge=0)


class _About(Frozen):
    """Content of `export.json`; keys of other versions are ignored."""

    model_config = pydantic.ConfigDict(extra="ignore")
    format: Int
    spd: str = Field("", max_length=100)
    source: str = Field(max_length=4096)
    weights_sha256: str = Field(max_length=64)
    opset: Int = Field(ge=1, le=1000)
    image_size: tuple[_Side, _Side] | None
    training_median_m: Annotated[Float, Field(gt=0, le=10_000)] | None
    model: ModelConfig
    files: dict[str, _File]


def is_export(source: str | Path | None) -> bool:
    """True for a folder that `spd export onnx` wrote, and for its `export.json`."""
    if not isinstance(source, str | os.PathLike):
        return False
    path = Path(source)
    return path.name == EXPORT or os.path.isfile(path / EXPORT)  # False if it cannot be looked up


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
            data = read_json(file)
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
                f"{file} has format {reprlib.repr(found)}, but this version of spd reads format "
                f"{FORMAT}; export the model again"
            )
        for name, field in _About.model_fields.items():
            if field.is_required() and name not in data:
                raise CheckpointError(f"{file} lacks the key {name!r}; export the model again")
        try:
            about = _About.from_dict(data)
        except ConfigError as error:
            reason = str(error).removeprefix("_About: ")
            raise CheckpointError(f"{file} is damaged ({reason}); export the model again") from None
        return cls(
            path=folder,
            config=about.model,
            image_size=about.image_size,
            opset=about.opset,
            source=about.source,
            weights_sha256=about.weights_sha256,
            training_median_m=about.training_median_m,
            digests={name: entry.sha256 for name, entry in about.files.items()},
        )

    def sha256(self) -> str:
        """SHA-256 of `export.json`, which holds the digests of the graphs."""
        return file_sha256(self.path / EXPORT)

    def graph(self, name: str) -> Path:
        """Path of a graph, after its digest and those of its external tensors were checked.

        Raises:
            CheckpointError: if a file is missing, truncated or changed, or lies elsewhere.
        """
        path = self.file(name)
        for location in sorted(external_files(path)):
            if os.path.basename(location) != location or location not in self.digests:
                raise CheckpointError(
                    f"{path} keeps tensors in {reprlib.repr(location)}; expected a file in the "
                    f"same folder that {EXPORT} lists"
                )
            self.file(location)
        return path

    def file(self, name: str) -> Path:
        """Path of a file of the export, after its digest was checked.

        Raises:
            CheckpointError: if it is missing, truncated or changed.
        """
        path = self.path / name
        if not os.path.isfile(path):
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
