"""`spd data`: make synthetic rooms; show, check, convert and download data."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spd.cli.guard import Reads, Writes
from spd.errors import counted

app = typer.Typer(help="Generate, show, check, convert and download data.", no_args_is_help=True)

SourceArgument = Annotated[
    str,
    typer.Argument(help="Data to read: PATH[:SPLIT][,key=value]... (docs/formats.md)."),
    Reads(data=True),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="PNG file to write."), Writes()]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Number of processes; default: one per core.")
]


@app.command()
def rooms(
    folder: Annotated[Path, typer.Argument(help="Output folder."), Writes(folder=True)],
    count: Annotated[int, typer.Option("--count", min=0, help="Number of training rooms.")] = 400,
    val: Annotated[
        int, typer.Option("--val-count", min=0, help="Number of validation rooms.")
    ] = 24,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed for all rooms.")] = 0,
    height: Annotated[int, typer.Option("--height", min=28, help="Image height in pixels.")] = 480,
    width: Annotated[int, typer.Option("--width", min=28, help="Image width in pixels.")] = 640,
    focal_px: Annotated[
        float | None,
        typer.Option(
            "--focal-px", help="Focal length in pixels; default: matches NYU's field of view."
        ),
    ] = None,
    points: Annotated[
        int, typer.Option("--points", min=0, help="Number of exact sub-pixel points per image.")
    ] = 4096,
    workers: WorkersOption = None,
) -> None:
    """Render synthetic rooms with exact depth; an interrupted run resumes.

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
    print(f"wrote {count} training and {val} validation rooms to {folder}")


@app.command()
def sheet(
    sources: Annotated[
        list[str],
        typer.Argument(help="One or more sources: PATH or PATH:SPLIT."),
        Reads(data=True),
    ],
    out: OutOption,
    count: Annotated[int, typer.Option("--count", min=1, help="Number of images to show.")] = 12,
) -> None:
    """Draw a contact sheet of images and their depth maps.

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
    print(f"wrote {out}: {which}")


@app.command()
def views(
    source: SourceArgument,
    out: OutOption,
    recipe: Annotated[
        str,
        typer.Option("--recipe", help="Recipe that sets the camera and the number of points."),
        Reads(),
    ] = "nyu_v15_2",
    count: Annotated[
        int, typer.Option("--count", min=1, help="Number of views to show, one per frame.")
    ] = 12,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Random seed for the views.")] = 0,
) -> None:
    """Draw the network's training inputs: augmented crops with their depth and points.

    Example: `spd data views rooms:train --recipe nyu_v15_2 --out out/views.png`
    """
    from spd.cli.early import check_sources
    from spd.files import check_writable
    from spd.recipes import recipe as find_recipe

    camera, train = find_recipe(recipe).model.camera, find_recipe(recipe).train
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
            train.points_per_image,
            np.random.default_rng([seed, number]),
            augment=train.augment,
        )
        for number in range(shown)
    ]
    size = f"{camera.crop_height_px}x{camera.crop_width_px} px"
    which = f"{shown:,} of {len(samples):,} frame(s)"
    crops = f"random crops of {size} at focal length {camera.focal_px:g} px"
    view_sheet(drawn, out, f"{source}, training input of {recipe}: {crops}, {which}")
    print(f"wrote {out}: {which}, one {size} view each")


@app.command()
def check(
    source: SourceArgument,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Fail if any image also appears in this source (perceptual hash).",
        ),
        Reads(data=True),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read every frame instead of a sample of 32.")
    ] = False,
    workers: WorkersOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Report the format, statistics and problems of data; exit with 0 if usable, else 2.

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
    source: SourceArgument,
    folder: Annotated[Path, typer.Argument(help="RGB-D folder to write."), Writes(folder=True)],
    split: Annotated[
        str | None,
        typer.Option(
            "--split", help="Name of the split in the output; default: its name in the source."
        ),
    ] = None,
    workers: WorkersOption = None,
    max_broken: Annotated[
        int, typer.Option("--max-broken", min=0, help="Skip up to this many unreadable frames.")
    ] = 0,
) -> None:
    """Convert data in any supported format to an RGB-D folder; an interrupted run resumes.

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
    print(f"{counted(done.written, 'frame')} written to {folder}, {done.kept} already there")


@app.command()
def fetch(
    dataset: Annotated[Literal["nyu"], typer.Argument(help="Data set to download.")],
    folder: Annotated[Path, typer.Argument(help="Output folder."), Writes(folder=True, keeps=True)],
    split: Annotated[
        Literal["train", "val", "all"], typer.Option("--split", help="Split to download.")
    ] = "all",
) -> None:
    """Download NYU Depth V2 (35 GB) from the Hugging Face hub; an interrupted download resumes.

    Example: `spd data fetch nyu nyu --split val`
    """
    from spd.data.fetch import fetch_nyu
    from spd.files import check_folder

    check_folder(folder)
    archives = fetch_nyu(folder, split, tell=lambda text: print(text, flush=True))
    print(
        f"{len(archives)} archives are in {archives[0].parent}; next run: spd data check {folder}"
    )


@app.command()
def extract(
    archives: Annotated[list[Path], typer.Argument(help="Tar files.")],
    folder: Annotated[Path, typer.Argument(help="Output folder."), Writes(folder=True, keeps=True)],
) -> None:
    """Unpack tar archives safely; an interrupted run resumes.

    Example: `spd data extract nyu/data/val-000000.tar nyu/data/val-000001.tar nyu-files`
    """
    from spd.data.fetch import extract as extract_archives
    from spd.terminal import progress_bar

    with progress_bar("unpacking") as progress:
        written = extract_archives(archives, folder, progress=progress)
    print(f"unpacked {counted(written, 'file')} into {folder}")
