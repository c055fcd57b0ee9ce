"""`python -m research.performance`: measure SPD against its baselines, and write the page of it."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from research.command import run
from research.performance.inference import PARTS, Plan, inference_benchmark
from research.performance.page import JSON, read_result, render, write_page
from research.performance.pictures import write_pictures
from research.performance.subjects import Setup
from research.performance.targets import counted, targets
from research.performance.timing import Effort
from research.performance.training import training_benchmark
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.folder import find_checkpoint
from spd.cli.early import check_sources
from spd.cli.options import read_size
from spd.config import ModelConfig
from spd.errors import ConfigError
from spd.files import check_folder, check_writable, write_text
from spd.pixels import Size, check_image_size
from spd.predictors.devices import choose_device
from spd.recipes import override, recipe

PAGE = Path("research/performance.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments and run one of the three commands; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m research.performance", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_inference(commands.add_parser("inference", help="time encode, queries, maps, pipelines"))
    _add_training(commands.add_parser("training", help="time the loader and steps of a recipe"))
    page = commands.add_parser("page", help="write a result of inference into a page")
    page.add_argument("result", type=Path, help="folder or JSON file that inference wrote")
    page.add_argument("-o", "--out", type=Path, default=PAGE, help="page with the two marks")
    page.set_defaults(work=_page)
    return run(lambda options: options.work(options), parser, arguments)


def _add_inference(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-o", "--out", type=Path, default=Path("benchmark"), help="folder for JSON, text, plots")
    add("-m", "--model", help="whose architecture; by default SPD at full size")
    add("--size", help="image HEIGHTxWIDTH; by default the model's crop")
    add("--repeats", type=int, default=15, help="calls of each case, while they are short")
    add("--threads", type=int, help="by default what torch takes")
    add("--part", nargs="+", action="extend", default=[], help=", ".join(PARTS))
    add("--data", nargs="+", action="extend", default=[], help="frames to score precisions on")
    parser.set_defaults(work=_inference)


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", nargs="+", action="extend", required=True, help="training sources")
    add("--recipe", default="nyu_v15_2", help="what to train")
    add("--steps", type=int, default=10, help="steps to time")
    add("--images", type=int, default=64, help="images to load")
    add("--workers", type=int, nargs="+", default=[0, 1, 2], help="numbers of loader processes")
    add("--set", dest="overrides", nargs="+", action="extend", default=[], help="as for spd train")
    add("-o", "--out", type=Path, help="JSON file to write")
    add("--device", help="cpu, cuda, mps; by default the fastest that is present")
    parser.set_defaults(work=_training)


def _inference(options: argparse.Namespace) -> None:
    check_folder(options.out)
    check_sources(options.data)
    size = _height_width(options.size)
    plan = _plan(options, size)
    result = inference_benchmark(
        plan, announce=lambda case: print(f"measuring: {case}", flush=True)
    )
    _write(result, options.out)


def _plan(options: argparse.Namespace, size: Size | None) -> Plan:
    if unknown := sorted(set(options.part) - set(PARTS)):
        raise ConfigError(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    config = ModelConfig()
    if options.model is not None:
        config = load_checkpoint(find_checkpoint(options.model))[0].config
    setup = Setup(
        config=config,
        size=size or config.camera.crop_size,
        threads=options.threads or torch.get_num_threads(),
        effort=Effort(repeats=options.repeats),
    )
    parts = tuple(name for name in PARTS if not options.part or name in options.part)
    return Plan(setup=setup, parts=parts, data=tuple(options.data))


def _height_width(size: str | None) -> Size | None:
    if size is None:
        return None
    height_width = read_size(size)
    check_image_size(height_width)
    return height_width


def _write(result: dict[str, Any], out: Path) -> None:
    """Write JSON, Markdown and plots, and print the verdict on each target."""
    write_text(out / JSON, json.dumps(result, indent=1) + "\n")
    write_pictures(result, out)
    write_text(out / "benchmark.md", render(result))
    judged = targets(result)
    for target in judged:
        if target.verdict != "not measured":
            print(f"{target.verdict}: {target.what}: {target.reached} (limit: {target.limit})")
    print(f"{counted(judged)}; all numbers are in {out}")


def _training(options: argparse.Namespace) -> None:
    if options.out is not None:
        check_writable(options.out, ".json")
    changes = ["train.encoder_weights=null", *options.overrides, "train.tracker=none"]
    result = training_benchmark(
        override(recipe(options.recipe), changes),
        options.data,
        steps=options.steps,
        images=options.images,
        workers=options.workers,
        device=str(choose_device(options.device)),
    )
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if options.out is not None:
        write_text(options.out, text)


def _page(options: argparse.Namespace) -> None:
    write_page(read_result(options.result), options.out)
    print(f"{options.out} shows {options.result}")


if __name__ == "__main__":
    sys.exit(main())
