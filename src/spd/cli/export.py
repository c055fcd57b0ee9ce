"""`spd export`: a model as ONNX graphs for other runtimes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spd.cli.guard import Reads, Writes
from spd.cli.options import Threads

if TYPE_CHECKING:
    from spd.export.int8 import CalibrationFrames

app = typer.Typer(help="Export a model to other formats.", no_args_is_help=True)


@app.command()
def onnx(
    model: Annotated[
        str, typer.Argument(help="Checkpoint, training run, hub id or shipped."), Reads()
    ] = "shipped",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="New folder to write."), Writes(folder=True)
    ] = Path("export"),
    height: Annotated[
        int | None,
        typer.Option("--height", help="Fixed image height in pixels; default: any multiple of 14."),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option("--width", help="Fixed image width in pixels; default: any multiple of 14."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Add an int8 encoder; requires --calibrate.")
    ] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option("--calibrate", help="Data for calibrating and scoring the int8 export."),
        Reads(data=True),
    ] = None,
    images: Annotated[
        int,
        typer.Option(
            "--images",
            min=1,
            help="Number of calibration frames; accuracy is measured on the same number of others.",
        ),
    ] = 32,
    fused: Annotated[
        bool,
        typer.Option("--fused/--no-fused", help="Also write both graphs combined as spd.onnx."),
    ] = True,
    threads: Threads = None,
) -> None:
    """Write encode.onnx, query.onnx and both combined as spd.onnx, and compare them with torch.

    Example: `spd export onnx runs/rooms_tiny -o exported`
    """
    from spd.cli.early import check_sources
    from spd.errors import ConfigError, InputError
    from spd.pixels import check_image_size
    from spd.processes import use_threads

    use_threads(threads)
    if (height is None) != (width is None):
        raise InputError("--height and --width go together; pass both, or neither for any size")
    size = None if height is None or width is None else (height, width)
    if size is not None:
        check_image_size(size)
    if int8 != bool(calibrate):
        raise ConfigError(
            "--int8 and --calibrate go together: calibration frames set the int8 ranges"
        )
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
    """Export, then print the differences of runtimes from torch and of int8 from float32."""
    from spd.checkpoints.folder import WEIGHTS
    from spd.cli.early import check_new, find_own

    folder = find_own(model, "exported")
    check_new(out)
    calibration = _calibration(calibrate, images) if calibrate else None
    from spd.checkpoints.checkpoint import load_checkpoint
    from spd.export.int8 import score_int8
    from spd.export.onnx_folder import check_parity, write_export
    from spd.files import file_sha256

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
    sizes = "any multiple of 14" if size is None else f"{size[0]}x{size[1]} only"
    print(f"opset {exported.opset}, image size {sizes}, any batch and number of points")
    for parity in check_parity(network, exported):
        print(parity)
    if calibration is not None:
        for comparison in score_int8(exported, calibration):
            print(comparison)


def _calibration(sources: list[str], images: int) -> "CalibrationFrames":
    from spd.data.sources import open_samples
    from spd.errors import require
    from spd.export.int8 import CalibrationFrames

    require("onnxruntime")  # it quantises
    return CalibrationFrames.draw(open_samples(sources, metric_only=True), images)
