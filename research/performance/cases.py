"""The cases of the inference benchmark; each public function runs in a process of its own."""

import copy
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from research.performance.graphs import EXPORT, Runtime, graph_path, open_graph
from research.performance.literal import literal_dense, literal_query
from research.performance.subjects import POINTS, EncoderAlone, Peer, Setup, read_dense
from research.performance.timing import Effort, extra_bytes, matrix_rate, take_turns
from research.performance.yardstick import POINTS as ASKED
from research.performance.yardstick import SIZE
from spd.config import ModelConfig
from spd.cost.shared_macs import Grid, Size
from spd.errors import MeasurementError
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.runtimes.engines import QUERY_CHUNK, open_engine
from spd.runtimes.folder import ExportFolder
from spd.runtimes.kernel_engine import with_kernel

Row = dict[str, Any]
Call = Callable[[], object]

FORMS = ("default", "folded", "literal", "v15.1")
"""Forms of a query: the default (the compiled kernel, if there is a compiler), plain torch, the
specification's, v15.1's."""
MOST = {"literal": 16384, "v15.1": 1024}
"""Most points of the slow forms; more take minutes and show nothing new."""


def measure_yardstick(threads: int, effort: Effort) -> dict[str, Any]:
    """Time both literal forms on maps of 350x476, and the matrix-product rate around them."""
    setup = Setup(config=ModelConfig.tiny(), size=SIZE, threads=threads, effort=effort)
    setup.enter()
    model, maps, points = setup.model(), setup.maps(), setup.points(ASKED)
    before = matrix_rate()
    with torch.inference_mode():
        # Not in turns: the allocator's state after a whole map slows the next query.
        timed = {
            "query": _best(lambda: literal_query(model, maps, points), effort, rounds=10),
            "dense": _best(lambda: literal_dense(model, maps), effort, rounds=2),
        }
    rate = max(before, matrix_rate())
    return {"rate": rate, **timed}


def _best(call: Call, effort: Effort, rounds: int) -> dict[str, Any]:
    """The fastest of several rounds, because other programs come and go."""
    return min(
        (take_turns({"only": call}, effort)["only"] for _ in range(rounds)),
        key=lambda row: float(row["median_s"]),
    )


def query_times(setup: Setup, count: int) -> list[Row]:
    """Time every form at one K, taking turns, in a process that has encoded an image.

    Without the encode, the allocator returns freed memory to the system, and the page faults of the
    next call take as long as its arithmetic.
    """
    setup.enter()
    maps, points = setup.maps(), setup.points(count)
    models = {form: _model_of(setup, form) for form in _forms(count)}
    jobs = {form: _asking(model, form, maps, points) for form, model in models.items()}
    with torch.inference_mode():
        setup.model().encode(setup.image())
        timed = take_turns(jobs, setup.effort)
        native = setup.model().local_path.no_kernel(maps) is None
    return [
        {
            "form": form,
            "points": count,
            "macs": _macs_of(setup, form, native),
            "native": form == "default" and native,
            **times,
        }
        for form, times in timed.items()
    ]


def kernel_times(setup: Setup) -> Row:
    """Time compiling the kernel, once per machine, and opening it, once per process."""
    from spd.models.kernel.build import OFF, kernel, shape_of

    setup.enter()
    shape = shape_of(setup.config)
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("XDG_CACHE_HOME")
        os.environ["XDG_CACHE_HOME"] = folder
        try:
            taken = [_seconds(lambda: kernel.__wrapped__(shape)) for _ in range(2)]
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            os.environ.update({} if before is None else {"XDG_CACHE_HOME": before})
    found = kernel(shape)
    if isinstance(found, str):
        raise MeasurementError(f"no compiled query: {found} (see {OFF})")
    return {"compile_s": taken[0], "open_s": taken[1]}


def query_memory(setup: Setup, form: str, count: int) -> int | None:
    """Peak memory that one call adds, after a call of a single point."""
    setup.enter()
    maps, points = setup.maps(), setup.points(count)
    model = _model_of(setup, form)
    one, all_of_them = (_asking(model, form, maps, p) for p in (points[:, :1], points))
    with torch.inference_mode():
        one()
        return extra_bytes(all_of_them)


def runtime_query_times(setup: Setup, runtime: str, folder: Path, counts: Sequence[int]) -> Any:
    """Time the exported query at every K, in calls of as many points as its predictor uses."""
    setup.enter()
    engine = open_engine(ExportFolder.read(folder), runtime, "float32", setup.threads)
    s8, l2, l1 = (
        m.permute(0, 2, 3, 1).contiguous().numpy()
        for m in (setup.maps().stride_8_map, setup.maps().l2, setup.maps().l1)
    )

    def asking(count: int) -> Call:
        points = setup.points(count).numpy()
        return lambda: [
            engine.query((s8, l2, l1), points[:, start : start + QUERY_CHUNK])
            for start in range(0, count, QUERY_CHUNK)
        ]

    timed = take_turns({count: asking(count) for count in counts}, setup.effort)
    return [{"form": runtime, "points": count, **times} for count, times in timed.items()]


def compiled_times(setup: Setup, form: str) -> Row:
    """Time `torch.compile` of 1,024 points: the first call, then turns with the plain form."""
    setup.enter()
    maps, points = setup.maps(), setup.points(ASKED)
    plain = _asking(_model_of(setup, form), form, maps, points)
    compiled = torch.compile(plain)
    with torch.inference_mode():
        first_s = _seconds(compiled)
        timed = take_turns({"plain": plain, "compiled": compiled}, setup.effort)
    return {"form": form, "points": ASKED, "first_s": first_s, **timed}


def _seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def attention_times(setup: Setup) -> dict[str, Row]:
    """Time the encoder in torch with fused attention, and with attention in plain operations."""
    setup.enter()
    image, fused = setup.image(), setup.model().encoder
    plain = copy.deepcopy(fused)
    plain.backbone.set_attn_implementation("eager")
    with torch.inference_mode():
        jobs = {"fused": lambda: fused(image), "plain": lambda: plain(image)}
        return take_turns(jobs, setup.effort)


PASSES = ("dense", "dense+backward", "query+backward")


def pass_times(setup: Setup, what: str) -> list[Row]:
    """Time SPD, the literal form and v15.1 in one kind of pass, taking turns."""
    setup.enter()
    forms = ["default", "literal", "v15.1"]
    if not what.endswith("+backward"):  # with gradients the default is plain torch
        forms.insert(1, "folded")
    jobs = {form: _pass(setup, what, form) for form in forms}
    timed = take_turns(jobs, setup.effort)
    return [{"what": what, "form": form, **times} for form, times in timed.items()]


def pass_memory(setup: Setup, what: str, form: str) -> int | None:
    """Peak memory that one pass adds, after one on an image of 2x2 patches."""
    setup.enter()
    _pass(setup.at((28, 28)), what, form)()
    return extra_bytes(_pass(setup, what, form))


def pipeline(setup: Setup, network: str, runtime: Runtime, folder: Path) -> Row:
    """Measure from an image to depths: memory of the first call, then times.

    Args:
        setup: settings of the run.
        network: `spd`, `v15.1`, `peer`, or `encoder`, which is not queried.
        runtime: runtime and precision.
        folder: folder of the graphs, with the exported SPD in `EXPORT`.
    """
    setup.enter()
    rate = matrix_rate()
    jobs = _pipeline(setup, network, runtime, folder)
    with torch.inference_mode():
        extra = extra_bytes(jobs["whole"])
        timed = take_turns(jobs, setup.effort)
    return {
        "network": network,
        "runtime": runtime.name,
        "precision": runtime.precision,
        "rate": max(rate, matrix_rate()),
        "extra_bytes": extra,
        **timed,
    }


def resolution(setup: Setup, size: Size) -> Row:
    """Time SPD and the peer in torch at one size, taking turns."""
    setup = setup.at(size)
    setup.enter()
    spd = _pipeline(setup, "spd", Runtime("torch"), Path())
    peer = _pipeline(setup, "peer", Runtime("torch"), Path())
    model, maps = setup.model(), setup.maps()
    jobs = {
        "encode": spd["encode"],
        "points": spd["whole"],
        "dense": lambda: model.dense(maps),
        "peer": peer["whole"],
    }
    with torch.inference_mode():
        return {"size": list(size), **take_turns(jobs, setup.effort)}


def _forms(count: int) -> list[str]:
    return [form for form in FORMS if count <= MOST.get(form, count)]


def _model_of(setup: Setup, form: str) -> SPD:
    return setup.model("conv" if form == "v15.1" else "cross_attention")


def _asking(model: SPD, form: str, maps: FeatureMaps, points: Tensor) -> Callable[[], Tensor]:
    if form == "literal":
        return lambda: literal_query(model, maps, points)
    return lambda: model.query(maps, points, form="torch" if form == "folded" else None)


def _macs_of(setup: Setup, form: str, native: bool) -> int:
    """Multiply-adds of a point; `native`: whether the compiled kernel answers by default."""
    from spd.cost import v15_1_macs
    from spd.cost.local_macs import arrangements, sparse

    if form in ("default", "folded"):
        name = "blended" if form == "default" and native else "implemented"
        return arrangements(setup.config, Grid(setup.size))[name][0]
    if form == "literal":
        return sparse(setup.config).sums[0]
    return v15_1_macs.sparse(setup.config).sums[1]


def _pass(setup: Setup, what: str, form: str) -> Call:
    model, maps, points = _model_of(setup, form), setup.maps(), setup.points(ASKED)
    leaves = (maps.stride_8_map, maps.l2, maps.l1)

    def forward() -> Tensor:
        if what.startswith("query"):
            return _asking(model, form, maps, points)()
        if form == "literal":
            return literal_dense(model, maps)
        return model.dense(maps, form="torch" if form == "folded" else None)

    if not what.endswith("+backward"):

        def infer() -> None:
            with torch.inference_mode():
                forward()

        return infer
    for leaf in leaves:
        leaf.requires_grad_()

    def learn() -> None:
        for leaf in (*leaves, *model.parameters()):
            leaf.grad = None
        forward().sum().backward()

    return learn


def _pipeline(setup: Setup, network: str, runtime: Runtime, folder: Path) -> dict[str, Call]:
    """Calls of one network: `whole`, and for SPD and v15.1 `encode` and `encoder` too."""
    image, points = setup.image(), setup.points(POINTS)
    if runtime.name == "torch":
        if network == "peer":
            peer = Peer(setup.config)
            return {"whole": lambda: read_dense(peer(image), points)}
        model = _model_of(setup, network)
        alone = EncoderAlone(model)
        if network == "encoder":
            return {"whole": lambda: alone(image)}
        return {
            "encoder": lambda: alone(image),
            "encode": lambda: model.encode(image),
            "whole": lambda: model.query(model.encode(image), points),
        }
    pixels, asked = image.numpy(), points.numpy()
    if network == "spd":
        export = ExportFolder.read(folder / EXPORT)
        engine = open_engine(export, runtime.name, runtime.precision, setup.threads)
        engine = with_kernel(engine, export, setup.threads)  # as its predictor does
        encoder = open_graph(graph_path(folder, "encoder", runtime), runtime, setup.threads)
        return {
            "encoder": lambda: encoder(pixels),
            "encode": lambda: engine.encode(pixels),
            "whole": lambda: engine.query(engine.encode(pixels), asked),
        }
    run = open_graph(graph_path(folder, network, runtime), runtime, setup.threads)
    if network == "encoder":
        return {"whole": lambda: run(pixels)}
    return {"whole": lambda: read_dense(run(pixels), asked)}
