"""`spd score`: score stored predictions; no network, and without `--data` no torch."""

from pathlib import Path
from typing import Annotated

import typer

from spd.cli.evaluate import ProtocolNames, print_reports
from spd.cli.guard import Reads, Writes
from spd.cli.options import Threads


def score(
    folder: Annotated[
        Path, typer.Argument(help="Output folder of spd evaluate."), Writes(folder=True)
    ],
    protocol: ProtocolNames = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            help="Check that the predictions match this ground truth, and redraw the figure.",
        ),
        Reads(data=True),
    ] = None,
    boundaries: Annotated[
        bool | None,
        typer.Option(
            "--boundaries/--no-boundaries",
            help="Score depth edges; default: on if whole maps are stored.",
        ),
    ] = None,
    max_depth_m: Annotated[
        float | None,
        typer.Option(
            "--max-depth-m",
            metavar="METRES",
            help="Score depth up to here; default: as far as it was predicted, which is 10 m "
            "unless the data stated max_depth_m=.",
        ),
    ] = None,
    threads: Threads = None,
) -> None:
    """Score stored predictions with a different protocol, without running the network.

    Example: `spd score out/evaluation --protocol native-median`
    """
    from spd.errors import DataError
    from spd.evaluate import PICTURE, score_all
    from spd.evaluation.folder import PredictionFolder
    from spd.evaluation.protocols import protocols_named
    from spd.processes import use_threads

    use_threads(threads)
    names = protocol or []
    protocols_named(names)
    stored = PredictionFolder(folder)
    stored.images()  # refuses a folder without finished predictions
    if boundaries and not stored.has_maps():
        raise DataError(
            f"{folder} contains no full maps, which depth edges need; add them with spd evaluate "
            f"... -o {folder} --boundaries (depth must have the photo's resolution)"
        )
    open_sample = None
    if data:
        from spd.cli.early import check_sources

        check_sources(data)  # before torch is loaded
        from spd.data.sources import open_samples
        from spd.evaluation.truth import check_truth

        samples = open_samples(data)
        check_truth(stored, samples, " ".join(data))
        open_sample = samples.named
    drawn = (folder / PICTURE).is_file()
    reports = score_all(
        folder, names, boundaries=boundaries, max_depth_m=max_depth_m, open_sample=open_sample
    )
    print_reports(reports, folder)
    if drawn and not (folder / PICTURE).is_file():
        print(f"removed {PICTURE}, which showed a different protocol; pass --data to redraw it")
