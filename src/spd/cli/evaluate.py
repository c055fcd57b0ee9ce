"""`spd evaluate`: predict a data set, score it, and print a table per protocol."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spd.cli.guard import Reads, Writes
from spd.cli.options import MODEL_HELP, Device, Threads
from spd.errors import counted

if TYPE_CHECKING:  # at run time this loads numpy, which --help does not need
    from spd.evaluate import EvaluationReport

ProtocolNames = Annotated[
    list[str] | None,
    typer.Option(
        "--protocol",
        metavar="NAME",
        help="Scoring protocol: native, bts, ... (docs/evaluation.md); default: bts for NYU "
        "frames, native for other data.",
    ),
]


def evaluate(
    model: Annotated[str, typer.Argument(help=MODEL_HELP), Reads()],
    data: Annotated[
        list[str],
        typer.Option("--data", help="Data to score: PATH or PATH:SPLIT."),
        Reads(data=True),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Output folder for predictions, metrics and figures."),
        Writes(folder=True),
    ],
    protocol: ProtocolNames = None,
    boundaries: Annotated[
        Literal["sparse", "dense"] | None,
        typer.Option(
            "--boundaries",
            metavar="[sparse|dense]",
            help="Also score depth edges, taken from a query at every pixel (sparse, the default) "
            "or from the dense map alone (dense).",
        ),
    ] = None,
    training_data: Annotated[
        list[str] | None,
        typer.Option(
            "--training-data",
            help="Data set whose median depth is used as the constant baseline.",
        ),
        Reads(data=True),
    ] = None,
    max_points: Annotated[
        int | None,
        typer.Option(
            "--max-points",
            min=1,
            help="Score at most this many random ground-truth pixels per image.",
        ),
    ] = None,
    view: Annotated[
        Literal["whole", "crop"],
        typer.Option(
            "--view", help="Encode the whole photo, or only a centre crop of the training size."
        ),
    ] = "whole",
    device: Device = None,
    threads: Threads = None,
) -> None:
    """Score a model's point queries and dense map at the native resolution of the truth.

    Example: `spd evaluate runs/rooms_tiny --data rooms:val --out out/evaluation`
    """
    from spd.cli.early import check_sources
    from spd.evaluation.protocols import protocols_named
    from spd.files import check_folder
    from spd.processes import use_threads

    use_threads(threads)
    names = protocol or []
    protocols_named(names)
    check_sources([*data, *(training_data or [])])
    check_folder(out)  # everything above is checked before torch is loaded

    from spd.data.sources import open_samples
    from spd.evaluate import choose_protocols, evaluate_all
    from spd.evaluation.baselines import median_of_training_data
    from spd.predictors.loading import load
    from spd.runtimes.folder import is_export
    from spd.terminal import progress_bar

    samples = open_samples(data)
    choose_protocols(samples, names)
    constant = None
    if training_data:
        constant = median_of_training_data(open_samples(training_data), " ".join(training_data))
    runtime = None if is_export(model) else "torch"  # benchmark figures come from one runtime
    predictor = load(model, device=device, runtime=runtime)
    with progress_bar("predicting") as progress:
        folder, reports = evaluate_all(
            predictor,
            samples,
            out,
            names,
            data=" ".join(data),
            max_points=max_points,
            view=view,
            boundaries=boundaries,
            constant=constant,
            open_sample=samples.named,
            progress=progress,
        )
    if folder.reused:
        of_all = counted(len(samples), "image")
        print(f"reused existing predictions for {folder.reused} of {of_all}")
    print_reports(reports, out)


def print_reports(reports: "Iterable[EvaluationReport]", out: Path) -> None:
    """Print the table of each protocol and the folder of the files."""
    from spd.evaluate import format_report

    print("\n".join(format_report(report) for report in reports))
    print(f"metrics, per-image numbers and figures are in {out}")
