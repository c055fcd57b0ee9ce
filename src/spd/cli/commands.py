"""Every command's options and help; the work is done elsewhere and imported when it is asked for.

Help texts keep their line breaks (backslash-b paragraphs), each with one example.
"""

from pathlib import Path
from typing import Annotated

import typer

from spd.cli import data, export
from spd.cli.ask import calibrate, query
from spd.cli.batch import batch
from spd.cli.benchmark import benchmark
from spd.cli.cost import cost
from spd.cli.evaluate import evaluate
from spd.cli.options import Device
from spd.cli.report import report
from spd.cli.score import score
from spd.cli.serve import serve

app = typer.Typer(
    help="Metric depth at exactly the pixels you ask for.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.add_typer(data.app, name="data")
app.add_typer(export.app, name="export")


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


@app.command()
def train(
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="nyu_v15_2 (the default), rooms_tiny, rooms_small, or a TOML or JSON file "
            "(docs/training.md).",
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Training sources, PATH or PATH:SPLIT (docs/data.md)."),
    ] = None,
    val: Annotated[
        list[str] | None,
        typer.Option("--val", help="Validation sources, likewise."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of the run; by default runs/RECIPE."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Go on with this run; it knows its recipe and data."),
    ] = None,
    overfit: Annotated[
        bool, typer.Option("--overfit", help="Repeat the first batch; the loss must fall.")
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override, such as train.batch_size=4 or model.dim=32."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, memory included, and stop.")
    ] = False,
    device: Device = None,
) -> None:
    """Train a model; Ctrl-C saves and says how to go on.

    Example: `spd train --recipe rooms_tiny --data rooms:train --val rooms:val --out runs/mine`
    """
    from spd.checkpoints.run_folder import check_run
    from spd.cli.early import check_start

    if resume is not None:
        if recipe or data or val or overrides or overfit or plan or out is not None:
            raise typer.BadParameter("--resume takes no other settings; the run knows its own")
        check_run(resume)
        from spd.cli.train import resume_run

        resume_run(resume, device)
        return
    start = check_start(
        recipe or "nyu_v15_2", data or [], val or [], out, overrides or [], plan=plan
    )
    from spd.cli.train import start_run

    start_run(start, overfit, device, plan)


app.command()(evaluate)
app.command()(score)
app.command()(report)


@app.command()
def pack(
    model: Annotated[str, typer.Argument(help="Training run or checkpoint.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    license: Annotated[
        str | None,
        typer.Option("--license", help="Of the weights, for the card: apache-2.0, mit, other, ..."),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option("--evaluation", help="For the card: what spd evaluate wrote of this model."),
    ] = None,
) -> None:
    """Keep a model as a small folder: half-precision weights, configuration, model card.

    Example: `spd pack runs/rooms_tiny -o models/mine`
    """
    from spd.cli.pack import pack_model

    pack_model(model, out, license, evaluation)


app.command()(cost)
