"""`python -m research.busy`: the cost of waiting threads beside one busy process.

Each run measures, in a process of its own with the settings of the command line: a training step
and an encode (of torch, and of the shipped model's runtime), idle and beside one busy process; and
1,024 points right after an encode against their share of 16,384. Other programs should be idle.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from research.command import run
from spd.processes import usable_cpus, use_usable_cpus, wait_passively

RUNS = 5
LIMITS = {"training step": 2.5, "encode, torch": 2.5, "encode": 2.5, "1,024 points": 1.3}
"""Largest ratio of each measurement that a run should give."""
_REPEATS = 7


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the ratios of every run with their median, and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m research.busy", description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("busy.json"), help="JSON file")
    parser.add_argument("--runs", type=int, default=RUNS, help="processes that measure")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return run(_measure_or_report, parser, arguments)


def _measure_or_report(options: argparse.Namespace) -> None:
    wait_passively()  # as `spd` does, before torch is imported
    use_usable_cpus()
    if options.one:
        print(json.dumps(measure()))
        return
    runs = []
    for _ in range(options.runs):
        command = [sys.executable, "-m", "research.busy", "--one"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    summary = {}
    for name, limit in LIMITS.items():
        ratios = [one[name]["ratio"] for one in runs]
        kept = sum(ratio <= limit for ratio in ratios)
        summary[name] = {"median": statistics.median(ratios), "limit": limit, "kept": kept}
        shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{name}: {shown}; median {summary[name]['median']:.2f}, at most {limit} in {kept}")
    policy = {name: os.environ.get(name) for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    result = {"cpus": usable_cpus(), "environment": policy, "summary": summary, "runs": runs}
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure() -> dict[str, dict[str, float]]:
    """Seconds and ratios of one run, by measurement."""
    import spd
    from spd.benchmark.steps import _training_step

    warnings.simplefilter("ignore")
    photo = spd.example_photo()
    quick, torch_predictor = spd.load(), spd.load(runtime="torch", device="cpu")
    calls: dict[str, Callable[[], object]] = {
        "training step": _training_step("shipped", (240, 320), "cpu"),
        "encode, torch": lambda: torch_predictor.encode(photo),
        "encode": lambda: quick.encode(photo),
    }
    idle = {name: seconds(call) for name, call in calls.items()}
    busy = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    busy.start()
    time.sleep(1)
    beside = {name: seconds(call) for name, call in calls.items()}
    busy.terminate()
    busy.join()
    found = {
        name: {"idle_s": idle[name], "busy_s": beside[name], "ratio": beside[name] / idle[name]}
        for name in calls
    }
    found["1,024 points"] = points_after_encode(lambda: quick.encode(photo))
    return found


def points_after_encode(encode: Callable[[], object]) -> dict[str, float]:
    """Time of 1,024 points right after an encode, and its ratio to their share of 16,384."""
    rng = np.random.default_rng(0)
    medians = {}
    for count in (1024, 16384):
        points = rng.random((count, 2)) * (600, 400)
        times = []
        for _ in range(_REPEATS + 1):
            scene = encode()
            started = time.perf_counter()
            scene.depth_at(points)  # type: ignore[attr-defined]
            times.append(time.perf_counter() - started)
        medians[count] = statistics.median(times[1:])
    share_s = medians[16384] / 16
    return {"few_s": medians[1024], "share_s": share_s, "ratio": medians[1024] / share_s}


def seconds(call: Callable[[], object]) -> float:
    """Median time of a call, after one that does not count."""
    times = []
    for _ in range(_REPEATS + 1):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    sys.exit(main())
