"""Numbers of a training step and of a finished run."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class TrainResult:
    """Summary of a finished run."""

    steps: int
    last_loss: float
    best_abs_rel: float
    """On the validation set, or on an overfit run's own batch; infinite without either."""
    images_without_reading: int
    seconds_per_step: float
    """Median, without evaluation, saving and waiting for data."""
    waiting_share: float
    """Share of the time spent waiting for data."""


@dataclasses.dataclass(frozen=True, slots=True)
class StepResult:
    """Numbers of one optimiser step, equal in all processes."""

    loss: float
    grad_norm: float
    images_without_reading: int
    stop: bool
    """Whether any process was asked to stop."""
