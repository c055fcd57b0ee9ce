"""`spd benchmark`: measure this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:  # at run time this loads torch
    from spd.benchmark.inference import Plan

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


@app.command()
def inference(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for JSON, Markdown and plots.")
    ] = Path("benchmark"),
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Whose architecture; by default SPD at full size."),
    ] = None,
    size: Annotated[
        str | None, typer.Option("--size", help="Image HEIGHTxWIDTH; by default the model's crop.")
    ] = None,
    repeats: Annotated[
        int, typer.Option("--repeats", min=3, help="Calls of each case, while they are short.")
    ] = 15,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="By default what torch takes.")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            help="Repeatable: query, compiled, dense, pipelines, resolutions, start, training, "
            "accuracy.",
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Frames to measure the accuracy of cheaper encoders on."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="Put the result into this page as well.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A look around in minutes; not for publication.")
    ] = False,
) -> None:
    """Time encode, queries, dense maps and pipelines against the literal form and a dense peer.

    Example: `spd benchmark inference -o out/benchmark --quick --part query`
    """
    from spd.cli.early import check_sources
    from spd.files import check_folder

    check_folder(out)
    check_sources(data or [])
    wanted = _height_width(size)
    from spd.benchmark.page import read_page, write_page

    if page is not None:
        read_page(page)
    from spd.benchmark.inference import inference_benchmark  # loads torch

    plan = _plan(model, wanted, repeats, threads, part or [], data or [], quick=quick)
    result = inference_benchmark(plan, told=lambda case: print(f"measuring: {case}", flush=True))
    _write(result, out)
    if page is not None:
        write_page(result, page)


@app.command(name="page")
def show_page(
    result: Annotated[Path, typer.Argument(help="What inference wrote: a folder, or its JSON.")],
    page: Annotated[
        Path, typer.Option("--out", "-o", help="The page, which has the two marks.")
    ] = Path("docs/performance.md"),
) -> None:
    """Put a result of `spd benchmark inference` into a page, its pictures and JSON beside it.

    Example: `spd benchmark page out/benchmark -o docs/performance.md`
    """
    from spd.benchmark.page import read_result, write_page

    write_page(read_result(result), page)
    print(f"{page} shows {result}")


def _height_width(size: str | None) -> tuple[int, int] | None:
    from spd.errors import InputError
    from spd.pixels import check_image_size

    if size is None:
        return None
    height, cross, width = size.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        raise InputError(f"--size {size}: write HEIGHTxWIDTH, such as 350x476")
    check_image_size((int(height), int(width)))
    return int(height), int(width)


def _plan(
    model: str | None,
    size: tuple[int, int] | None,
    repeats: int,
    threads: int | None,
    parts: list[str],
    data: list[str],
    *,
    quick: bool,
) -> "Plan":
    import torch

    from spd.benchmark.inference import PARTS, Plan
    from spd.benchmark.subjects import Setup
    from spd.benchmark.timing import Effort
    from spd.checkpoints.checkpoint import load_checkpoint
    from spd.cli.early import find_own
    from spd.config import ModelConfig
    from spd.errors import ConfigError

    if unknown := sorted(set(parts) - set(PARTS)):
        raise ConfigError(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    config = ModelConfig()
    if model is not None:
        config = load_checkpoint(find_own(model, "measured"))[0].config
    setup = Setup(
        config=config,
        size=size or config.camera.crop_size,
        threads=threads or torch.get_num_threads(),
        effort=Effort(repeats=repeats),
    )
    chosen = tuple(name for name in PARTS if not parts or name in parts)
    make = Plan.shortened if quick else Plan
    return make(setup=setup, parts=chosen, data=tuple(data))


def _write(result: dict[str, Any], out: Path) -> None:
    """JSON, Markdown and plots; what was reached is printed."""
    import json

    from spd.benchmark.page import JSON, render
    from spd.benchmark.pictures import write_pictures
    from spd.benchmark.targets import counted, targets
    from spd.files import write_text

    write_text(out / JSON, json.dumps(result, indent=1) + "\n")
    write_pictures(result, out)
    write_text(out / "benchmark.md", render(result))
    judged = targets(result)
    for target in judged:
        if target.verdict != "not measured":
            print(f"{target.verdict}: {target.what}: {target.reached} (limit: {target.limit})")
    print(f"{counted(judged)}; all numbers are in {out}")


@app.command()
def focal(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Checkpoint, training run, or hub id.")
    ] = None,
    rooms: Annotated[int, typer.Option("--rooms", min=1, help="Held-out rooms to render.")] = 40,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write JSON here.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, mps; by default the best there is.")
    ] = None,
) -> None:
    """Score a model on rooms rendered at other focal lengths than it was trained at.

    Example: `spd benchmark focal --rooms 40 -o out/focal.json`
    """
    from spd.benchmark.focal import focal_table, format_table, promise, to_json
    from spd.cli.devices import choose_device
    from spd.cli.progress import progress_bar
    from spd.files import check_writable, write_text
    from spd.predictors.loading import load

    if out is not None:
        check_writable(out, ".json")
    predictor = load(model, device=choose_device(device))
    with progress_bar("rooms at each focal length") as progress:
        rows = focal_table(predictor, rooms, progress=progress)
    print(format_table(rows))
    print(promise(rows))
    if out is not None:
        write_text(out, to_json(rows, predictor.source))
        print(f"all numbers are in {out}")
