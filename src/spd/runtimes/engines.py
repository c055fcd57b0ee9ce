"""ONNX Runtime and OpenVINO behind two calls: `encode` and `query`.

The precision applies to the encoder. The query always computes in float32, because bfloat16 steps
by 1.6 cm at 2 to 4 m and the query takes a small part of the time.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, get_args

import numpy as np
from jaxtyping import Float

from spd.errors import CheckpointError, ConfigError, SPDError, require, shown
from spd.memory import in_parts, memory_for
from spd.processes import SafeLock, keep_in_forks, refuse_fork, threads_to_use
from spd.runtimes.blocks import ask_in_blocks
from spd.runtimes.folder import ENCODE, ENCODE_INT8, MAP_NAMES, QUERY, ExportFolder
from spd.runtimes.onnx_runtime import OnnxRuntimeGraph, import_onnxruntime, session_options

RuntimeName = Literal["onnxruntime", "openvino"]
Precision = Literal["float32", "bfloat16", "int8"]
Maps = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The stride-8 map, L2 and L1, each `[B, rows, columns, D]`."""

QUERY_CHUNK = 16_384
"""Points that a graph answers together; fewer where memory does not suffice."""

_ONE_CORE = SafeLock()  # `functools.cache` alone lets two threads make one each
_REASON = 160  # last characters of a runtime's message, which hold the cause


class Engine(Protocol):
    """A loaded model without a photo; several threads may call it."""

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Encode RGB images in 0..1; runs once per photo."""
        ...

    def query(self, maps: Maps, points: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, "b k"]:
        """Depth in metres at points in pixels of the encoded images; NaN outside."""
        ...


def installed_runtimes(precision: str | None = None) -> list[RuntimeName]:
    """Installed runtimes, the preferred one for a precision first; loads none of them."""
    from importlib.util import find_spec

    installed = [name for name in get_args(RuntimeName) if find_spec(name) is not None]
    if precision == "bfloat16":  # ONNX Runtime does not compute it on a CPU
        installed.sort(key=lambda name: name != "openvino")
    return installed


def check_names(runtime: str | None, precision: str | None) -> None:
    """Refuse unknown names of a runtime or a precision; None is the default.

    Raises:
        ConfigError: naming the known ones.
    """
    if runtime not in (None, "torch", *get_args(RuntimeName)):
        raise ConfigError(
            f"unknown runtime {shown(runtime)}; use torch or, for an export, onnxruntime or "
            "openvino"
        )
    if precision not in (None, *get_args(Precision)):
        raise ConfigError(f"unknown precision {shown(precision)}; use float32, bfloat16 or int8")


def open_engine(
    folder: ExportFolder, runtime: str, precision: str, threads: int | None = None
) -> Engine:
    """Load both graphs of an export into a runtime.

    Raises:
        ConfigError: if the runtime cannot do that precision here.
        MissingExtraError: if the runtime is not installed.
        CheckpointError: if a graph is missing, changed, or refused by the runtime.
    """
    check_names(runtime, precision)
    if precision == "int8" and ENCODE_INT8[runtime] not in folder.digests:
        raise ConfigError(
            f"{folder.path} has no int8 encoder for {runtime}; create one with: spd export "
            "onnx MODEL -o FOLDER --int8 --calibrate DATA, and use FOLDER as the model"
        )
    threads = threads_to_use(threads)
    # Check that both are whole before loading either.
    encode = folder.graph(ENCODE_INT8[runtime] if precision == "int8" else ENCODE)
    query = folder.graph(QUERY)
    if runtime == "openvino":
        return OpenVINOEngine(encode, query, precision, threads)
    return OnnxRuntimeEngine(encode, query, precision, threads)


class _Graph(Protocol):
    """A graph that a runtime has loaded; an `onnxruntime.InferenceSession` is one."""

    def run(self, names: Sequence[str], given: dict[str, np.ndarray], /) -> Sequence[np.ndarray]:
        """Outputs of those names for the inputs."""
        ...


class _GraphEngine:
    """An engine whose query is a graph: blocks of points, one thread each."""

    _query: _Graph
    _threads: int
    _files: tuple[str, Path, Path]
    """Name of the runtime, and the graphs of `encode` and of `query`."""

    def query(self, maps: Maps, points: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, "b k"]:
        """Depth in metres at points in pixels of the encoded images; NaN outside.

        Raises:
            OutOfMemoryError: if memory does not suffice even for one point.
        """
        given = dict(zip(MAP_NAMES, maps, strict=True))

        def answer(block: np.ndarray) -> np.ndarray:
            depth_m = self._query.run(["depth_m"], given | {"points": block})[0]
            if depth_m.shape != block.shape[:2] or depth_m.dtype != np.float32:
                raise ValueError(f"depth_m is {depth_m.dtype} {list(depth_m.shape)}")
            return depth_m

        def part(where: slice) -> np.ndarray:
            runtime, _, graph = self._files
            with _run_of(runtime, graph), _memory_for_points(where.stop - where.start):
                return ask_in_blocks(answer, points[:, where], self._threads)

        with _memory_for_points(points.shape[1]):
            return np.concatenate(in_parts(part, points.shape[1], QUERY_CHUNK), axis=1)


class OnnxRuntimeEngine(_GraphEngine):
    """ONNX Runtime on the CPU."""

    def __init__(self, encode: Path, query: Path, precision: str, threads: int) -> None:
        if precision == "bfloat16":
            raise ConfigError(
                "onnxruntime does not support bfloat16 on a CPU; use float32, or OpenVINO on a CPU "
                'with AVX512_BF16 or AMX (--runtime openvino; pip install "spd[export]")'
            )
        require("onnxruntime")
        ort = import_onnxruntime()
        self._files = ("onnxruntime", encode, query)

        def load(path: Path, threads: int) -> Any:
            options = session_options(ort, threads)
            try:
                return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            except Exception as error:  # runtimes raise many types, none of them public
                raise _refused(path, "onnxruntime", error) from None

        self._encode = OnnxRuntimeGraph(lambda: load(encode, threads))
        self._query = OnnxRuntimeGraph(lambda: load(query, 1))
        self._threads = threads

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Encode RGB images in 0..1; runs once per photo."""
        with _run_of(*self._files[:2]), _memory_for_images(images):
            s8, l2, l1 = self._encode.run(MAP_NAMES, {"image": images})
        return s8, l2, l1


class OpenVINOEngine(_GraphEngine):
    """OpenVINO on the CPU; bfloat16 where the CPU has instructions for it.

    On such a CPU the floating-point part of an int8 encoder also computes in bfloat16.
    """

    def __init__(self, encode: Path, query: Path, precision: str, threads: int) -> None:
        core = openvino_core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16":
            check_bfloat16(capabilities)
        self._files = ("openvino", encode, query)
        self._process = os.getpid()
        self._lock = threading.Lock()  # a compiled model answers one call at a time

        def load(path: Path, hint: str, threads: int) -> Any:
            settings: dict[str, Any] = {
                "INFERENCE_PRECISION_HINT": hint,
                "INFERENCE_NUM_THREADS": threads,
            }
            if threads == 1:  # several single-threaded models would share a core
                settings["ENABLE_CPU_PINNING"] = False
            try:
                return core.compile_model(str(path), "CPU", settings).create_infer_request()
            except Exception as error:  # runtimes raise many types, none of them public
                raise _refused(path, "openvino", error) from None

        hint = openvino_hint(precision, capabilities)
        self._encode = _OpenVINOGraph(lambda: load(encode, hint, threads))
        self._threads = threads
        self._query = _OpenVINOGraphs(lambda: load(query, "f32", 1), self._threads)

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Encode RGB images in 0..1; runs once per photo."""
        refuse_fork(self._process, "openvino")  # the lock may be held for ever
        with self._lock, _run_of(*self._files[:2]), _memory_for_images(images):
            s8, l2, l1 = self._encode.run(MAP_NAMES, {"image": images})
        return s8, l2, l1


class _OpenVINOGraph:
    """A compiled graph, compiled again after a call that failed.

    A failed call leaves its shapes in some operations, where the next call could meet them.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._request: Any = load()
        self._process = os.getpid()
        keep_in_forks(self)

    def run(self, names: Sequence[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs, copied because the next call overwrites them.

        `infer` is not used: if an operation fails, such as for lack of memory, it returns the
        outputs of the previous call without an error (OpenVINO 2026.4). `wait` raises.
        """
        refuse_fork(self._process, "openvino")
        request = self._load() if self._request is None else self._request
        self._request = None
        request.start_async(given, share_inputs=True)
        request.wait()
        outputs = [request.get_tensor(name).data.astype(np.float32) for name in names]
        self._request = request
        return outputs


class _OpenVINOGraphs:
    """Copies of a small graph, compiled as concurrent calls need them.

    The requests of one graph share the state that a failed call leaves behind; copies do not.
    """

    def __init__(self, load: Callable[[], Any], at_once: int) -> None:
        self._load = load
        self._places = threading.Semaphore(at_once)
        self._idle = [_OpenVINOGraph(load)]

    def run(self, names: Sequence[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Outputs, copied; several threads may call."""
        with self._places:
            try:
                graph = self._idle.pop()
            except IndexError:
                graph = _OpenVINOGraph(self._load)
            try:
                return graph.run(names, given)
            finally:
                self._idle.append(graph)


@functools.cache
def _only_core(openvino: ModuleType) -> tuple[Any, int]:
    return openvino.Core(), os.getpid()


def openvino_core() -> Any:
    """The single `openvino.Core` of this process, never released.

    Each core installs a signal stack in the thread that creates it. Releasing two cores in the
    order of their creation leaves the first one's stack installed after it is unmapped; the next
    signal with a handler (SIGINT, SIGTERM, SIGCHLD) then kills the process silently.

    Raises:
        MissingExtraError: if OpenVINO is not installed.
        ForkError: in a process forked from the one that made it.
    """
    require("openvino")
    import openvino

    with _ONE_CORE:
        core, process = _only_core(openvino)
    refuse_fork(process, "openvino")
    return core


def check_bfloat16(capabilities: list[str]) -> None:
    """Refuse bfloat16 where OpenVINO would silently compute float32 instead.

    Raises:
        ConfigError: naming what the CPU lacks.
    """
    if "BF16" not in capabilities:
        raise ConfigError(
            "this CPU has no bfloat16 instructions that OpenVINO supports (AVX512_BF16 or AMX), so "
            "OpenVINO would compute in float32; omit --precision, or use an int8 export"
        )


def openvino_hint(precision: str, capabilities: list[str]) -> str:
    """OpenVINO's name of the precision of everything that is not quantised."""
    return "bf16" if precision != "float32" and "BF16" in capabilities else "f32"


def _memory_for_points(count: int) -> contextlib.AbstractContextManager[None]:
    return memory_for(f"querying {count} point(s)", "free some, or query fewer")


def _memory_for_images(images: np.ndarray) -> contextlib.AbstractContextManager[None]:
    count, _, height, width = images.shape
    return memory_for(
        f"encoding {count} image(s) of {height}x{width}",
        "free some, crop the photo, or use a different runtime",
    )


@contextlib.contextmanager
def _run_of(runtime: str, graph: Path) -> Iterator[None]:
    """Turn an error of the runtime into one that names the graph; SPD's own errors pass.

    Raises:
        CheckpointError: if the runtime fails, or the graph has other inputs or outputs.
    """
    try:
        yield
    except SPDError:
        raise
    except Exception as error:  # runtimes raise many types, none of them public
        raise CheckpointError(
            f"{runtime} cannot run {graph}; export the model again ({_reason(error)})"
        ) from None


def _refused(path: Path, runtime: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{runtime} cannot load {path}; is this {runtime} too old? ({_reason(error)})"
    )


def _reason(error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1]  # first: where in C++
    return reason if len(reason) <= _REASON else f"...{reason[-_REASON:]}"
