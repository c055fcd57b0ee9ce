"""The list of commands. `cli/NAME.py` holds the options, help and work of `spd NAME`."""

from typing import Annotated

import typer

from spd.cli import data, export
from spd.cli.batch import batch
from spd.cli.benchmark import benchmark
from spd.cli.calibrate import calibrate
from spd.cli.cost import cost
from spd.cli.demo import demo
from spd.cli.evaluate import evaluate
from spd.cli.pack import pack
from spd.cli.query import query
from spd.cli.report import report
from spd.cli.score import score
from spd.cli.serve import serve
from spd.cli.train import train

app = typer.Typer(
    help="Metric depth at exactly the pixels you query.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
)
COMMANDS = (
    *(demo, query, calibrate, batch, serve, benchmark),
    *(train, evaluate, score, report, pack, cost),
)


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
    """Metric depth at exactly the pixels you query."""


for command in COMMANDS:
    app.command()(command)
app.add_typer(data.app, name="data")
app.add_typer(export.app, name="export")
