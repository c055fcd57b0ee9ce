"""ONNX graphs of a model: `encode`, `query`, and both as one.

`torch.onnx.export` writes them, with dynamic batch, number of points and (by default) image size.
Maps have their channels last, since a query reads whole cells.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.export import Dim

from spd.config import PATCH
from spd.errors import ConfigError
from spd.export.query_graph import COARSE_CELLS, FINE_CELLS, QueryGraph
from spd.models.default_dtype import float32_by_default
from spd.models.spd import SPD
from spd.pixels import MAX_SIDE_PX, Size
from spd.runtimes.folder import MAP_NAMES
from spd.terminal import quiet_loggers

OPSET = 20  # the first with exact GELU as one operator
# Example sizes: the exporter takes 0 and 1 for constants, and equal sizes for one symbol.
_BATCH, _ROWS, _COLUMNS, _POINTS = 2, 3, 4, 7
_LIMIT = MAX_SIDE_PX // PATCH


class EncodeGraph(nn.Module):
    """Encoder, neck and global path: image in 0..1 to the three maps, channels last."""

    def __init__(self, model: SPD) -> None:
        super().__init__()
        self.encoder, self.neck, self.global_path = model.encoder, model.neck, model.global_path

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the maps of :class:`spd.FeatureMaps`, each `[B, rows, columns, D]`."""
        l1, l2, l3, l4 = self.neck(self.encoder(image))
        stride_8_map = self.global_path(l3, l4, (l2.shape[-2], l2.shape[-1]))
        s8, l2, l1 = (m.permute(0, 2, 3, 1).contiguous() for m in (stride_8_map, l2, l1))
        return s8, l2, l1


def check_exportable(model: SPD) -> None:
    """Refuse a model that cannot be exported.

    Raises:
        ConfigError: if its local path is not `cross_attention`.
    """
    if model.config.local_path != "cross_attention":
        raise ConfigError(
            f"models with local_path {model.config.local_path!r} cannot be exported; expected "
            "cross_attention (v15.2)"
        )


@float32_by_default()
def encode_graph(model: SPD, size: Size | None) -> Any:
    """Make `encode.onnx` (an `onnx.ModelProto`), for one image size or (None) for any."""
    example = torch.rand(_BATCH, 3, *(size or (_ROWS * PATCH, _COLUMNS * PATCH)))
    dims: dict[int, Any] = {0: Dim("batch")}
    if size is None:
        # Sizes are multiples of 14.
        rows, columns = (Dim(n, min=2, max=_LIMIT) for n in ("patch_rows", "patch_columns"))
        dims |= {2: PATCH * rows, 3: PATCH * columns}
    with _plain_attention(model):
        return _export(EncodeGraph(model), (example,), (dims,), ["image"], list(MAP_NAMES))


@float32_by_default()
def query_graph(model: SPD) -> Any:
    """Make `query.onnx` (an `onnx.ModelProto`), for maps of any size."""
    graph = QueryGraph(model.config, model.local_path.state_dict())
    batch, points = Dim("batch"), Dim("points")
    maps, dims = [], []
    # s8 and L2 share their size. Other relations between sizes would slow the exporter down.
    for name, cells in (("8", COARSE_CELLS), ("8", COARSE_CELLS), ("4", FINE_CELLS)):
        maps.append(torch.rand(_BATCH, cells * _ROWS, cells * _COLUMNS, model.config.dim))
        rows, columns = (
            Dim(f"{side}_{name}", min=2 * cells, max=_LIMIT * cells) for side in ("rows", "columns")
        )
        dims.append({0: batch, 1: rows, 2: columns})
    example = (*maps, torch.rand(_BATCH, _POINTS, 2))
    shapes = (*dims, {0: batch, 1: points})
    return _export(graph, example, shapes, [*MAP_NAMES, "points"], ["depth_m"])


def fused_graph(encode: Any, query: Any) -> Any:
    """Make `spd.onnx` (an `onnx.ModelProto`): both graphs, joined at the maps."""
    import onnx
    from onnx.compose import add_prefix, merge_models

    first = add_prefix(encode, "encode/", rename_inputs=False, rename_outputs=False)
    second = add_prefix(query, "query/", rename_inputs=False, rename_outputs=False)
    for node in second.graph.node:  # its inputs have the names of the first graph's outputs
        node.input[:] = [f"query/{name}" if name in MAP_NAMES else name for name in node.input]
    for given in second.graph.input:
        if given.name in MAP_NAMES:
            given.name = f"query/{given.name}"
    joined = merge_models(first, second, io_map=[(name, f"query/{name}") for name in MAP_NAMES])
    onnx.checker.check_model(joined)
    return joined


def _export(
    module: nn.Module,
    example: tuple[Tensor, ...],
    shapes: tuple[dict[int, Any], ...],
    inputs: list[str],
    outputs: list[str],
) -> Any:
    with quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            example,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    return _without_traces(program.model_proto)


def _without_traces(proto: Any) -> Any:
    """Remove the exporter's notes on its own run: paths of this machine, stack traces."""
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (*proto.graph.input, *proto.graph.output):
        del part.metadata_props[:]
    return proto


@contextlib.contextmanager
def _plain_attention(model: SPD) -> Iterator[None]:
    """Compute attention as products and a softmax; the fused one exports with a NaN check."""
    backbone = model.encoder.backbone
    before = backbone.config._attn_implementation
    backbone.set_attn_implementation("eager")
    try:
        yield
    finally:
        backbone.set_attn_implementation(before)


@contextlib.contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence the exporter's warnings, which are not about the model."""
    with quiet_loggers("torch.onnx"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
