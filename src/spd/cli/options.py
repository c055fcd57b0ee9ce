"""Options that several commands share."""

from typing import Annotated

import typer

from spd.cli.guard import Reads

MODEL_HELP = "Checkpoint, training run, export, hub id or `shipped` (the bundled model)."

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help=f"{MODEL_HELP} Default: shipped."),
    Reads(),
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="cpu, cuda or mps. Default: the fastest available."),
]
_CAMERA = "Camera of the photo"
FocalPx = Annotated[
    float | None,
    typer.Option(
        "--focal-px",
        help="Focal length in pixels of the photo. Default: from EXIF, else assumed (warns).",
        rich_help_panel=_CAMERA,
    ),
]
FovDeg = Annotated[
    float | None,
    typer.Option(
        "--fov-deg",
        help="Field of view along the longer side in degrees, in place of --focal-px.",
        rich_help_panel=_CAMERA,
    ),
]
Runtime = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        help="torch, onnxruntime or openvino. Default: the fastest that gives the same depth.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision", help="Precision of an export: float32 (default), bfloat16 or int8."
    ),
]
MaxMegapixels = Annotated[
    float,
    typer.Option(
        "--max-megapixels",
        help="Maximum size of a photo, in megapixels; larger photos are not decoded.",
    ),
]
MaxInputMegapixels = Annotated[
    float,
    typer.Option(
        "--max-input-megapixels",
        help="Maximum size of the network's input, in megapixels; larger inputs are scaled down.",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Maximum memory, such as 2GB; photos that need more are rejected. Default: what the "
        "machine or container has left.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="CPU threads. Default: $OMP_NUM_THREADS, or one per CPU that the process may use.",
    ),
]
DEFAULT_MEGAPIXELS = 178.95697
DEFAULT_INPUT_MEGAPIXELS = 1.0

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace existing files with default names.")
]


def read_size(
    text: str, option: str = "--size", form: str = "HEIGHTxWIDTH", example: str = "350x476"
) -> tuple[int, int]:
    """Two numbers from text such as `350x476`: (height, width) in pixels if it is a size.

    Raises:
        InputError: naming the option and its form, if the text has another form or a number is 0.
    """
    from spd.errors import InputError

    first, cross, second = text.lower().partition("x")
    if not (cross and first.isdecimal() and second.isdecimal() and int(first) and int(second)):
        raise InputError(f"{option} must be {form} (for example {example}), got {text}")
    return int(first), int(second)
