"""Judge a result by the targets that were set before anything was measured."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from research.performance.findings import NAMES, Findings, Row, over, ratio, seconds
from research.performance.words import memory
from research.performance.yardstick import POINTS
from spd.config import ModelConfig
from spd.cost.local_macs import dense, sparse
from spd.cost.shared_macs import Grid

Verdict = Literal["met", "missed", "not measured"]
MOST_POINTS = 1_000_000
MOST_MACS = 170_000  # of a query
LINEAR = 1.1  # times per query may differ by this from K = 16,384 to a million
_IN_GRAPHS = ("onnxruntime", "openvino")


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """One row of the table of targets."""

    what: str
    """Measured quantity and its target."""
    reached: str
    """Measured value, or why there is none."""
    limit: str
    """Best value that arithmetic, or the encoder alone, allows here."""
    verdict: Verdict
    """Whether the target is met."""


def targets(result: Mapping[str, Any]) -> list[Target]:
    """Every target, in the order they were set."""
    found = Findings(result)
    parts = (_macs, _points, _many_points, _passes, _pipelines, _after_encoder)
    rest = (_accuracy, _start, _gpu)
    return [target for part in (*parts, *rest) for target in part(found)]


def _macs(found: Findings) -> Iterator[Target]:
    specified = sparse(ModelConfig.from_dict(found.result["model"])).sums[0]
    row = found.query("default", found.counts()[-1]) if found.counts() else None
    yield _judged(
        f"multiply-adds a query: at most {MOST_MACS / 1e6:.2f} M",
        None if row is None else row["macs"],
        lambda macs: macs <= MOST_MACS,
        lambda macs: f"{macs / 1e6:.3f} M",
        f"specified: {specified / 1e6:.3f} M",
        found.why_not("query"),
    )


def _points(found: Findings) -> Iterator[Target]:
    literal, own = found.query("literal", POINTS), found.query("folded", POINTS)
    counted_s, limit, note = found.literal_s("query", literal), "–", found.literal_note(literal)
    if counted_s and own:
        best = counted_s / found.limit_s(POINTS * own["macs"])
        limit = f"{best:.0f}x, all {own['macs'] / 1e6:.3f} M at the matrix-product rate"
    said = "K = 1,024 after encode, against the literal form"
    yield _times(f"{said}, plain torch: 4x", over(counted_s, own), 4, limit, found, "query", note)
    compiled = [(NAMES[n], row) for n in _IN_GRAPHS if (row := found.query(n, POINTS))] + [
        (f"torch.compile, {NAMES[row['form']]}", row["compiled"]) for row in found.rows("compiled")
    ]
    default = found.query("default", POINTS)
    if default and default.get("native"):
        compiled.append(("SPD's own kernel", default))
    name, row = min(compiled, key=lambda named: seconds(named[1]), default=("", None))
    kind, times = f" ({name}){note}", over(counted_s, row)
    yield _times(f"{said}, compiled: 8x", times, 8, limit, found, "onnxruntime", kind)
    one = ratio(found.query("literal", 1), found.query("default", 1))
    yield _times("K = 1, against the literal form: no slower", one, 1, "–", found, "query")


def _many_points(found: Findings) -> Iterator[Target]:
    before, row = found.query("default", 16384), found.query("default", MOST_POINTS)
    growth = None
    if before and row:
        growth = seconds(row) / row["points"] / (seconds(before) / before["points"])
    why = found.why_not("query")
    yield _judged(
        f"K = {MOST_POINTS:,}: linear in K (a query within {LINEAR - 1:.0%} of K = 16,384)",
        growth,
        lambda times: times <= LINEAR,
        lambda times: f"{times:.2f} times the time a query",
        "1" if row is None else f"1; {found.limit_s(row['points'] * row['macs']):.1f} s in all",
        why,
    )
    yield _judged(
        f"K = {MOST_POINTS:,}: peak extra memory under 1 GB",
        None if row is None else row.get("extra_bytes"),
        lambda extra: extra < 1e9,
        memory,
        f"{memory(12 * MOST_POINTS)} of points and answers",
        why,
    )


def _passes(found: Findings) -> Iterator[Target]:
    config, grid = ModelConfig.from_dict(found.result["model"]), Grid(tuple(found.result["size"]))
    macs = dense(config, grid).sums[1]
    for what, said, wanted, share in (
        ("dense", "forward", 10, 1),
        ("dense+backward", "forward + backward", 4, 3),
    ):
        literal, own = found.one_pass(what, "literal"), found.one_pass(what, "default")
        counted_s = found.literal_s(what, literal)
        limit = "–" if counted_s is None else f"{counted_s / found.limit_s(share * macs):.0f}x"
        said = f"dense at {found.size} against literal unfold, {said}"
        yield _times(f"{said}: {wanted}x", over(counted_s, own), wanted, limit, found, "dense")
        yield _memory_share(f"{said}: a tenth of the extra memory", own, literal, found)


def _memory_share(what: str, own: Row | None, literal: Row | None, found: Findings) -> Target:
    mine, theirs = (None if row is None else row.get("extra_bytes") for row in (own, literal))
    return _judged(
        what,
        None if mine is None or not theirs else mine / theirs,
        lambda part: part <= 0.1,
        lambda part: f"{part:.2f} of it ({memory(mine or 0)} of {memory(theirs or 0)})",
        "–",
        found.why_not("dense"),
    )


def _pipelines(found: Findings) -> Iterator[Target]:
    peer = found.pipeline("peer", "torch")
    for precision, wanted in (("bfloat16", 3), ("int8", 4)):
        rows = [found.pipeline("spd", name, precision) for name in _IN_GRAPHS]
        fastest = min((row for row in rows if row), key=seconds, default=None)
        limit, kind = "–", ""
        if fastest and peer:
            kind = f" ({fastest['runtime']})"
            alone = found.pipeline("encoder", fastest["runtime"], precision)
            limit = f"{ratio(peer, alone):.2f}x, the encoder alone" if alone else limit
        yield _times(
            f"image to 256 depths in {precision} against Depth Anything V2 in torch: {wanted}x",
            ratio(peer, fastest),
            wanted,
            limit,
            found,
            precision,
            kind,
        )


def _after_encoder(found: Findings) -> Iterator[Target]:
    for own in found.rows("pipelines"):
        if own["network"] != "spd":
            continue
        where = (own["runtime"], own["precision"])
        apart, peer = (found.pipeline(name, *where) for name in ("encoder", "peer"))
        alone = own.get("encoder", apart)  # took turns with the whole
        times = ratio(peer, own)
        against = "" if times is None else f"; {times:.2f}x against the peer"
        yield _judged(
            f"everything after the encoder, {' '.join(where)}: at most 8 % of the time",
            None if alone is None else 1 - seconds(alone) / seconds(own),
            lambda share: share <= 0.08,
            lambda share, against=against: f"{share:.1%}{against}",  # type: ignore[misc]
            _macs_share(own, apart),
            found.why_not("encoder"),
        )


def _accuracy(found: Findings) -> Iterator[Target]:
    measured = found.result.get("accuracy") or {"rows": []}
    whole = [r for r in measured["rows"] if r["share"] == 1]
    float32 = {r["runtime"]: r for r in whole if r["precision"] == "float32"}
    rows = [r for r in whole if r["precision"] != "float32"]
    changes = {
        f"{r['runtime']} {r['precision']}": r["abs_rel"] / float32[r["runtime"]]["abs_rel"] - 1
        for r in rows
    }
    worst = max(changes.values(), key=abs, default=None)
    yield _judged(
        "shipped model in int8 or bfloat16 against float32: AbsRel change at most 1 %",
        worst,
        lambda change: abs(change) <= 0.01,
        lambda _: ", ".join(f"{name} {change:+.2%}" for name, change in changes.items()),
        "–",
        found.why_not("accuracy"),
    )


def _start(found: Findings) -> Iterator[Target]:
    commands = {row["command"]: row for row in found.rows("start")}
    version = commands.get("spd --version")
    for runtime, most in (("onnxruntime", 3), ("torch", 8)):
        row = commands.get(f"spd query, {runtime}")
        yield _judged(
            f"`spd query` from the shell, shipped model, {runtime}: {most} s or less",
            None if row is None else seconds(row),
            lambda taken, most=most: taken <= most,  # type: ignore[misc]
            lambda taken: f"{taken:.2f} s",
            "–" if version is None else f"{seconds(version):.2f} s: `spd --version`",
            found.why_not("commands"),
        )


def _gpu(found: Findings) -> Iterator[Target]:
    yield Target(
        "GPU: microseconds a query at K = 100,000; ViT-S training step in at most 3.8 GB",
        f"this benchmark measures processors; GPU here: {found.result['machine']['gpu']}",
        "–",
        "not measured",
    )


def _times(
    what: str,
    reached: float | None,
    wanted: float,
    limit: str,
    found: Findings,
    part: str,
    kind: str = "",
) -> Target:
    """Judge a target of the form "n times as fast"."""
    return _judged(
        what,
        reached,
        lambda times: times >= wanted,
        lambda times: f"{times:.2f}x{kind}",
        limit,
        found.why_not(part),
    )


def _judged(
    what: str,
    value: Any,
    good: Callable[[Any], bool],
    shown: Callable[[Any], str],
    limit: str,
    why_not: str,
) -> Target:
    if value is None:
        return Target(what, why_not, limit, "not measured")
    return Target(what, shown(value), limit, "met" if good(value) else "missed")


def _macs_share(own: Row, alone: Row | None) -> str:
    if alone is None or not own.get("macs") or not alone.get("macs"):
        return "–"
    return f"{1 - alone['macs'] / own['macs']:.1%} of the multiply-adds"


def counted(found: Sequence[Target]) -> str:
    """Count of each verdict, in words."""
    verdicts = [target.verdict for target in found]
    return ", ".join(
        f"{verdicts.count(verdict)} {verdict}"
        for verdict in get_args(Verdict)
        if verdict in verdicts
    )
