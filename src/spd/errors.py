"""Every error a user can cause, as one family.

The command line prints the message of an :class:`SPDError` as one line and exits with its
`exit_code`. Any other exception is a bug and keeps its traceback. A message names what is wrong,
what was given, what is expected and what to do.
"""

import contextlib
import importlib.util
import reprlib
import sys
from collections.abc import Iterator, Sequence
from typing import ClassVar

_EXTRAS = {
    "torch": ("torch", "transformers", "safetensors"),
    "train": ("accelerate", "datasets", "embreex", "h5py", "jinja2", "scipy", "tensorboard"),
    "parquet": ("pyarrow",),
    "serve": (
        *("cachetools", "fastapi", "prometheus_client", "python_multipart"),
        *("starlette", "uvicorn"),
    ),
    "export": ("onnx", "onnxscript", "onnxruntime", "openvino"),
    "ray": ("ray",),
}
_NAMES = {"torch": "PyTorch", "embreex": "Embree (embreex)", "ray": "Ray"}
_MOST_LETTERS = 300
_MOST_SHOWN = 60


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


class HubConnectionError(CheckpointError):
    """The hub cannot be reached, so it is not known whether the checkpoint exists."""


class TrainingError(SPDError, RuntimeError):
    """Training cannot start or cannot continue."""


class StoppedError(TrainingError):
    """Training was interrupted; the finished steps are saved."""

    exit_code = 130


class MeasurementError(SPDError, RuntimeError):
    """The machine is too busy for a measurement."""


class BatchError(SPDError, RuntimeError):
    """A batch cannot start or cannot continue."""


class OutputError(SPDError, RuntimeError):
    """Standard output cannot be written, for example because the disk is full."""


class MissingExtraError(SPDError, ImportError):
    """A package that only an extra brings is not installed; the message names the extra."""


def reason_of(error: BaseException) -> str:
    """Reason given by an error of the system or another library, in one line."""
    reason = getattr(error, "strerror", None)
    text = str(reason).lower() if reason else str(error)
    return first_line(text) or type(error).__name__


def first_line(text: str) -> str:
    """First line of a text that is not blank, shortened; empty if there is none."""
    return shortened(next((line.strip() for line in text.splitlines() if line.strip()), ""))


def shortened(text: str) -> str:
    """Text from a file or another library for a message: at most 300 printable characters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


def counted(count: int, word: str) -> str:
    """A count with its word, which has an s unless the count is 1: `1 file`, `2,000 files`."""
    return f"{count:,} {word if count == 1 else f'{word}s'}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few names, separated by commas."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def shown(value: object) -> str:
    """A given value and its type in a few words, for a message in one line."""
    if value is None:
        return "None"
    try:
        text = _array_shown(value)
        if text:
            return text
        text = " ".join(reprlib.repr(value).split())
    except Exception:  # whatever the given object raises
        text = "one"
    text = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
    return f"{text} ({type(value).__name__})"


def _array_shown(value: object) -> str:
    """Kind and shape of an array; empty for everything else."""
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape:
        return ""
    dtype, layout, device = (getattr(value, name, "") for name in ("dtype", "layout", "device"))
    words = (
        "a",
        getattr(dtype, "name", str(dtype).rpartition(".")[2]),
        str(layout).rpartition(".")[2].replace("strided", ""),
        type(value).__name__,
        "of shape",
        str(tuple(shape)),
        "without data" if str(device) == "meta" else "",
    )
    return shortened(" ".join(word for word in words if word))


def check_docstrings() -> None:
    """Refuse to run the network where Python has dropped all docstrings.

    Transformers reads its own docstrings when it is imported.

    Raises:
        ConfigError: with `python -OO` or PYTHONOPTIMIZE=2.
    """
    if sys.flags.optimize > 1:
        raise ConfigError(
            "this needs PyTorch and transformers, which fail with python -OO or PYTHONOPTIMIZE=2; "
            "use PYTHONOPTIMIZE=1, or unset it"
        )


@contextlib.contextmanager
def missing_extras_named(extra: str | None = None) -> Iterator[None]:
    """Turn the failed import of a package that an extra brings into one line that names the extra.

    Use it as `with missing_extras_named():` or as a decorator. Every other error passes through.

    Args:
        extra: the extra to name if PyTorch is missing; by default `torch`. `train` and `export`
            bring PyTorch too, and whoever needs their other packages should install them at once.

    Raises:
        MissingExtraError: if a package of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        home = next((name for name, packages in _EXTRAS.items() if package in packages), None)
        if home is None:
            raise
        named = extra if extra is not None and home == "torch" else home
        raise MissingExtraError(
            f"this needs {_NAMES.get(package, package)}, which is not installed; "
            f'install it with: pip install "spd[{named}]"'
        ) from None


@missing_extras_named()
def require(*packages: str) -> None:
    """Refuse to begin without these packages, none of which is loaded.

    Raises:
        MissingExtraError: naming the first that is not installed, and its extra.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(name=package)
