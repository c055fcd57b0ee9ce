"""ONNX Runtime without its telemetry and spinning threads, also in forked processes."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spd.processes import PerProcess

TELEMETRY_OFF = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""Variables that ONNX Runtime reads when it is loaded; its versions name them differently."""
_NO = ("0", "false", "no", "off")


def import_onnxruntime() -> Any:
    """Import `onnxruntime`, with telemetry off unless the user has set it.

    ONNX Runtime 1.32 writes a device id and a database of events into the user's cache when it is
    loaded, and sends them. `ORT_DISABLE_TELEMETRY=0` in the environment allows that.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    values = [os.environ.get(name, "").strip().lower() for name in TELEMETRY_OFF]
    wanted = any(value in _NO for value in values)
    if not wanted:  # a version may read the one that is not set, or is empty
        os.environ.update(dict.fromkeys(TELEMETRY_OFF, "1"))
    import onnxruntime

    if not wanted:  # Windows reads no variable, and another library may have loaded it before
        getattr(onnxruntime, "disable_telemetry_events", lambda: None)()
    return onnxruntime


def session_options(onnxruntime: Any, threads: int) -> Any:
    """Options of a session on the CPU.

    Args:
        onnxruntime: the module.
        threads: number of its threads, including the calling one.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; warnings do not concern the user
    options.enable_cpu_mem_arena = False  # it would keep the memory of the largest photo
    options.intra_op_num_threads = threads
    # Spinning threads would take the CPUs of the query's threads, and of other programs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


class OnnxRuntimeGraph:
    """A graph in a session of ONNX Runtime, which a forked process opens again."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._session = PerProcess(load)

    def run(self, names: Sequence[str], given: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Outputs of those names."""
        outputs: Sequence[np.ndarray] = self._session.get().run(names, given)
        return outputs
