"""`spd calibrate`: one factor for depth, from distances measured in a photo."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spd.cli.guard import Writes
from spd.cli.options import (
    DEFAULT_INPUT_MEGAPIXELS,
    DEFAULT_MEGAPIXELS,
    Device,
    FocalPx,
    FovDeg,
    MaxInputMegapixels,
    MaxMegapixels,
    Memory,
    Model,
    Overwrite,
    Threads,
)

if TYPE_CHECKING:  # imported when the command runs, so that `spd --help` stays quick
    from spd.photos.camera import CameraOptions
    from spd.predictors.model_options import ModelOptions


def calibrate(
    image: Annotated[
        Path, typer.Argument(help="Photo with measured distances; - is standard input.")
    ],
    known: Annotated[
        list[str] | None,
        typer.Option(
            "--known",
            metavar="U,V,METRES ...",
            help="Pixels and their measured distances from the camera, in metres.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file to write."), Writes()] = Path(
        "calibration.json"
    ),
    model: Model = None,
    focal_px: FocalPx = None,
    fov_deg: FovDeg = None,
    along_axis: Annotated[
        bool,
        typer.Option(
            "--along-axis",
            help="Measured values are depths (camera z), not distances from the camera.",
        ),
    ] = False,
    any_factor: Annotated[
        bool,
        typer.Option(
            "--any-factor",
            help="Write the calibration even if its factor is above 10 or below 0.1.",
        ),
    ] = False,
    device: Device = None,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    max_input_megapixels: MaxInputMegapixels = DEFAULT_INPUT_MEGAPIXELS,
    threads: Threads = None,
    memory: Memory = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit a single scale factor from the model's depth to measured distances, and test the fit.

    Example: `spd calibrate photo.jpg --known 320,240,2.5 100,57,3.1 500,400,1.8`
    """
    from spd.memory import limit_this_process
    from spd.photos.camera import CameraOptions
    from spd.photos.limits import PhotoLimits
    from spd.predictors.model_options import ModelOptions
    from spd.processes import use_threads

    limits = PhotoLimits.of(max_megapixels, max_input_megapixels)
    use_threads(threads)
    limit_this_process(memory)
    calibrate_photo(
        image,
        known or [],
        out,
        ModelOptions(model=model, device=device, limits=limits),
        CameraOptions(focal_px=focal_px, fov_deg=fov_deg),
        along_axis=along_axis,
        any_factor=any_factor,
    )


def calibrate_photo(
    image: Path,
    known: Sequence[str],
    out: Path,
    model: "ModelOptions",
    camera: "CameraOptions",
    *,
    along_axis: bool,
    any_factor: bool = False,
) -> None:
    """Fit a factor to known distances in one photo, print the result and write it.

    A factor above 10 or below 0.1 is an error unless `any_factor` is set, because whoever applies
    the file later does not see the measured distances.

    Raises:
        SPDError: on the first wrong input.
    """
    from spd.cli.photo import encode, noted_warnings, read_file, tell
    from spd.errors import InputError, PointError
    from spd.files import check_writable
    from spd.pixels import as_points, check_inside
    from spd.scenes.calibration import calibrate as fit_scene

    measured = [parse_known(text) for text in known]
    if not measured:
        raise PointError(
            "no measured distances given; pass some, such as --known 320,240,2.5 100,57,3.1"
        )
    check_writable(out, ".json")
    photo = read_file(image, model.limits.max_pixels)
    points = [(u, v) for u, v, _ in measured]
    check_inside(as_points(points), photo.size)
    location = model.locate()
    location.refuse_relative()
    predictor = location.load()
    scene = encode(predictor, photo, camera)
    metres = [distance_m for _, _, distance_m in measured]
    with noted_warnings():
        fitted = fit_scene(scene, points, metres, model=predictor.source, along_axis=along_axis)
        if fitted.is_absurd and not any_factor:
            raise InputError(
                f"{' '.join(fitted.warnings())} To write it all the same, pass --any-factor"
            )
    fitted.write(out)
    tell(fitted.verdict(), out)
    tell(f"wrote the calibration to {out}; apply it with: spd query --calibration {out}", out)


def parse_known(text: str) -> tuple[float, float, float]:
    """Pixel and distance from text `u,v,metres`.

    Raises:
        PointError: if the text is not three numbers.
    """
    from spd.errors import PointError

    try:
        u, v, metres = (float(part) for part in text.split(","))
    except ValueError:
        raise PointError(
            f"--known must be u,v,metres, three numbers (for example 320,240,2.5), got {text!r}"
        ) from None
    return u, v, metres
