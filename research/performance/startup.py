"""Time of a command from the shell, including the start of Python, with files cached."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from research.performance.timing import Effort, take_turns

_TAIL = 300  # characters shown of a failed command's stderr


def start_times(folder: Path, effort: Effort, exports: dict[str, Path]) -> list[dict[str, Any]]:
    """Time `spd --version`, and `spd query` of one point in every runtime.

    Args:
        folder: folder for the photo.
        effort: how long to measure each command.
        exports: an export of the shipped model for each installed runtime.
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
