"""Storing weights in float16 where that is exact: half the file, the same answers.

It is exact for all weights of a packed model (`spd pack`); other weights stay in float32. A runtime
casts the weights to float32 once, when it loads the graph.
"""

from typing import Any

import numpy as np

_FEWEST = 64  # elements of a weight for which a cast is worthwhile
_SUFFIX = "/half"


def narrow_weights(graph: Any) -> None:
    """Store weights of an `onnx.ModelProto` as float16 where that is exact, in place."""
    from onnx import TensorProto, helper, numpy_helper

    kept, casts = [], []
    for weight in graph.graph.initializer:
        halved = _halved(numpy_helper.to_array(weight))
        if halved is None:
            kept.append(weight)
            continue
        name = f"{weight.name}{_SUFFIX}"
        kept.append(numpy_helper.from_array(halved, name))
        casts.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
    _replace(graph.graph.initializer, kept)
    _replace(graph.graph.node, [*casts, *graph.graph.node])


def widen_weights(graph: Any) -> None:
    """Undo `narrow_weights`; the quantiser recognises only plain weights."""
    from onnx import numpy_helper

    def is_cast(node: Any) -> bool:
        return node.op_type == "Cast" and node.input[0].endswith(_SUFFIX)

    full_names = {node.input[0]: node.output[0] for node in graph.graph.node if is_cast(node)}
    kept = []
    for weight in graph.graph.initializer:
        if weight.name in full_names:
            values = numpy_helper.to_array(weight).astype(np.float32)
            weight = numpy_helper.from_array(values, full_names[weight.name])
        kept.append(weight)
    _replace(graph.graph.initializer, kept)
    _replace(graph.graph.node, [node for node in graph.graph.node if not is_cast(node)])


def _halved(values: np.ndarray) -> np.ndarray | None:
    if values.dtype != np.float32 or values.size < _FEWEST:
        return None
    with np.errstate(over="ignore"):  # infinity differs, so the weight stays float32
        halved: np.ndarray = values.astype(np.float16)
    return halved if np.array_equal(halved.astype(np.float32), values) else None


def _replace(repeated: Any, items: list[Any]) -> None:
    copies = [type(item).FromString(item.SerializeToString()) for item in items]
    del repeated[:]
    repeated.extend(copies)
