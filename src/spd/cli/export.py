"""`spd export`: a model as graphs for other runtimes; what can be refused at once is, first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # at run time this loads torch
    from spd.export.int8 import Calibration

app = typer.Typer(help="Write a model in other forms.", no_args_is_help=True)


@app.command()
def onnx(
    model: Annotated[
        str, typer.Argument(help="Checkpoint, training run, hub id, or shipped.")
    ] = "shipped",
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")] = Path("export"),
    height: Annotated[
        int | None, typer.Option("--height", help="Bake this size; by default any multiple of 14.")
    ] = None,
    width: Annotated[int | None, typer.Option("--width", help="Its columns.")] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Add an encoder in 8 bits; needs --calibrate.")
    ] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option("--calibrate", help="Sources of frames to calibrate int8 on, and to score."),
    ] = None,
    images: Annotated[
        int, typer.Option("--images", min=1, help="Frames to calibrate on, and as many to score.")
    ] = 32,
    fused: Annotated[
        bool, typer.Option("--fused/--no-fused", help="Write both graphs as spd.onnx too.")
    ] = True,
) -> None:
    """Write encode.onnx, query.onnx, both as spd.onnx, and compare them with torch.

    Example: `spd export onnx runs/rooms_tiny -o exported`
    """
    from spd.cli.early import check_sources
    from spd.errors import ConfigError, InputError
    from spd.pixels import check_image_size

    if (height is None) != (width is None):
        raise InputError("name both --height and --width, or neither for any size")
    size = None if height is None or width is None else (height, width)
    if size is not None:
        check_image_size(size)
    if int8 != bool(calibrate):
        raise ConfigError("--int8 and --calibrate belong together: ranges are taken from frames")
    check_sources(calibrate or [])
    export_model(model, out, size, calibrate or [], images, fused=fused)


def export_model(
    model: str,
    out: Path,
    size: tuple[int, int] | None,
    calibrate: list[str],
    images: int,
    *,
    fused: bool = True,
) -> None:
    """Export, and print how far the runtimes lie from torch and int8 from float32."""
    from spd.checkpoints.folder import WEIGHTS
    from spd.cli.early import check_new, find_own

    folder = find_own(model, "exported")
    check_new(out)
    calibration = _calibration(calibrate, images) if calibrate else None
    from spd.checkpoints.checkpoint import load_checkpoint
    from spd.export.int8 import score_int8
    from spd.export.onnx_folder import check_parity, write_export
    from spd.runtimes.folder import file_sha256

    network, about = load_checkpoint(folder)
    exported = write_export(
        network,
        out,
        source=model,
        weights_sha256=file_sha256(folder / WEIGHTS),
        size=size,
        training_median_m=about.get("training_median_m"),
        calibration=calibration,
        fused=fused,
    )
    for name in exported.digests:
        print(f"{out / name}: {(out / name).stat().st_size / 1e6:.1f} MB")
    taken = "any multiple of 14" if size is None else f"{size[0]}x{size[1]} alone"
    print(f"opset {exported.opset}, images of {taken}, any batch and number of points")
    for parity in check_parity(network, exported):
        print(parity)
    if calibration is not None:
        for change in score_int8(exported, calibration):
            print(change)


def _calibration(sources: list[str], images: int) -> "Calibration":
    from spd.data.sources import open_samples
    from spd.export.int8 import Calibration, check_quantiser

    check_quantiser()
    return Calibration.draw(open_samples(sources, metric_only=True), images)
