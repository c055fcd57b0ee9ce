"""`spd benchmark`: time SPD on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from spd.cli.guard import Reads, Writes
from spd.cli.options import MODEL_HELP, Threads, read_size


def benchmark(
    model: Annotated[str, typer.Option("--model", "-m", help=MODEL_HELP), Reads()] = "shipped",
    size: Annotated[
        str | None,
        typer.Option(
            "--size", help="Image size HEIGHTxWIDTH in pixels; default: the training crop."
        ),
    ] = None,
    threads: Threads = None,
    device: Annotated[
        str, typer.Option("--device", help="Device for torch: cpu, cuda or mps.")
    ] = "cpu",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="JSON file to write all numbers to."),
        Writes(),
    ] = None,
) -> None:
    """Time encoding, queries, the dense map and a training step in every installed runtime.

    Example: `spd benchmark --size 168x224 -o benchmark.json`
    """
    import json

    from spd.benchmark.steps import Benchmark
    from spd.benchmark.table import format_result
    from spd.cli.photo import tell
    from spd.files import check_writable, write_text
    from spd.processes import use_threads
    from spd.terminal import progress_bar

    use_threads(threads)
    if out is not None:
        check_writable(out, ".json")
    settings = Benchmark(
        model=model, size=read_size(size) if size else None, threads=threads, device=device
    )
    with progress_bar("timing") as progress:
        result = settings.run(progress)
    if out is None:
        print(format_result(result))
    else:
        tell(format_result(result), out)
        write_text(out, json.dumps(result, indent=1) + "\n")
        tell(f"wrote all numbers to {out}", out)
