"""Every error a user can cause, as one family.

The command line prints the message of an :class:`SPDError` as one line and exits with its
`exit_code`. Any other exception is a bug and keeps its traceback. A message names what is wrong,
what was given, what is expected and what to do.
"""

from typing import ClassVar


class SPDError(Exception):
    """Base class of all errors caused by the input rather than by the program."""

    exit_code: ClassVar[int] = 2
    """Exit code of a command that ends with this error."""


class ConfigError(SPDError, ValueError):
    """A configuration has an unknown key, a wrong type or contradictory values."""


class InputError(SPDError, ValueError):
    """An image, a tensor or an argument has the wrong type, shape or value."""


class PointError(InputError):
    """A query point has the wrong shape, is not finite, or lies outside the image."""


class DataError(SPDError, ValueError):
    """A data set or one of its files is missing, unreadable or inconsistent."""


class CheckpointError(SPDError, ValueError):
    """A checkpoint is missing, truncated, or has another architecture."""


class TrainingError(SPDError, RuntimeError):
    """Training cannot start or cannot continue."""


class StoppedError(TrainingError):
    """Training was interrupted; the finished steps are saved."""

    exit_code = 130


class MeasurementError(SPDError, RuntimeError):
    """The machine is too busy for a measurement."""


class BatchError(SPDError, RuntimeError):
    """A batch cannot start or cannot continue."""
