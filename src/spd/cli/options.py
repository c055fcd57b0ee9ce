"""Options that several commands share."""

from typing import Annotated

import typer

MODEL_HELP = "Checkpoint, training run, export, hub id or `shipped` (the model of the package)."

Model = Annotated[str | None, typer.Option("--model", "-m", help=f"{MODEL_HELP} Default: shipped.")]
Device = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda or mps. Default: the quickest that is present."),
]
_CAMERA = "Camera of the photo"
FocalPx = Annotated[
    float | None,
    typer.Option(
        "--focal-px",
        help="Focal length in pixels of the photo. Default: EXIF, else assumed with a warning.",
        rich_help_panel=_CAMERA,
    ),
]
FovDeg = Annotated[
    float | None,
    typer.Option(
        "--fov-deg",
        help="Field of view along the longer side in degrees, instead of --focal-px.",
        rich_help_panel=_CAMERA,
    ),
]
Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        help="torch, onnxruntime or openvino. Default: the quickest with the same metres.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option("--precision", help="Precision of an export: float32 (default), bfloat16, int8."),
]


def read_size(text: str) -> tuple[int, int]:
    """(height, width) in pixels from `HEIGHTxWIDTH`, the value of `--size`.

    Raises:
        InputError: if the text has another form, or a side is 0.
    """
    from spd.errors import InputError

    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise InputError(f"--size {text}: write HEIGHTxWIDTH, such as 350x476")
    return int(height), int(width)
