"""The options of `spd batch`; `spd.cli.batch` does the work, imported when it is asked for."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spd.cli.options import Device, Model, Precision, Runtime


def batch(
    inputs: Annotated[
        list[str], typer.Argument(help="Folders, globs, photos; tables .parquet or .csv.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the parts.")],
    points: Annotated[
        list[str] | None,
        typer.Option("--points", help="Points u,v asked of every photo, without a table."),
    ] = None,
    grid: Annotated[
        str | None, typer.Option("--grid", help="Or a grid of points, COLUMNSxROWS.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", help="What paths in tables start from; by default their folder."),
    ] = None,
    model: Model = None,
    device: Device = None,
    runtime: Runtime = None,
    precision: Precision = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option("--engine", help="This machine, or a Ray cluster (RAY_ADDRESS)."),
    ] = "local",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Processes, each with the network.")
    ] = 1,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Of each process.")
    ] = None,
    photos_per_part: Annotated[
        int, typer.Option("--photos-per-part", min=1, help="How often what is done is kept.")
    ] = 256,
    maps: Annotated[
        Literal["npy", "png16"] | None,
        typer.Option("--maps", help="Write a map of every photo too: float32, or millimetres."),
    ] = None,
    fail_on_error: Annotated[
        bool, typer.Option("--fail-on-error", help="Exit with 1 if any row has an error.")
    ] = False,
) -> None:
    """Ask many photos: a table of depths in parts; the same command goes on after a kill.

    Example: `spd batch detections.parquet -o out/depths --model runs/rooms_tiny`
    """
    from spd.batch import Asked, BatchSettings, Computation
    from spd.cli.batch import batch_photos
    from spd.cli.query import parse_fields, parse_point

    if points and grid:
        raise typer.BadParameter("--points and --grid exclude each other")
    asked = Asked(
        inputs=tuple(inputs),
        points=tuple(parse_point(text) for text in points or []),
        grid=parse_fields(grid) if grid is not None else None,
        root=root,
    )
    computed = Computation(
        model=model, device=device, runtime=runtime, precision=precision, threads=threads
    )
    settings = BatchSettings(
        out=out,
        computed=computed,
        engine=engine,
        workers=workers,
        photos_per_part=photos_per_part,
        maps=maps,
    )
    code = batch_photos(asked, settings, fail_on_error=fail_on_error)
    if code:
        raise typer.Exit(code)
