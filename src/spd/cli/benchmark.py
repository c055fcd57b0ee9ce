"""`spd benchmark`: measure this machine."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Measure what things cost on this machine.", no_args_is_help=True)


@app.command()
def training(
    data: Annotated[list[str], typer.Option("--data", help="Training sources.")],
    recipe: Annotated[str, typer.Option("--recipe", help="What to train.")] = "nyu_v15_2",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps to time.")] = 10,
    images: Annotated[int, typer.Option("--images", min=1, help="Images to load.")] = 64,
    workers: Annotated[
        list[int] | None, typer.Option("--workers", min=0, help="Loader processes; repeatable.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="As for spd train.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write JSON here.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, mps; by default the best there is.")
    ] = None,
) -> None:
    """Time the loader and training steps of a recipe; the encoder starts at random.

    Example: `spd benchmark training --data rooms:train --recipe rooms_tiny`
    """
    import json

    from spd.benchmark.training import format_benchmark, training_benchmark
    from spd.cli.devices import choose_device
    from spd.files import check_writable, write_text
    from spd.recipes import override
    from spd.recipes import recipe as find_recipe

    if out is not None:
        check_writable(out, ".json")
    chosen = override(
        find_recipe(recipe),
        ["train.encoder_weights=null", *(overrides or []), "train.tracker=none"],
    )
    result = training_benchmark(
        chosen,
        data,
        steps=steps,
        images=images,
        workers=workers or [0, 1, 2],
        device=str(choose_device(device)),
    )
    print(format_benchmark(result))
    if out is not None:
        write_text(out, json.dumps(result, indent=1) + "\n")
        print(f"all numbers are in {out}")
