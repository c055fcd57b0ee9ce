"""`spd batch`: options, checks, a progress bar, and a summary."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spd.cli.guard import Reads, Writes
from spd.cli.options import (
    DEFAULT_INPUT_MEGAPIXELS,
    DEFAULT_MEGAPIXELS,
    Device,
    MaxInputMegapixels,
    MaxMegapixels,
    Memory,
    Model,
    Precision,
    Runtime,
)

if TYPE_CHECKING:
    from spd.batch import BatchInput, BatchSettings, BatchSummary

_SHOWN = 5


def batch(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Photos, folders, globs, or .parquet or .csv tables."),
        Reads(),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Output folder for the tables."),
        Writes(folder=True),
    ],
    points: Annotated[
        list[str] | None,
        typer.Option(
            "--points",
            metavar="U,V ...",
            help="Points to query on every photo, in place of a table.",
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid",
            help="Query a regular COLUMNSxROWS grid on every photo instead of --points.",
        ),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            help="Base folder for relative paths in tables; default: the table's folder.",
        ),
    ] = None,
    model: Model = None,
    device: Device = None,
    runtime: Runtime = None,
    precision: Precision = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option("--engine", help="Run on this machine or on the Ray cluster at RAY_ADDRESS."),
    ] = "local",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Number of processes; each loads the model.")
    ] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            help="CPU threads per process. Default: that of `spd query`, divided by --workers.",
        ),
    ] = None,
    photos_per_part: Annotated[
        int,
        typer.Option(
            "--photos-per-part",
            min=1,
            help="Photos per output file; progress is saved after each file.",
        ),
    ] = 256,
    maps: Annotated[
        Literal["npy", "png16"] | None,
        typer.Option(
            "--maps",
            help="Also write depth maps: float32 metres (npy) or 16-bit millimetres (png16).",
        ),
    ] = None,
    table_form: Annotated[
        Literal["parquet", "csv"] | None,
        typer.Option(
            "--format",
            help="Format of the tables; default: parquet if pyarrow is installed, otherwise csv.",
        ),
    ] = None,
    max_megapixels: MaxMegapixels = DEFAULT_MEGAPIXELS,
    max_input_megapixels: MaxInputMegapixels = DEFAULT_INPUT_MEGAPIXELS,
    memory: Memory = None,
    fail_on_error: Annotated[
        bool, typer.Option("--fail-on-error", help="Exit with 1 if any row has an error.")
    ] = False,
) -> None:
    """Query many photos and write Parquet or CSV files; run the same command again to resume.

    Example: `spd batch detections.parquet -o out/depths --model runs/rooms_tiny`
    """
    from spd.batch import BatchInput, BatchSettings
    from spd.cli.points import parse_grid, parse_point
    from spd.memory import limit_this_process
    from spd.photos.limits import PhotoLimits
    from spd.photos.opening import quiet_decoders
    from spd.predictors.model_options import ModelOptions
    from spd.processes import use_threads

    if points and grid:
        raise typer.BadParameter("--points and --grid cannot be combined")
    batch_input = BatchInput(
        inputs=tuple(inputs),
        points=tuple(parse_point(text) for text in points or []),
        grid=parse_grid(grid) if grid is not None else None,
        root=root,
    )
    options = ModelOptions(
        model=model,
        device=device,
        runtime=runtime,
        precision=precision,
        threads=threads,
        limits=PhotoLimits.of(max_megapixels, max_input_megapixels),
        memory=memory,
    )
    if engine == "local":
        use_threads(threads)
        limit_this_process(memory)
        quiet_decoders()
    settings = BatchSettings(
        out=out,
        model=options,
        engine=engine,
        workers=workers,
        photos_per_part=photos_per_part,
        maps=maps,
        table_form=table_form,
    )
    _check(settings)
    summary = _run(batch_input, settings)
    for warning in summary.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print(_describe(summary))
    if summary.failed == summary.rows or (fail_on_error and summary.failed > 0):
        raise typer.Exit(1)


def _check(settings: "BatchSettings") -> None:
    """Check the settings, the model and the device before anything is loaded."""
    settings.check()
    location = settings.model.locate()
    location.refuse_relative()
    device = settings.model.device
    if device is not None and location.runtime == "torch" and settings.engine == "local":
        from spd.predictors.devices import choose_device

        choose_device(device)


def _run(batch_input: "BatchInput", settings: "BatchSettings") -> "BatchSummary":
    """Run the batch with a progress bar."""
    from spd.batch import run_batch
    from spd.terminal import progress_bar

    try:
        with progress_bar("rows", "{failed} errors", failed=0) as update:
            return run_batch(
                batch_input,
                settings,
                lambda done, rows, failed: update(done, rows, failed=failed),
            )
    except KeyboardInterrupt:
        print(
            f"stopped; finished parts are in {settings.out}; run the same command again to resume",
            file=sys.stderr,
        )
        raise


def _describe(summary: "BatchSummary") -> str:
    """The summary as text."""
    from spd.errors import counted, listed
    from spd.files import storable

    lines = [
        f"wrote {counted(summary.rows, 'row')} for {counted(summary.photos, 'photo')} to "
        f"{counted(summary.parts, 'part')} in "
        f"{summary.out}"
    ]
    if summary.rows_before == summary.rows:
        lines.append("all rows were already finished")
    elif summary.rows_before:
        lines.append(f"{summary.rows_before} of them were already finished")
    if summary.rows_before and summary.changed + summary.added:
        added = counted(summary.added, "new photo")
        lines.append(f"processed {summary.changed} changed and {added}")
    if summary.removed:
        named = listed([storable(path) for path in summary.removed], _SHOWN)
        lines.append(
            f"removed the rows of {counted(len(summary.removed), 'photo')} no longer in the input: "
            f"{named}"
        )
    now = summary.rows - summary.rows_before
    if now:
        lines.append(f"computed {counted(now, 'row')} in {summary.seconds:.1f} s")
    if summary.failed:
        verb = "has" if summary.failed == 1 else "have"
        lines.append(f"{counted(summary.failed, 'row')} {verb} errors:")
        shown = list(summary.errors.items())[:_SHOWN]
        lines += [f"  {count} x {error}" for error, count in shown]
        if len(summary.errors) > len(shown):
            more = counted(len(summary.errors) - len(shown), "other error")
            lines.append(f"  and {more} (see the error column)")
    return "\n".join(lines)
