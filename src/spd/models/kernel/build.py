"""Compiles the kernel once for a model shape and this processor, into the user's cache.

The file name depends on processor, compiler, shape and source, so several machines can share a home
directory. If the compiler is missing or fails, `kernel` returns the reason and the caller uses
torch or a runtime instead. `spd.models.kernel.cache` decides which files may be loaded.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path

from spd.config import ModelConfig
from spd.errors import first_line, reason_of
from spd.models.kernel.cache import (
    MOST_BYTES,
    cache_folder,
    failure,
    find,
    remember_failure,
    store,
    unfinished,
)

FLAGS = (
    "-O3", "-std=gnu11", "-fPIC", "-shared", "-ffp-contract=fast", "-fno-math-errno",
    "-fno-trapping-math", "-fvisibility=hidden",
)  # fmt: skip
OFF = "SPD_NATIVE"
"""Environment variable; 0 disables the kernel."""
SECONDS = 60
"""Time limit of the compiler."""
Shape = tuple[tuple[str, int], ...]
"""The macros that define a model's shape in the source."""
MULTIPLE = 16
"""Floats of the widest vector; the channels of every layer and head must be a multiple."""
_BLOCK = 24  # queries that the kernel computes together, as in its source
_SCRATCH_BYTES, _STACK_BYTES = 16 * 2**20, 256 * 2**10  # per thread; more than any sensible model
_MESSAGE_BYTES = 2**16
_ASK_ONCE = """
import ctypes, sys
query = ctypes.CDLL(sys.argv[1]).spd_query
zeros = (ctypes.c_float * int(sys.argv[2]))()
sizes, scales = (ctypes.c_int32 * 6)(*(1,) * 6), (ctypes.c_float * 6)()
point, depth_m = (ctypes.c_float * 2)(), (ctypes.c_float * 1)()
query(zeros, zeros, zeros, sizes, scales, point, ctypes.c_long(1), zeros, depth_m)
"""


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
    may compile at once; the file is replaced atomically. A failure of the compiler is remembered
    for an hour (`spd.models.kernel.cache`).
    """
    if os.environ.get(OFF) == "0":
        return f"{OFF}=0"
    reason = _reason_against(shape)
    if reason is not None:
        return reason
    try:
        command = compiler()
        if command is None:
            named = os.environ.get("CC")
            return "no C compiler (cc) was found" + (f": CC is {named!r}" if named else "")
        return _built_or_found(shape, command)
    except OSError as error:
        return f"the compiled kernel cannot be saved or loaded: {_cannot(error)}"


def _built_or_found(shape: Shape, command: list[str]) -> ctypes.CDLL | str:
    source = resources.files("spd.models.kernel").joinpath("query.c").read_text(encoding="utf-8")
    command = [*command, *FLAGS, processor_flag(), *(f"-D{name}={value}" for name, value in shape)]
    program = os.stat(command[0])  # another compiler under the same name is another key
    facts = (source, *command, str(program.st_mtime_ns), str(program.st_size), processor())
    key = hashlib.sha256("\n".join(facts).encode(errors="surrogateescape")).hexdigest()[:16]
    folder = cache_folder(key)
    library = find(folder, key)
    if library is None:
        failed = failure(folder, key)
        if failed is not None:
            return failed
        with unfinished(folder) as temporary:
            try:
                built = _compile(command, source, Path(temporary))
                _try_once(built, shape)
            except _CompilerError as error:
                reason = f"the C compiler failed: {error}"
                remember_failure(folder, key, reason)
                return reason
            library = store(folder, key, built)
    return _opened(library)


def compiler() -> list[str] | None:
    """Command of the C compiler: `CC` if set, else `cc`; None if it is not installed."""
    try:
        command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    except ValueError:  # an open quotation mark
        return None
    path = None if platform.system() == "Windows" else shutil.which(command[0])
    return None if path is None else [os.path.abspath(path), *command[1:]]


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


class _CompilerError(Exception):
    """The compiler failed, or wrote something other than the kernel."""


def _compile(command: list[str], source: str, folder: Path) -> Path:
    """Compile into a folder."""
    built = folder / "query.so"
    _run([*command, "-x", "c", "-", "-o", str(built), "-lm"], folder, source)
    if built.is_symlink() or not built.is_file():
        raise _CompilerError("it wrote no library")
    if built.stat().st_size > MOST_BYTES:
        raise _CompilerError(f"the library that it wrote is larger than {MOST_BYTES} bytes")
    return built


def _try_once(built: Path, shape: Shape) -> None:
    """Load a library and ask it for a point in a process of its own, which either may end.

    It may be truncated, or made for another machine, or have instructions that this one lacks.
    """
    python = sys.executable or shutil.which("python3") or "python3"
    # Maps of one cell, whose channels are fewer than the weights.
    given = (f"./{built.name}", str(weight_count(shape)))
    try:
        _run([python, "-I", "-S", "-c", _ASK_ONCE, *given], built.parent)
    except _CompilerError as error:
        raise _CompilerError(f"the library that it wrote cannot be loaded ({error})") from None


def _run(command: list[str], folder: Path, given: str = "") -> None:
    """Run a command for at most `SECONDS`, and end it with all the processes that it started.

    Its messages go to a file: a pipe is closed only when the last process that holds it ends.
    """
    (folder / "input").write_text(given, encoding="utf-8")
    try:
        with (
            (folder / "input").open("rb") as source,
            (folder / "messages").open("w+b") as messages,
            subprocess.Popen(
                command,
                stdin=source,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                cwd=folder,
                start_new_session=True,
            ) as process,
        ):
            try:
                status = process.wait(SECONDS)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
            messages.seek(0)
            output = messages.read(_MESSAGE_BYTES).decode(errors="replace")
    except subprocess.TimeoutExpired:
        raise _CompilerError(f"it took more than {SECONDS} s") from None
    except OSError as error:
        raise _CompilerError(str(error)) from None
    if status:
        raise _CompilerError(_first_error(output, status))


def _opened(library: Path) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(library))
    if not hasattr(opened, "spd_query"):
        raise OSError(f"{library} is another library; delete it")
    opened.spd_query.restype = None
    opened.spd_query.argtypes = [
        *(ctypes.c_void_p,) * 6, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    return opened


def _reason_against(shape: Shape) -> str | None:
    """Why there is no kernel for a shape; None if there is one."""
    sides = dict(shape)
    dim, heads, places = sides["DIM"], sides["HEADS"], 2 * sides["WINDOW"] ** 2
    if any(n % MULTIPLE for n in (dim // heads, sides["HEAD_WIDTH"])):
        return f"the channels of every layer and head must be multiples of {MULTIPLE}"
    per_point = 4 * dim + 2 * heads * (dim + places) + sides["FFN"] + sides["HEAD_WIDTH"]
    if 4 * max(_BLOCK * per_point, places * dim) > _SCRATCH_BYTES:
        return "the model is too large for the compiled kernel"
    if 4 * (2 * sides["WINDOW"] * dim + heads * places) > _STACK_BYTES:
        return "the model is too large for the compiled kernel"
    return None


def _first_error(output: str, status: int) -> str:
    """One line: the first error message of a command, else its last one or its exit status."""
    lines = [line for line in output.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line.lower()), None)
    how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    return first_line(first) if first is not None else how


def _cannot(error: OSError) -> str:
    """One line about a file that cannot be used."""
    named = error.filename2 or error.filename  # where a file was moved to
    place = "" if named is None else f"cannot write {named}: "
    return f"{place}{reason_of(error)}"
