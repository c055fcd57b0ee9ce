"""Compile the kernel for one model shape and this processor, once, into the user's cache.

Another processor, compiler, shape or version of the source is another file, so a home directory
that several machines share is safe. Where there is no compiler, or it fails, there is no kernel:
`kernel` returns the reason and torch answers in its place.
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
"""Environment variable: 0 leaves the kernel out."""
SECONDS = 120
"""A compiler that takes longer is given up."""
Shape = tuple[tuple[str, int], ...]
"""Macros that the source is compiled with."""
MULTIPLE = 16
"""Of every layer's channels, a head's too: what the kernel's vectors are at their widest."""


def shape_of(config: ModelConfig) -> Shape:
    """What the kernel is compiled for."""
    return (
        ("DIM", config.dim),
        ("HEADS", config.heads),
        ("FFN", config.ffn_ratio * config.dim),
        ("HEAD_WIDTH", config.head_width),
        ("WINDOW", config.window),
    )


def weight_count(shape: Shape) -> int:
    """How many numbers the kernel reads as its weights."""
    sides = dict(shape)
    dim, ffn, head, window = (sides[n] for n in ("DIM", "FFN", "HEAD_WIDTH", "WINDOW"))
    total = dim * head + 2 * head + 1
    for sources in (2, 1):  # maps that a stage reads
        places = sources * window**2
        padded = -(-(dim + places) // MULTIPLE) * MULTIPLE
        total += dim * padded + (dim + places) * dim  # folded keys and values
        total += 2 * dim * (dim + 1) + 4 * dim  # what asks, what writes, two normalisations
        total += 2 * dim * ffn + ffn + dim
    return total


@functools.cache
def kernel(shape: Shape) -> ctypes.CDLL | str:
    """The library for that shape, or why there is none; the answer is kept for the process.

    The first call on a machine compiles, which takes a second or two. Threads and processes that
    come first together may each compile; the file appears whole whoever is last.
    """
    if os.environ.get(OFF) == "0":
        return f"{OFF}=0"
    sides = dict(shape)
    if any(n % MULTIPLE for n in (sides["DIM"] // sides["HEADS"], sides["HEAD_WIDTH"])):
        return f"channels of a head, and of every layer, must be multiples of {MULTIPLE}"
    command = compiler()
    if command is None:
        return "no C compiler (cc) found"
    source = resources.files("spd.models.kernel").joinpath("query.c").read_text(encoding="utf-8")
    arguments = [*FLAGS, native_flag(), *(f"-D{name}={value}" for name, value in shape)]
    key = "\n".join([source, *command, *arguments, processor()])
    library = cache_folder() / f"query-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    try:
        if library.is_file():
            with contextlib.suppress(OSError, AttributeError):  # damaged: made anew below
                return _opened(library)
        _compile([*command, *arguments], source, library)
        return _opened(library)
    except subprocess.SubprocessError as error:
        return f"the C compiler failed: {_first_error(error)}"
    except (OSError, DataError) as error:
        return f"the compiled kernel cannot be kept or opened: {error}"


def compiler() -> list[str] | None:
    """The C compiler as `CC` names it, else `cc`, with its arguments; None where there is none."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    path = None if platform.system() == "Windows" else shutil.which(command[0])
    return None if path is None else [path, *command[1:]]


def native_flag() -> str:
    """How the compiler is told to use all that this processor can."""
    arm = platform.machine() in ("arm64", "aarch64")
    return "-mcpu=native" if arm else "-march=native"


def processor() -> str:
    """What tells processors apart: the instructions they have, where the system says them."""
    path = Path("/proc/cpuinfo")
    known = {"model name", "flags", "Features", "CPU part"}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    told = dict(line.partition(":")[::2] for line in lines)
    said = [value for name, value in sorted(told.items()) if name.strip() in known]
    return "\n".join([platform.system(), platform.machine(), platform.processor(), *said])


def cache_folder() -> Path:
    """Where compiled kernels are kept: `spd` in the user's cache."""
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
    """One line: the compiler's own first error, else how it ended."""
    lines = str(getattr(error, "stderr", None) or "").splitlines()
    first = next((line for line in lines if "error" in line), None)
    if first is not None:
        return first.strip()
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with {error.returncode}"
    return f"it took more than {SECONDS} s"
