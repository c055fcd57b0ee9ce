"""Measure every case of the inference benchmark in one run, as data for JSON.

`research/performance.md` describes the method. Every case has a process of its own; forms that are
compared take turns in one. A case that cannot be measured is listed with its reason.
"""

import dataclasses
import tempfile
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from research.performance import accuracy, cases
from research.performance.findings import FORMAT
from research.performance.graphs import (
    Runtime,
    export_network,
    export_spd,
    graph_path,
    runtimes_here,
)
from research.performance.noise_frames import write_noise_frames
from research.performance.startup import start_times
from research.performance.subjects import Setup, pipeline_macs
from research.performance.timing import in_own_process
from research.performance.training import step_speed
from research.performance.yardstick import Yardstick
from spd.benchmark.machine import machine, package_version
from spd.config import PATCH
from spd.cost.shared_macs import Size
from spd.errors import SPDError
from spd.recipes import override, recipe

P = ParamSpec("P")
T = TypeVar("T")
Announce = Callable[[str], None]
"""Called with the name of each case."""
Part = Literal[
    "query", "compiled", "dense", "pipelines", "resolutions", "start", "training", "accuracy"
]
PARTS: tuple[Part, ...] = get_args(Part)
_MEMORY_FROM = 1024  # points; fewer add almost nothing
_NETWORKS = ("spd", "peer", "encoder", "v15.1")

TRIES = 3
"""Measurements of the yardstick before a run is refused."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The parts to measure, and how thoroughly."""

    setup: Setup
    """Model, size, threads and effort."""
    parts: tuple[Part, ...] = PARTS
    """Parts of the benchmark."""
    counts: tuple[int, ...] = (1, 64, 1024, 16384, 1_000_000)
    """K, increasing."""
    recipe: str = "nyu_v15_2"
    """Recipe whose training step is measured, in float32."""
    training_steps: int = 5
    """Number of training steps."""
    data: tuple[str, ...] = ()
    """Sources of frames for the accuracy of precisions; empty: it is left out."""
    frames: int = 32
    """Number of frames to calibrate on, and number to score."""


class Run:
    """One run of the benchmark and its result so far; a method for each part."""

    def __init__(self, plan: Plan, announce: Announce, folder: Path) -> None:
        self._plan, self._announce, self._folder = plan, announce, folder
        self._runtimes, missing = runtimes_here()
        self.result: dict[str, Any] = {
            "left_out": [{"what": w, "why": y} for w, y in missing.items()]
        }
        self._graphs: Path | None = None

    def query(self) -> None:
        """Measure every form at every K: times in one process a K, memory in one a form and K."""
        plan, rows = self._plan, list[dict[str, Any]]()
        for count in plan.counts:
            rows += self._case(f"query, K = {count:,}", cases.query_times, plan.setup, count) or []
        for row in rows:
            if row["points"] >= min(_MEMORY_FROM, plan.counts[-1]):
                said = f"memory of query, K = {row['points']:,}, {row['form']}"
                args = (plan.setup, row["form"], row["points"])
                row["extra_bytes"] = self._case(said, cases.query_memory, *args)
        for runtime in self._runtimes[1:]:
            if runtime.precision == "float32" and (folder := self._exported()) is not None:
                said, asked = f"query in {runtime.name}", cases.runtime_query_times
                found = self._case(said, asked, plan.setup, runtime.name, folder, plan.counts)
                rows += found or []
        self.result["query"] = rows

    def compiled(self) -> None:
        """Time a query under `torch.compile`, with its first call, and the kernel's compilation."""
        setup = self._plan.setup
        row = self._case("compiled query, folded", cases.compiled_times, setup, "folded")
        self.result["kernel"] = self._case("compiled kernel", cases.kernel_times, setup)
        self.result["compiled"] = [row] if row else []

    def dense(self) -> None:
        """Measure dense maps and training passes beside the literal form."""
        rows = list[dict[str, Any]]()
        for what in cases.PASSES:
            rows += self._case(what, cases.pass_times, self._plan.setup, what) or []
        for row in rows:
            said = f"memory of {row['what']}, {row['form']}"
            args = (self._plan.setup, row["what"], row["form"])
            row["extra_bytes"] = self._case(said, cases.pass_memory, *args)
        self.result["passes"] = rows

    def pipelines(self) -> None:
        """Measure from an image to 256 depths, in every runtime and precision."""
        setup, rows = self._plan.setup, list[dict[str, Any]]()
        for name in ("v15.1", "the literal form"):
            self._leave_out(f"{name} in other runtimes than torch", "it has no exported form")
        macs = self._case("multiply-adds", pipeline_macs, _NETWORKS, setup) or {}
        for name in _NETWORKS:
            for runtime in self._runtimes:
                if not self._has_graph(name, runtime):
                    continue
                said = f"{name} in {runtime}"
                row = self._case(said, cases.pipeline, setup, name, runtime, self._folder)
                rows += [row | {"macs": macs.get(name)}] if row else []
        self.result["pipelines"] = rows

    def resolutions(self) -> None:
        """Time SPD and the peer in torch over sizes of the same aspect ratio."""
        found = [
            self._case(f"{size[0]}x{size[1]}", cases.resolution, self._plan.setup, size)
            for size in sizes_around(self._plan.setup.size)
        ]
        self.result["resolutions"] = [row for row in found if row]

    def start(self) -> None:
        """Time commands from the shell, with the shipped model."""
        exports: dict[str, Path] = {}
        names = [r.name for r in self._runtimes[1:] if r.precision == "float32"]
        if names:
            shipped = self._case("export shipped", accuracy.export_shipped, self._folder)
            exports = dict.fromkeys(names, shipped.path) if shipped else {}
        effort = self._plan.setup.effort
        rows = self._case("commands", start_times, self._folder, effort, exports)
        self.result["start"] = rows or []

    def training(self) -> None:
        """Time training steps of a recipe on noise."""
        plan = self._plan
        changed = ["train.encoder_weights=null", "train.tracker=none", "train.precision=float32"]
        chosen = override(recipe(plan.recipe), [*changed, "train.workers=0"])
        data = write_noise_frames(self._folder / "frames", chosen.model.camera)
        self._announce(f"training step of {plan.recipe}")
        speed = step_speed(chosen, [f"{data}:train"], plan.training_steps, "cpu")
        batch = chosen.train.batch_size
        self.result["training"] = {"recipe": plan.recipe, "batch_size": batch} | dataclasses.asdict(
            speed
        )

    def accuracy(self) -> None:
        """Time fused attention, and score the shipped model in every precision and size."""
        plan = self._plan
        self.result["attention"] = self._case("attention", cases.attention_times, plan.setup)
        if not plan.data:
            self._leave_out("accuracy of precisions", "no --data to measure it on")
            return
        place = Path(tempfile.mkdtemp(dir=self._folder))
        args = (place, plan.data, plan.frames, plan.setup.threads)
        self.result["accuracy"] = self._case("accuracy", accuracy.cheaper_encoders, *args)

    def _exported(self) -> Path | None:
        if self._graphs is None:
            args = (self._plan.setup, self._folder)
            self._graphs = self._case("export spd", export_spd, *args)
        return self._graphs

    def _has_graph(self, network: str, runtime: Runtime) -> bool:
        """Whether this network runs in a runtime; its graphs are exported once."""
        if runtime.name == "torch":
            return True
        if network == "v15.1":  # has no exported form
            return False
        if network == "spd":  # takes turns with its encoder alone
            return self._exported() is not None and self._has_graph("encoder", runtime)
        path = graph_path(self._folder, network, Runtime(runtime.name))
        if not path.exists():
            self._case(f"export {network}", export_network, self._plan.setup, network, self._folder)
        return path.exists()

    def _case(self, said: str, function: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T | None:
        """Run one case in its own process; None, with the reason stored, if it fails."""
        self._announce(said)
        try:
            return in_own_process(function, *args, **kw)
        except BrokenProcessPool:
            self._leave_out(said, "its process was killed, such as for lack of memory")
        except (SPDError, RuntimeError, MemoryError) as error:
            self._leave_out(said, (str(error).strip() or type(error).__name__).splitlines()[0])
        return None

    def _leave_out(self, what: str, why: str) -> None:
        self.result["left_out"].append({"what": what, "why": why})


def inference_benchmark(plan: Plan, announce: Announce) -> dict[str, Any]:
    """Measure all parts of the plan, after the yardstick.

    Raises:
        MeasurementError: if the machine is too busy.
    """
    announce("yardstick")
    about = machine()
    measured = _measure_yardstick(plan, str(about["load_average"]))
    with tempfile.TemporaryDirectory(prefix="spd-benchmark-") as folder:
        run = Run(plan, announce, Path(folder))
        for part in plan.parts:
            getattr(run, part)()
    versions = {name: package_version(name) for name in ("transformers", "onnxruntime", "openvino")}
    return {
        "format": FORMAT,
        "machine": about | versions | {"threads": plan.setup.threads},
        "model": plan.setup.config.to_dict(),
        "size": list(plan.setup.size),
        "effort": dataclasses.asdict(plan.setup.effort),
        "yardstick": measured,
        **run.result,
        "load_average_after": machine()["load_average"],
    }


def _measure_yardstick(plan: Plan, load: str) -> dict[str, Any]:
    """The first of `TRIES` measurements that is fast enough."""
    for _ in range(TRIES):
        measured = in_own_process(cases.measure_yardstick, plan.setup.threads, plan.setup.effort)
        yardstick = Yardstick.of(measured)
        if yardstick.fast_enough:
            return measured
    raise yardstick.refusal(load)


def sizes_around(size: Size) -> list[Size]:
    """About 0.5, 0.75, 1 and 1.5 times a size, in whole patches."""
    scaled = [
        (max(2, round(size[0] * s / PATCH)) * PATCH, max(2, round(size[1] * s / PATCH)) * PATCH)
        for s in (0.5, 0.75, 1.0, 1.5)
    ]
    return list(dict.fromkeys(scaled))
