"""Every command's options and help; the work is done elsewhere and imported when it is asked for.

Help texts keep their line breaks (backslash-b paragraphs), each with one example.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from spd.cli import data, export
from spd.cli.ask import calibrate, query
from spd.cli.ask_many import batch
from spd.cli.benchmark import benchmark
from spd.cli.options import MODEL_HELP, Device
from spd.cli.pack import pack
from spd.cli.serve import serve
from spd.cli.train import train

app = typer.Typer(
    help="Metric depth at exactly the pixels you ask for.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.add_typer(data.app, name="data")
app.add_typer(export.app, name="export")

Protocols = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol", help="How numbers are taken: native, bts, ... (docs/evaluation.md)."
    ),
]


def _version(shown: bool) -> None:
    if shown:
        from spd import __version__

        print(f"spd {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Metric depth at exactly the pixels you ask for."""


app.command()(query)
app.command()(calibrate)
app.command()(batch)
app.command()(serve)
app.command()(benchmark)
app.command()(train)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    data: Annotated[list[str], typer.Option("--data", help="FOLDER or FOLDER:SPLIT.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for numbers and pictures.")],
    protocol: Protocols = None,
    boundaries: Annotated[
        Literal["sparse", "dense"] | None,
        typer.Option(
            "--boundaries",
            help="Measure depth edges, every pixel asked (sparse, the default) or not (dense).",
        ),
    ] = None,
    training_data: Annotated[
        list[str] | None,
        typer.Option("--training-data", help="Sources whose median the constant floor says."),
    ] = None,
    max_points: Annotated[
        int | None,
        typer.Option("--max-points", min=1, help="Readings drawn per image; by default all."),
    ] = None,
    view: Annotated[
        Literal["whole", "crop"],
        typer.Option("--view", help="Whole photos, or the training camera's crop in the middle."),
    ] = "whole",
    device: Device = None,
) -> None:
    """Score a model, sparse and dense, at native ground-truth pixels, under named protocols.

    Example: `spd evaluate runs/rooms_tiny --data rooms:val --out out/evaluation`
    """
    from spd.cli.evaluate import Asked, evaluate_model

    evaluate_model(
        Asked(
            model=model,
            data=tuple(data),
            out=out,
            protocols=tuple(protocol or ()),
            boundaries=boundaries,
            training_data=tuple(training_data or ()),
            max_points=max_points,
            view=view,
            device=device,
        )
    )


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that spd evaluate wrote to.")],
    protocol: Protocols = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Check against this ground truth, and draw the picture."),
    ] = None,
    boundaries: Annotated[
        bool | None,
        typer.Option(
            "--boundaries/--no-boundaries", help="Measure depth edges; by default if maps are kept."
        ),
    ] = None,
) -> None:
    """Score stored predictions under other protocols; the network is not run again.

    Example: `spd score out/evaluation --protocol native-median`
    """
    from spd.cli.score import score_folder

    score_folder(folder, protocol or [], data or [], boundaries)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders that spd evaluate wrote.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The HTML file; by default report.html in the folder."),
    ] = None,
) -> None:
    """Write one HTML page about an evaluation, or about several of one data set side by side.

    Example: `spd report out/evaluation -o report.html`
    """
    from spd.cli.report import report_folders

    report_folders(folders, out)


app.command()(pack)


@app.command()
def cost(
    size: Annotated[str, typer.Option("--size", help="Image HEIGHTxWIDTH in pixels.")] = "350x476",
    recipe: Annotated[str, typer.Option("--recipe", help="Whose model to count.")] = "nyu_v15_2",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Parameters and multiply-adds: specified, exact, and as implemented.

    Example: `spd cost --size 350x476`
    """
    from spd.cost import cost_command
    from spd.recipes import recipe as find_recipe

    height, cross, width = size.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        raise typer.BadParameter(f"--size {size}: write HEIGHTxWIDTH, such as 350x476")
    print(cost_command(find_recipe(recipe).model, (int(height), int(width)), as_json))
