"""`spd data`: make rooms, look at data."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make and look at data.", no_args_is_help=True)


@app.command()
def rooms(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")],
    count: Annotated[int, typer.Option("--count", min=0, help="Rooms to train on.")] = 400,
    val: Annotated[int, typer.Option("--val-count", min=0, help="Rooms to validate on.")] = 24,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other rooms.")] = 0,
    height: Annotated[int, typer.Option("--height", min=28, help="Rows of the images.")] = 480,
    width: Annotated[int, typer.Option("--width", min=28, help="Columns of the images.")] = 640,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; by default one per core."),
    ] = None,
) -> None:
    """Render synthetic rooms with exact depth; goes on where it was interrupted.

    Example: `spd data rooms rooms --count 400 --val-count 24`
    """
    from rich.progress import Progress

    from spd.data.make_rooms import make_rooms

    print(f"rendering {count + val} rooms into {folder}", flush=True)
    with Progress() as progress:
        task = progress.add_task("rendering rooms", total=count + val)
        make_rooms(
            folder,
            count,
            validation=val,
            seed=seed,
            size=(height, width),
            workers=workers,
            progress=lambda done, total: progress.update(task, completed=done),
        )
    print(f"{count} rooms to train on and {val} to validate on are in {folder}")


@app.command()
def sheet(
    sources: Annotated[list[str], typer.Argument(help="FOLDER or FOLDER:SPLIT.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")],
    count: Annotated[int, typer.Option("--count", min=1, help="Frames to show.")] = 12,
) -> None:
    """Draw a contact sheet of images and their depth.

    Example: `spd data sheet rooms:train --out out/rooms.png`
    """
    from spd.data.sources import open_samples
    from spd.figures import contact_sheet

    samples = open_samples(sources)
    shown = min(count, len(samples))
    step = len(samples) / shown
    contact_sheet([samples[int(n * step)] for n in range(shown)], out)
    print(f"{shown} of {len(samples)} frames are drawn in {out}")
