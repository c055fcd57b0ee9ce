"""State of the global random generators as plain data for checkpoints.

SPD itself does not draw from them while training: each view of the data has its own generator,
made from its number and the seed. They are stored for code that users add.
"""

import random
from typing import Any

import numpy as np
import torch


def generator_states() -> dict[str, Any]:
    """States of Python's, NumPy's and torch's global generators, on every device."""
    version, internal, gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=True)  # noqa: NPY002 - for users' code
    name, keys, *rest = numpy_state
    states: dict[str, Any] = {
        "python": [version, list(internal), gauss],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_generator_states(states: dict[str, Any]) -> None:
    """Restore what :func:`generator_states` returned; missing devices are ignored."""
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if "cuda" in states and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    if "mps" in states and torch.backends.mps.is_available():
        torch.mps.set_rng_state(states["mps"])
