"""Folder of an ONNX export: write it, and compare its answers with torch."""

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from spd._version import __version__
from spd.errors import CheckpointError, counted, require
from spd.export.graphs import OPSET, check_exportable, encode_graph, fused_graph, query_graph
from spd.export.half_weights import narrow_weights
from spd.export.int8 import CalibrationFrames, quantise_encoder
from spd.files import atomic_path, file_sha256
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.default_dtype import float32_by_default
from spd.models.spd import SPD
from spd.pixels import Size, check_image_size
from spd.runtimes.engines import installed_runtimes, open_engine
from spd.runtimes.folder import (
    ENCODE,
    EXPORT,
    FORMAT,
    FUSED,
    QUERY,
    QUERY_WEIGHTS,
    ExportFolder,
)

_PARITY_SIZES: tuple[Size, ...] = ((168, 224), (42, 70))
_PARITY_POINTS = 256


@dataclasses.dataclass(frozen=True, slots=True)
class Parity:
    """Largest difference between a runtime and torch, over random images and points."""

    runtime: str
    """Name of the runtime."""
    image_size: Size
    """(height, width) of the images."""
    points: int
    """Number of compared points, borders and corners included."""
    max_abs_m: float
    """Largest difference in metres."""
    max_rel: float
    """Largest difference relative to torch's answer."""

    def __str__(self) -> str:
        height, width = self.image_size
        points = counted(self.points, "point")
        return (
            f"{self.runtime} against torch at {height}x{width}, {points}: "
            f"the largest difference is {self.max_abs_m:.2g} m absolute and {self.max_rel:.2g} "
            "relative"
        )


def write_export(
    model: SPD,
    out: Path,
    *,
    source: str,
    weights_sha256: str,
    size: Size | None = None,
    training_median_m: float | None = None,
    calibration: CalibrationFrames | None = None,
    fused: bool = True,
) -> ExportFolder:
    """Export a model into a new folder, which appears whole.

    Args:
        model: the model, in float32 on the CPU.
        out: the folder; must not exist.
        source: name of the model.
        weights_sha256: SHA-256 of the weights file.
        size: fixed (height, width) of images in pixels; None is any size.
        training_median_m: median depth of the training data in metres, if known.
        calibration: frames to make an int8 encoder with.
        fused: whether to also write both graphs as one.

    Raises:
        ConfigError: if the model cannot be exported.
        MissingExtraError: if a package for exporting is not installed.
        InputError: if the size is not a multiple of 14.
        CheckpointError: if the folder exists.
        DataError: if it cannot be written.
    """
    check_exportable(model)
    require("onnx", "onnxscript")
    if size is not None:
        check_image_size(size)
    if out.exists():
        raise CheckpointError(f"{out} already exists; remove it or choose a different -o")
    encode, query = encode_graph(model, size), query_graph(model)
    narrow_weights(encode)
    narrow_weights(query)
    graphs = {ENCODE: encode, QUERY: query}
    if fused:
        graphs[FUSED] = fused_graph(encode, query)
    with atomic_path(out) as folder:
        folder.mkdir()
        for name, graph in graphs.items():
            (folder / name).write_bytes(graph.SerializeToString())
        packed = cast(CrossAttentionPath, model.local_path).packed()
        (folder / QUERY_WEIGHTS).write_bytes(packed.numpy().astype("<f4").tobytes())
        about = {
            "format": FORMAT,
            "spd": __version__,
            "source": source,
            "weights_sha256": weights_sha256,
            "opset": OPSET,
            "image_size": None if size is None else list(size),
            "training_median_m": training_median_m,
            "model": model.config.to_dict(),
        }
        write_about(folder, about)
        if calibration is not None:
            quantise_encoder(ExportFolder.read(folder), calibration)
            write_about(folder, about)
    return ExportFolder.read(out)


def write_about(folder: Path, about: dict[str, Any]) -> None:
    """Write `export.json` with the digests of the folder's files."""
    files = {
        path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != EXPORT
    }
    text = json.dumps(about | {"files": files}, indent=1) + "\n"
    (folder / EXPORT).write_text(text, encoding="utf-8")


def check_parity(model: SPD, folder: ExportFolder, threads: int | None = None) -> list[Parity]:
    """Compare every installed runtime in float32 with torch."""
    sizes = (folder.image_size,) if folder.image_size else _PARITY_SIZES
    found = []
    for runtime in installed_runtimes():
        engine = open_engine(folder, runtime, "float32", threads)
        for size in sizes:
            images, points = random_question(size)
            with torch.inference_mode():
                expected = model.query(model.encode(images), points).numpy()
            got = engine.query(engine.encode(images.numpy()), points.numpy())
            gap = np.abs(got - expected)
            found.append(
                Parity(runtime, size, points[..., 0].numel(), gap.max(), (gap / expected).max())
            )
    return found


@float32_by_default()
def random_question(size: Size, batch: int = 2) -> tuple[Tensor, Tensor]:
    """Images of noise, and points with some on the borders and in the corners."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, 3, *size, generator=generator)
    extent = torch.tensor([size[1], size[0]], dtype=torch.float32)
    points = torch.rand(batch, _PARITY_POINTS, 2, generator=generator) * extent - 0.5
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    points[:, :4] = corners * extent - 0.5
    points[:, 4:8, 0] = -0.5
    points[:, 8:12, 1] = extent[1] - 0.5
    return images, points
