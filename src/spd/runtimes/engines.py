"""ONNX Runtime and OpenVINO behind two calls: an image to maps, maps and points to metres.

The encoder takes the precision that is asked for; the query keeps float32 whatever it is, because
metres in bfloat16 step by 1.6 cm at 2 to 4 m and the query is a small part of the time.
"""

import contextlib
import functools
import importlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, get_args

import numpy as np
from jaxtyping import Float

from spd.errors import CheckpointError, ConfigError
from spd.memory import in_parts, memory_for
from spd.runtimes.blocks import PointBlocks
from spd.runtimes.folder import ENCODE, ENCODE_INT8, MAP_NAMES, QUERY, ExportFolder

RuntimeName = Literal["onnxruntime", "openvino"]
Precision = Literal["float32", "bfloat16", "int8"]
Maps = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The stride-8 map, L2 and L1, each `[B, rows, columns, D]`."""

QUERY_CHUNK = 16_384
"""Points that a graph answers together; fewer where memory does not suffice."""

_ONE_CORE = threading.Lock()  # `functools.cache` alone would let two threads make one each
_REASON = 160  # characters of what a runtime said; what counts comes last


class Engine(Protocol):
    """Runs the network; holds no photo, and may be called from several threads."""

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Everything that is paid once per image, of RGB in 0..1."""
        ...

    def query(self, maps: Maps, points: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, "b k"]:
        """Metres at points in pixels of the encoded images; NaN outside."""
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
            f"no runtime {runtime!r}; use torch, or for an export onnxruntime or openvino"
        )
    if precision not in (None, *get_args(Precision)):
        raise ConfigError(f"no precision {precision!r}; use float32, bfloat16 or int8")


def open_engine(
    folder: ExportFolder, runtime: str, precision: str, threads: int | None = None
) -> Engine:
    """Both graphs of a folder, loaded into a runtime.

    Raises:
        ConfigError: if the runtime is not installed or cannot do that precision here.
        CheckpointError: if a graph is missing, changed, or refused by the runtime.
    """
    check_names(runtime, precision)
    if precision == "int8" and ENCODE_INT8[runtime] not in folder.digests:
        raise ConfigError(
            f"{folder.path} has no int8 encoder for {runtime}; write one with: spd export "
            "onnx MODEL -o FOLDER --int8 --calibrate DATA"
        )
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be at least 1, got {threads}")
    # Both are known to be whole before either is loaded.
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
    _blocks: PointBlocks

    def query(self, maps: Maps, points: Float[np.ndarray, "b k 2"]) -> Float[np.ndarray, "b k"]:
        """Depth in metres at points in pixels of the encoded images; NaN outside.

        Raises:
            OutOfMemoryError: if memory does not suffice even for one point.
        """
        given = dict(zip(MAP_NAMES, maps, strict=True))

        def answer(block: np.ndarray) -> np.ndarray:
            return self._query.run(["depth_m"], given | {"points": block})[0]

        def part(where: slice) -> np.ndarray:
            what = f"the query of {where.stop - where.start} point(s)"
            with memory_for(what, "free some, or ask fewer"):
                return self._blocks.ask(answer, points[:, where])

        return np.concatenate(in_parts(part, points.shape[1], QUERY_CHUNK), axis=1)


class OnnxRuntimeEngine(_GraphEngine):
    """ONNX Runtime on the CPU."""

    def __init__(self, encode: Path, query: Path, precision: str, threads: int | None) -> None:
        if precision == "bfloat16":
            raise ConfigError(
                "onnxruntime computes no bfloat16 on a CPU; take --runtime openvino, or float32"
            )
        ort = _import("onnxruntime")

        def load(path: Path, threads: int | None) -> Any:
            options = ort.SessionOptions()
            options.log_severity_level = 4  # errors are exceptions; warnings are not the user's
            if threads is not None:
                options.intra_op_num_threads = threads
            try:
                return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            except Exception as error:  # of many kinds, none of them public
                raise _refused(path, "onnxruntime", error) from None

        self._encode, self._query = load(encode, threads), load(query, 1)
        self._blocks = PointBlocks(threads)

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Everything that is paid once per image, of RGB in 0..1."""
        with _memory_for_images(images):
            s8, l2, l1 = self._encode.run(MAP_NAMES, {"image": images})
        return s8, l2, l1


class OpenVINOEngine(_GraphEngine):
    """OpenVINO on the CPU; bfloat16 where the CPU has instructions for it.

    What an int8 encoder leaves in floating point is computed in bfloat16 there too.
    """

    def __init__(self, encode: Path, query: Path, precision: str, threads: int | None) -> None:
        core = openvino_core()
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16":
            check_bfloat16(capabilities)
        self._lock = threading.Lock()  # a compiled model answers one call at a time

        def load(path: Path, hint: str, threads: int | None) -> Any:
            settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint}
            if threads is not None:
                settings["INFERENCE_NUM_THREADS"] = threads
            if threads == 1:  # several of them would be bound to the same core
                settings["ENABLE_CPU_PINNING"] = False
            try:
                return core.compile_model(str(path), "CPU", settings).create_infer_request()
            except Exception as error:  # of many kinds, none of them public
                raise _refused(path, "openvino", error) from None

        hint = openvino_hint(precision, capabilities)
        self._encode = _OpenVINOGraph(lambda: load(encode, hint, threads))
        self._blocks = PointBlocks(threads)
        self._query = _OpenVINOGraphs(lambda: load(query, "f32", 1), self._blocks.threads)

    def encode(self, images: Float[np.ndarray, "b 3 h w"]) -> Maps:
        """Everything that is paid once per image, of RGB in 0..1."""
        with self._lock, _memory_for_images(images):
            s8, l2, l1 = self._encode.run(MAP_NAMES, {"image": images})
        return s8, l2, l1


class _OpenVINOGraph:
    """A compiled graph, compiled again after a call that failed.

    Such a call leaves shapes of its own in some of the operations, and the next one may meet them.
    """

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._request: Any = load()

    def run(self, names: Sequence[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs, copied: the next call writes over them.

        Not by `infer`: where an operation fails, as for want of memory, that says nothing and
        leaves the answers of the call before (OpenVINO 2026.4). Waiting raises.
        """
        request = self._load() if self._request is None else self._request
        self._request = None
        request.start_async(given, share_inputs=True)
        request.wait()
        outputs = [request.get_tensor(name).data.astype(np.float32) for name in names]
        self._request = request
        return outputs


class _OpenVINOGraphs:
    """Copies of a small graph, compiled when so many calls come together.

    A graph's requests share what a call that failed may leave behind; copies do not.
    """

    def __init__(self, load: Callable[[], Any], at_once: int) -> None:
        self._load = load
        self._places = threading.Semaphore(at_once)
        self._idle = [_OpenVINOGraph(load)]

    def run(self, names: Sequence[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs, copied; from several threads."""
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
def _only_core(openvino: ModuleType) -> Any:
    return openvino.Core()


def openvino_core() -> Any:
    """The one `openvino.Core` of this process, never given back.

    Each gives the thread that makes it a signal stack of its own. Two that are dropped in the order
    in which they were made leave the first one's behind, already unmapped; the next signal with a
    handler (an interrupt, SIGTERM, the end of a child) then kills the process without a word.

    Raises:
        ConfigError: if OpenVINO is not installed.
    """
    openvino = _import("openvino")
    with _ONE_CORE:
        return _only_core(openvino)


def check_bfloat16(capabilities: list[str]) -> None:
    """Refuse bfloat16 where OpenVINO would silently compute float32 in its place.

    Raises:
        ConfigError: naming what the CPU lacks.
    """
    if "BF16" not in capabilities:
        raise ConfigError(
            "this CPU has no bfloat16 instructions that OpenVINO uses (AVX512_BF16 or AMX), so it "
            "would compute float32; leave --precision out, or take int8"
        )


def openvino_hint(precision: str, capabilities: list[str]) -> str:
    """OpenVINO's name of the precision for what is not quantised, on a CPU that can do this."""
    return "bf16" if precision != "float32" and "BF16" in capabilities else "f32"


def _memory_for_images(images: np.ndarray) -> contextlib.AbstractContextManager[None]:
    count, _, height, width = images.shape
    return memory_for(
        f"the encoding of {count} image(s) of {height}x{width}",
        "free some, crop the photo, or take another runtime",
    )


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigError(f'{name} is not installed; pip install "spd[export]"') from None


def _refused(path: Path, runtime: str, error: Exception) -> CheckpointError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[-1]  # first: where in C++
    reason = reason if len(reason) <= _REASON else f"...{reason[-_REASON:]}"
    return CheckpointError(f"{runtime} cannot load {path}; is it too old for it? ({reason})")
