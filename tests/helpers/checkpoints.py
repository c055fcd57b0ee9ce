"""Checkpoints of models made in tests."""

from pathlib import Path
from typing import Any

import torch

from spd.checkpoints.checkpoint import write_model
from spd.models.spd import SPD


def save_checkpoint(
    model: SPD, folder: Path, about: dict[str, Any] | None = None, dtype: torch.dtype | None = None
) -> None:
    folder.mkdir(parents=True)
    write_model(model, folder, about, dtype)
