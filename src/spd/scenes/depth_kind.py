"""Kinds of depth prediction, and the error for metres where a prediction has no scale."""

from typing import Literal

from spd.errors import InputError

DepthKind = Literal["metric", "relative-depth", "relative-disparity"]
"""Metres, depth up to scale and shift, or inverse depth up to scale and shift."""


def refuse_relative(kind: DepthKind, source: str = "this model") -> None:
    """Refuse to compute metres from a model that answers without a scale.

    Args:
        kind: what the model answers.
        source: the model's name, for the message.

    Raises:
        InputError: if the model is relative; names what to do instead.
    """
    if kind == "metric":
        return
    protocol = "native-lsq" if kind == "relative-depth" else "native-lsq-disparity"
    raise InputError(
        f"{source} answers {kind.replace('-', ' ')}, which has no scale, so metres cannot be "
        "computed from it; use a metric model (such as "
        "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf), or score this one with an "
        f"alignment: spd evaluate --protocol {protocol}"
    )
