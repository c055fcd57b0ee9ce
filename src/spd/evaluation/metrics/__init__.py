"""Metrics that compare predicted depth with measured depth; numpy and scipy, never torch."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
