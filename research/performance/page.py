"""Write a result as Markdown and plots, alone or into `research/performance.md`.

The page has two marks; the text between them is generated here, and the text around them is not.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from research.performance.findings import FORMAT, NAMES, Findings, Row, seconds
from research.performance.pictures import FORMS, PICTURES, curves_of, write_pictures
from research.performance.targets import counted, targets
from research.performance.words import about, duration, memory, rate_share, spread
from research.performance.yardstick import POINTS, REFERENCE_S, SLACK, Yardstick
from spd.errors import DataError
from spd.files import write_text
from spd.outputs.tables import markdown_table

JSON = "benchmark.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def read_result(path: Path) -> dict[str, Any]:
    """Read a result from its file, or from the folder that holds it.

    Raises:
        DataError: if it is missing, damaged or of another version.
    """
    file = path / JSON if path.is_dir() else path
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{file} is missing; write it with: python -m research.performance inference"
        ) from None
    except (OSError, ValueError):
        raise DataError(f"{file} is damaged; measure again") from None
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise DataError(f"{file} is not a result of this version of research.performance inference")
    return result


def read_page(page: Path) -> tuple[str, str, str]:
    """The text before the measured part of a page, that part, and the text after it.

    Raises:
        DataError: if the page is missing or lacks the two marks.
    """
    if not page.is_file():
        raise DataError(f"{page} is missing; name an existing page with the two marks")
    before, begun, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    measured, ended, after = rest.partition(END)
    if not begun or not ended:
        raise DataError(f"{page} lacks the marks {BEGIN} and {END}")
    return before, measured, after


def write_page(result: Mapping[str, Any], page: Path) -> None:
    """Write a result into a page, with its JSON and plots beside it.

    Raises:
        DataError: if the page is missing or lacks the two marks.
    """
    before, _, after = read_page(page)
    write_text(page.with_suffix(".json"), json.dumps(result, indent=1) + "\n")
    write_pictures(result, page.parent / "images")
    measured = render(result, "images")
    write_text(page, f"{before}{BEGIN}\n\n{measured}\n{END}{after}")


def render(result: Mapping[str, Any], images: str = ".") -> str:
    """A result as Markdown; the same result gives the same text."""
    found = Findings(result)
    parts = (_heading, _targets, _queries, _passes, _pipelines, _resolutions, _others, _losses)
    blocks = [block for part in parts for block in part(found)]
    if curves_of(found):
        place = 1 + next(n for n, block in enumerate(blocks) if block.startswith("## A question"))
        blocks.insert(place, f"![time against the points asked]({images}/{PICTURES[0]})")
    if found.rows("resolutions"):
        place = 1 + next(n for n, block in enumerate(blocks) if block.startswith("## Resolution"))
        blocks.insert(place, f"![time against the size of the image]({images}/{PICTURES[1]})")
    return "\n\n".join(blocks) + "\n"


def _heading(found: Findings) -> Iterator[str]:
    about, result = found.result["machine"], found.result
    yield (
        f"On {found.where}; {found.rate / 1e9:.0f} GFLOP/s of float32 matrix product; "
        f"spd {about['spd']}, torch {about['torch']}, transformers {about['transformers']}, "
        f"ONNX Runtime {about['onnxruntime']}, OpenVINO {about['openvino']}, Python "
        f"{about['python']}; load average {about['load_average']} before, "
        f"{result['load_average_after']} after. Image {found.size}, random weights."
    )
    yardstick = Yardstick.of(result["yardstick"])
    said = {"query": f"K = {POINTS:,}", "dense": "dense"}
    yield (
        "Yardstick: "
        + "; ".join(
            f"{said[name]} {duration(yardstick.measured_s[name])}, "
            f"{yardstick.slowness(name):.2f} times the {duration(yardstick.expected_s(name))} "
            "expected at that rate"
            for name in REFERENCE_S
        )
        + f" (refused above {SLACK})."
    )


def _targets(found: Findings) -> Iterator[str]:
    judged = targets(found.result)
    yield "## Targets"
    yield f"{counted(judged)}. The limit is what arithmetic or the encoder alone would allow here."
    yield markdown_table(
        ("target", "reached", "limit", ""),
        ((t.what, t.reached, t.limit, f"**{t.verdict}**") for t in judged),
    )


def _queries(found: Findings) -> Iterator[str]:
    if not found.counts():
        return
    yield "## A question after encode"
    forms = [form for form in FORMS if found.curve(form)]
    yield markdown_table(
        ("K", *(NAMES[form] for form in forms)),
        (
            (f"{count:,}", *(_cell(found.query(form, count)) for form in forms))
            for count in found.counts()
        ),
    )
    rows = [row for row in found.rows("query") if row.get("macs")]
    yield (
        "Multiply-adds of a query, what they reach of the matrix-product rate, and memory that one "
        "call adds:"
    )
    yield markdown_table(
        ("form", "K", "M multiply-adds a query", "share of the rate", "extra memory"),
        (
            (
                NAMES[row["form"]],
                f"{row['points']:,}",
                f"{row['macs'] / 1e6:.3f}",
                rate_share(row["macs"] * row["points"], seconds(row), found.rate),
                memory(row.get("extra_bytes")),
            )
            for row in rows
            if row["points"] >= POINTS
        ),
    )
    if kernel := found.result.get("kernel"):
        yield (
            f"SPD is its own compiled kernel here: made once for a machine in "
            f"{duration(kernel['compile_s'])}, opened by a process in {duration(kernel['open_s'])}."
        )
    yield from _compiled(found.rows("compiled"))
    if meetings := found.meetings():
        yield (
            "Break-even: "
            + "; ".join(
                f"{said} " + ("at no K that was measured" if k is None else f"at K = {about(k)}")
                for said, k in meetings.items()
            )
            + "."
        )


def _compiled(rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    yield f"`torch.compile` of {POINTS:,} points, beside the same form as it is:"
    forms = ("compiled", "plain")
    yield markdown_table(
        ("form", "first call", "later ones", "not compiled"),
        (
            (NAMES[row["form"]], duration(row["first_s"]), *(spread(row[form]) for form in forms))
            for row in rows
        ),
    )


def _passes(found: Findings) -> Iterator[str]:
    rows = found.rows("passes")
    if not rows:
        return
    yield "## Whole maps, and what training pays"
    said = {"dense": "dense, forward", "dense+backward": "dense, forward and backward"}
    said["query+backward"] = "K = 1,024, forward and backward"
    yield markdown_table(
        ("what", "form", "time", "extra memory"),
        (
            (said[row["what"]], NAMES[row["form"]], spread(row), memory(row.get("extra_bytes")))
            for row in rows
        ),
    )


def _pipelines(found: Findings) -> Iterator[str]:
    rows = found.rows("pipelines")
    if not rows:
        return
    yield "## From an image to 256 depths"
    yield (
        "The share is of the float32 matrix-product rate measured in the same process; memory is "
        "what the first image adds to a process that has loaded everything."
    )
    yield markdown_table(
        ("network", "runtime", "precision", "time", "of it encode", "share of the rate", "memory"),
        (
            (
                NAMES[row["network"]],
                row["runtime"],
                row["precision"],
                spread(row["whole"]),
                duration(seconds(row, "encode")) if "encode" in row else "–",
                rate_share(row["macs"], seconds(row), row["rate"])
                if row.get("macs") and row["precision"] == "float32"
                else "–",
                memory(row.get("extra_bytes")),
            )
            for row in rows
        ),
    )


def _resolutions(found: Findings) -> Iterator[str]:
    rows = found.rows("resolutions")
    if not rows:
        return
    yield "## Resolution, torch float32"
    yield markdown_table(
        ("image", "SPD encode", "SPD image to 256 depths", "SPD dense map", "Depth Anything V2"),
        (
            (
                "x".join(str(side) for side in row["size"]),
                *(spread(row[key]) for key in ("encode", "points", "dense", "peer")),
            )
            for row in rows
        ),
    )


def _others(found: Findings) -> Iterator[str]:
    if commands := found.rows("start"):
        yield "## From the shell"
        yield markdown_table(
            ("command", "time"), ((row["command"], spread(row)) for row in commands)
        )
    if step := found.result.get("training"):
        low, high = step["step_s_quartiles"]
        yield "## A training step"
        yield (
            f"`{step['recipe']}` in float32 with {step['batch_size']} images: "
            f"{step['step_s_median']:.2f} s (quartiles {low:.2f} to {high:.2f}, {step['steps']} "
            f"steps), {memory(step['peak_bytes'] - step['standing_bytes'])} above the "
            f"{memory(step['standing_bytes'])} that stood before."
        )
    yield from _encoder(found)
    if left := found.rows("left_out"):
        yield "## Not measured"
        yield "\n".join(f"- {row['what']}: {row['why']}" for row in left)


def _encoder(found: Findings) -> Iterator[str]:
    measured, attention = found.result.get("accuracy"), found.result.get("attention")
    if measured or attention:
        yield "## What makes the encoder cheaper, and what it costs"
    if attention:
        fused, plain = attention["fused"], attention["plain"]
        yield (
            f"Attention in one kernel, as users get it: {spread(fused)} for the encoder at full "
            f"size in torch; written out, which computes the same: {spread(plain)}."
        )
    if measured:
        yield (
            f"The shipped model on {measured['frames']} frames of {', '.join(measured['data'])}: "
            "all readings, and those within 2 px of a depth edge. The size is a side of the image, "
            "as a share of what the model learnt from; its answers are corrected by it."
        )
        yield markdown_table(
            ("runtime", "precision", "size", "AbsRel", "near edges", "encode"),
            (
                (
                    *(r["runtime"], r["precision"], f"{r['share']:g}", f"{r['abs_rel']:.4f}"),
                    "–" if r["near_edge_abs_rel"] is None else f"{r['near_edge_abs_rel']:.4f}",
                    duration(r["encode_s"]),
                )
                for r in measured["rows"]
            ),
        )


def _losses(found: Findings) -> Iterator[str]:
    """List every case in which something else is faster than SPD's default."""
    said = []
    for own in found.rows("query"):
        if own["form"] != "default":
            continue
        for form in FORMS[1:]:
            other = found.query(form, own["points"])
            if other and seconds(other) < seconds(own):
                slower = seconds(own) / seconds(other)
                said.append(f"K = {own['points']:,}: {NAMES[form]} is {slower:.2f}x as fast")
    for own in found.rows("passes"):
        for form in ("literal", "v15.1"):
            other = found.one_pass(own["what"], form)
            if own["form"] == "default" and other and seconds(other) < seconds(own):
                faster = seconds(own) / seconds(other)
                said.append(f"{own['what']}: {NAMES[form]} is {faster:.2f}x as fast")
    for own in found.rows("pipelines"):
        other = found.pipeline("peer", own["runtime"], own["precision"])
        if own["network"] == "spd" and other and seconds(other) < seconds(own):
            where = f"{own['runtime']} {own['precision']}"
            slower = seconds(own) / seconds(other)
            said.append(f"image to 256 depths, {where}: the peer is {slower:.2f}x as fast")
    yield "## Where something else is faster"
    compared = any(found.rows(part) for part in ("query", "passes", "pipelines"))
    nothing = (
        "Nowhere among what was measured." if compared else "Nothing was compared in this run."
    )
    yield "\n".join(f"- {line}" for line in said) or nothing


def _cell(row: Row | None) -> str:
    return "–" if row is None else spread(row)
