"""Walls with steps in known columns, and the edges they should give."""

import numpy as np
import pytest

from spd.evaluation.metrics.boundary_distance import SHARPNET, TUM

FULL = np.ones((30, 80), dtype=bool)
BOTH = pytest.mark.parametrize("rule", [TUM, SHARPNET], ids=["tum", "sharpnet"])


def wall(*edges: int) -> np.ndarray:
    """1 m, and 1 m more from each of these columns on, at which it is halfway."""
    columns = np.arange(80)
    depth_m = 1.0 + sum((columns > edge) + 0.5 * (columns == edge) for edge in edges)
    return np.broadcast_to(depth_m, (30, 80)).copy()


def lines(*columns: int) -> np.ndarray:
    """Edges from top to bottom in these columns."""
    edges = np.zeros((30, 80), dtype=bool)
    edges[:, list(columns)] = True
    return edges
