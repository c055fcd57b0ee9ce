"""How long a command takes from the shell, start of Python included, on a warm disk."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from research.performance.timing import Effort, take_turns

_TAIL = 300  # characters of what a failed command said


def start_times(folder: Path, effort: Effort, exports: dict[str, Path]) -> list[dict[str, Any]]:
    """Commands and their seconds: `spd --version`, and a point of a photo in every runtime.

    Args:
        folder: where the photo is made.
        effort: how long each is measured.
        exports: an export of the shipped model for each runtime that is installed.
    """
    photo = folder / "photo.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photo)
    query = ["query", str(photo), "--points", "320,240", "--focal-px", "519", "--model"]
    commands = {"spd --version": ["--version"]}
    commands["spd query, torch"] = [*query, "shipped", "--runtime", "torch"]
    for name, export in exports.items():
        commands[f"spd query, {name}"] = [*query, str(export), "--runtime", name]
    jobs = {said: _running(arguments) for said, arguments in commands.items()}
    timed = take_turns(jobs, effort)
    return [{"command": said, **times} for said, times in timed.items()]


def _running(arguments: list[str]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "spd", *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"spd {' '.join(arguments)} failed: {done.stderr[-_TAIL:]}")
        return time.perf_counter() - started

    return run
