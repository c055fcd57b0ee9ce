"""Running an example as its reader does: the file, with words behind it."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.paths import EXAMPLES


class Script:
    """An example, run in this process, so that torch is loaded once for all."""

    def __init__(self, name: str, monkeypatch, capsys) -> None:
        self.path = EXAMPLES / f"{name}.py"
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> str:
        """What it prints."""
        self._monkeypatch.setattr(sys, "argv", [str(self.path), *map(str, words)])
        self._capsys.readouterr()
        runpy.run_path(str(self.path), run_name="__main__")
        return self._capsys.readouterr().out

    def refusal(self, *words: object) -> str:
        """The one line that it ends with."""
        with pytest.raises(SystemExit) as ended:
            self(*words)
        if ended.value.code == 2:  # argparse has said it, below its usage
            return self._capsys.readouterr().err.splitlines()[-1]
        assert isinstance(ended.value.code, str)
        assert "\n" not in ended.value.code
        return ended.value.code


def picture(height: int = 60, width: int = 80, seed: int = 0) -> np.ndarray:
    """Noise, as a photo."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
