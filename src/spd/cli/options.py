"""Options that several commands take."""

from typing import Annotated

import typer

MODEL_HELP = (
    "Checkpoint, training run, export, hub id, or `shipped`: the model that comes with the package."
)

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help=f"{MODEL_HELP} Without it, that one."),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda, mps; by default the best there is."),
]
FovDeg = Annotated[
    float | None,
    typer.Option("--fov-deg", help="Or its field of view along the longer side, in degrees."),
]
Runtime = Annotated[
    str | None,
    typer.Option("--runtime", help="torch, onnxruntime or openvino (docs/export.md)."),
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", help="Of an export: float32, bfloat16 or int8."),
]
