"""Compiles the kernel once for a model shape and this processor, into the user's cache.

The file name depends on processor, compiler, shape and source, so several machines can share a home
directory. If the compiler is missing or fails, `kernel` returns the reason and the caller uses
torch or a runtime instead.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from spd.config import ModelConfig
from spd.errors import DataError
from spd.files import atomic_path

FLAGS = (
    "-O3", "-std=gnu11", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-math-errno",
    "-fno-trapping-math", "-fvisibility=hidden",
)  # fmt: skip
OFF = "SPD_NATIVE"
"""Environment variable; 0 disables the kernel."""
SECONDS = 120
"""Time limit of the compiler."""
Shape = tuple[tuple[str, int], ...]
"""The macros that define a model's shape in the source."""
MULTIPLE = 16
"""Floats of the widest vector; the channels of every layer and head must be a multiple."""


def shape_of(config: ModelConfig) -> Shape:
    """The shape of a model, for which the kernel is compiled."""
    return (
        ("DIM", config.dim),
        ("HEADS", config.heads),
        ("FFN", config.ffn_ratio * config.dim),
        ("HEAD_WIDTH", config.head_width),
        ("WINDOW", config.window),
    )


def weight_count(shape: Shape) -> int:
    """Number of weights that the kernel reads."""
    sides = dict(shape)
    dim, ffn, head, window = (sides[n] for n in ("DIM", "FFN", "HEAD_WIDTH", "WINDOW"))
    total = dim * head + 2 * head + 1
    for sources in (2, 1):  # maps that a stage reads
        places = sources * window**2
        padded = -(-(dim + places) // MULTIPLE) * MULTIPLE
        total += dim * padded + (dim + places) * dim  # folded keys and values
        total += 2 * dim * (dim + 1) + 4 * dim  # q_proj, out_proj, two LayerNorms
        total += 2 * dim * ffn + ffn + dim
    return total


@functools.cache
def kernel(shape: Shape) -> ctypes.CDLL | str:
    """The compiled library for a shape, or the reason why there is none; cached per process.

    The first call on a machine compiles, which takes a second or two. Several threads or processes
    may compile at once; the file is replaced atomically.
    """
    if os.environ.get(OFF) == "0":
        return f"{OFF}=0"
    sides = dict(shape)
    if any(n % MULTIPLE for n in (sides["DIM"] // sides["HEADS"], sides["HEAD_WIDTH"])):
        return f"the channels of every layer and head must be multiples of {MULTIPLE}"
    command = compiler()
    if command is None:
        return "no C compiler (cc) was found"
    source = resources.files("spd.models.kernel").joinpath("query.c").read_text(encoding="utf-8")
    arguments = [*FLAGS, processor_flag(), *(f"-D{name}={value}" for name, value in shape)]
    key = "\n".join([source, *command, *arguments, processor()])
    library = cache_folder() / f"query-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    try:
        if library.is_file():
            with contextlib.suppress(OSError, AttributeError):  # damaged: compiled again below
                return _opened(library)
        _compile([*command, *arguments], source, library)
        return _opened(library)
    except subprocess.SubprocessError as error:
        return f"the C compiler failed: {_first_error(error)}"
    except (OSError, DataError) as error:
        return f"the compiled kernel cannot be saved or loaded: {error}"


def compiler() -> list[str] | None:
    """Command of the C compiler: `CC` if set, else `cc`; None if it is not installed."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    path = None if platform.system() == "Windows" else shutil.which(command[0])
    return None if path is None else [path, *command[1:]]


def processor_flag() -> str:
    """The compiler flag that enables all instructions of this processor."""
    arm = platform.machine() in ("arm64", "aarch64")
    return "-mcpu=native" if arm else "-march=native"


def processor() -> str:
    """Identification of this processor: system, model and instruction sets."""
    path = Path("/proc/cpuinfo")
    known = {"model name", "flags", "Features", "CPU part"}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    fields = dict(line.partition(":")[::2] for line in lines)
    values = [value for name, value in sorted(fields.items()) if name.strip() in known]
    return "\n".join([platform.system(), platform.machine(), platform.processor(), *values])


def cache_folder() -> Path:
    """Folder of compiled kernels: `spd` in the user's cache."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "spd"


def _compile(command: list[str], source: str, library: Path) -> None:
    with atomic_path(library) as temporary:
        subprocess.run(
            [*command, "-x", "c", "-", "-o", str(temporary), "-lm"],
            input=source,
            text=True,
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )


def _opened(library: Path) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(library))
    opened.spd_query.restype = None
    opened.spd_query.argtypes = [
        *(ctypes.c_void_p,) * 6, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    return opened


def _first_error(error: subprocess.SubprocessError) -> str:
    """One line: the compiler's first error message, else its exit status."""
    lines = str(getattr(error, "stderr", None) or "").splitlines()
    first = next((line for line in lines if "error" in line), None)
    if first is not None:
        return first.strip()
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit status {error.returncode}"
    return f"compilation took more than {SECONDS} s"
