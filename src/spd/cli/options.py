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
