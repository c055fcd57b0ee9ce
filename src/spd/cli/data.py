"""`spd data`: make rooms; look at data, check, convert and fetch it."""

import enum
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
    focal_px: Annotated[
        float | None,
        typer.Option("--focal-px", help="Focal length; by default of NYU's field of view."),
    ] = None,
    points: Annotated[
        int, typer.Option("--points", min=0, help="Exact sub-pixel points of each frame.")
    ] = 4096,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; by default one per core."),
    ] = None,
) -> None:
    """Render synthetic rooms with exact depth; goes on where it was interrupted.

    Example: `spd data rooms rooms --count 400 --val-count 24`
    """
    from spd.files import check_folder
    from spd.photos.focal import check_focal

    if focal_px is not None:
        check_focal(focal_px, (height, width))
    check_folder(folder)
    from spd.data.make_rooms import make_rooms
    from spd.terminal import progress_bar

    print(f"rendering {count + val} rooms into {folder}", flush=True)
    with progress_bar("rendering rooms") as progress:
        make_rooms(
            folder,
            count,
            validation=val,
            seed=seed,
            size=(height, width),
            focal_px=focal_px,
            points=points,
            workers=workers,
            progress=progress,
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
    from spd.cli.early import check_sources
    from spd.files import check_writable

    check_writable(out, ".png")
    check_sources(sources)
    from spd.data.sources import open_samples
    from spd.figures import contact_sheet

    samples = open_samples(sources)
    shown = min(count, len(samples))
    drawn = [samples[n * len(samples) // shown] for n in range(shown)]
    which = f"{shown:,} of {len(samples):,} frame(s)"
    contact_sheet(drawn, out, title=f"{' '.join(sources)}: whole frames, {which}")
    print(f"the picture is in {out}: {which}")


@app.command()
def views(
    source: Annotated[str, typer.Argument(help="PATH[:SPLIT][,key=value]...")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")],
    recipe: Annotated[str, typer.Option("--recipe", help="Whose camera and points.")] = "nyu_v15_2",
    count: Annotated[int, typer.Option("--count", min=1, help="Views to show, one a frame.")] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, other views.")] = 0,
) -> None:
    """Draw what the network sees in training: augmented crops, their depth and points.

    Example: `spd data views rooms:train --recipe nyu_v15_2 --out out/views.png`
    """
    from spd.cli.early import check_sources
    from spd.files import check_writable
    from spd.recipes import recipe as find_recipe

    camera, how = find_recipe(recipe).model.camera, find_recipe(recipe).train
    check_writable(out, ".png")
    check_sources([source])
    import numpy as np

    from spd.data.sources import open_samples
    from spd.data.transforms import training_view
    from spd.figures import view_sheet

    samples = open_samples([source], metric_only=True)
    shown = min(count, len(samples))
    drawn = [
        training_view(
            samples[number * len(samples) // shown],
            camera,
            how.points_per_image,
            np.random.default_rng([seed, number]),
            augment=how.augment,
        )
        for number in range(shown)
    ]
    size = f"{camera.crop_height_px}x{camera.crop_width_px} px"
    which = f"{shown:,} of {len(samples):,} frame(s)"
    seen = f"random crops of {size} at focal length {camera.focal_px:g} px"
    view_sheet(drawn, out, f"{source} as {recipe} trains on it: {seen}, {which}")
    print(f"the picture is in {out}: one {size} view each of {which}")


@app.command()
def check(
    source: Annotated[str, typer.Argument(help="PATH[:SPLIT][,key=value]...")],
    against: Annotated[
        str | None,
        typer.Option("--against", help="A source it must hold no frame of, compared by sight."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read every frame, not 32.")] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; by default one per core."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a source is and what speaks against it; exits with 0 if it is usable, else 2.

    Example: `spd data check nyu_depth_v2_labeled.mat:train --full`
    """
    from spd.cli.early import check_sources

    check_sources([source] if against is None else [source, against])
    import json

    from spd.data.check import check_source, format_check
    from spd.terminal import progress_bar

    with progress_bar("reading frames") as progress:
        report = check_source(source, against, full, workers=workers, progress=progress)
    print(json.dumps(report.to_dict(), indent=1) if as_json else format_check(report))
    if not report.usable:
        raise typer.Exit(2)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="PATH[:SPLIT][,key=value]...")],
    folder: Annotated[Path, typer.Argument(help="Where to write the RGB-D folder.")],
    split: Annotated[
        str | None,
        typer.Option("--split", help="What to call the split, instead of its name there."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; by default one per core."),
    ] = None,
    max_broken: Annotated[
        int, typer.Option("--max-broken", min=0, help="Unreadable frames to leave out.")
    ] = 0,
) -> None:
    """Write any source as an RGB-D folder; goes on where it was interrupted.

    Example: `spd data convert nyu/data nyu-folder`
    """
    from spd.cli.early import check_sources
    from spd.files import check_folder

    check_sources([source])
    check_folder(folder)
    from spd.data.convert import broken_lines
    from spd.data.convert import convert as convert_source
    from spd.terminal import progress_bar

    with progress_bar("converting frames") as progress:
        done = convert_source(
            source, folder, split=split, workers=workers, max_broken=max_broken, progress=progress
        )
    for line in broken_lines(done):
        print(f"left out: {line}")
    print(f"{done.written} frames written and {done.kept} kept in {folder}")


class NYUSplit(enum.StrEnum):
    """What of NYU to fetch."""

    TRAIN = "train"
    VAL = "val"
    ALL = "all"


class Fetchable(enum.StrEnum):
    """Data sets that can be fetched."""

    NYU = "nyu"


@app.command()
def fetch(
    dataset: Annotated[Fetchable, typer.Argument(help="Which data set.")],
    folder: Annotated[Path, typer.Argument(help="Where to put it.")],
    split: Annotated[NYUSplit, typer.Option("--split", help="What of it.")] = NYUSplit.ALL,
) -> None:
    """Download NYU Depth V2 (35 GB) from the hub; goes on where it was interrupted.

    Example: `spd data fetch nyu nyu --split val`
    """
    from spd.data.fetch import fetch_nyu
    from spd.files import check_folder

    check_folder(folder)
    archives = fetch_nyu(folder, split.value, tell=lambda text: print(text, flush=True))
    print(f"{len(archives)} archives are in {archives[0].parent}; look: spd data check {folder}")


@app.command()
def extract(
    archives: Annotated[list[Path], typer.Argument(help="The tar files.")],
    folder: Annotated[Path, typer.Argument(help="Where to unpack them.")],
) -> None:
    """Unpack tar archives, safely; goes on where it was interrupted.

    Example: `spd data extract nyu/data/val-000000.tar nyu/data/val-000001.tar nyu-files`
    """
    from spd.data.fetch import extract as extract_archives
    from spd.terminal import progress_bar

    with progress_bar("unpacking") as progress:
        written = extract_archives(archives, folder, progress=progress)
    print(f"{written} files unpacked into {folder}")
