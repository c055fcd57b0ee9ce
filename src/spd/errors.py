"""Every error a user can cause, as one family.

The command line prints the message of an :class:`SPDError` as one line and exits with code 2.
Anything else is a bug and keeps its traceback. Messages name what was given, what was expected
and what to do about it.
"""


class SPDError(Exception):
    """Base of all errors that are the input's fault rather than the program's."""


class ConfigError(SPDError, ValueError):
    """A configuration has an unknown key, a wrong type or contradictory values."""


class InputError(SPDError, ValueError):
    """An image, a tensor or an argument is not what was asked for."""


class PointError(InputError):
    """A query point has the wrong shape, is not finite, or lies outside the image."""


class DataError(SPDError, ValueError):
    """A data set or one of its files is missing, unreadable or inconsistent."""


class CheckpointError(SPDError, ValueError):
    """A checkpoint is missing, truncated, or of another architecture."""


class TrainingError(SPDError, RuntimeError):
    """Training cannot go on, or cannot start where it was asked to."""


class MeasurementError(SPDError, RuntimeError):
    """A machine is too busy to be measured."""


class BatchError(SPDError, RuntimeError):
    """A batch cannot go on, or cannot start where it was asked to."""
