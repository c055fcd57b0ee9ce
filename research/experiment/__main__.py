"""`python -m research.experiment -o FOLDER`: compare the local paths; hours, and resumable."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from research.command import run
from research.experiment.config import ExperimentConfig
from research.experiment.run import Experiment
from spd.checkpoints.folder import find_checkpoint
from spd.data.sources import open_samples
from spd.files import check_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments and run the experiment; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m research.experiment",
        description="Compare the local paths: trunk, heads, scores, pictures. It takes hours; "
        "the same command continues an interrupted experiment.",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="the experiment's folder")
    parser.add_argument(
        "--set", dest="changes", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="settings, such as seeds=3 (research/experiment.md lists them)",
    )  # fmt: skip
    parser.add_argument(
        "--data", nargs="+", action="extend", default=[], help="more data to score, real frames say"
    )
    return run(_experiment, parser, arguments)


def _experiment(options: argparse.Namespace) -> None:
    """Check every input before the first stage, which may take hours, then run all stages."""
    config = ExperimentConfig.with_changes(options.changes)
    check_folder(options.out)
    for source in options.data:
        open_samples([source], metric_only=True)
    if config.trunk_weights is not None:
        find_checkpoint(config.trunk_weights)
    experiment = Experiment.start(options.out, config, options.data)
    try:
        experiment.run()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; finished stages are kept, and the same command continues"
        ) from None
    print((options.out / "results.md").read_text(encoding="utf-8"))
    print(f"tables, pictures and every head are in {options.out}")


if __name__ == "__main__":
    sys.exit(main())
