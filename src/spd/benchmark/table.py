"""The result of `spd benchmark` as text for a terminal."""

from collections.abc import Mapping
from typing import Any


def format_result(result: Mapping[str, Any]) -> str:
    """One table, with the machine above it and what was skipped below."""
    about, (height, width) = result["machine"], result["size"]
    versions = ("spd", "torch", "onnxruntime", "openvino", "python")
    lines = [
        f"{result['model']}, image {height}x{width}, {result['threads']} thread(s), "
        f"device {result['device']}",
        f"{about['processor']}, {about['cores']} cores, load average {about['load_average']} "
        "(other running programs increase the times)",
        ", ".join(f"{name} {about[name]}" for name in versions if name in about),
        "",
    ]
    cells = [("runtime", "step", "median", "quartiles", "repeats")]
    cells += [
        (
            row["runtime"],
            row["step"],
            _milliseconds(row["median_s"]),
            " to ".join(_milliseconds(taken_s) for taken_s in row["quartiles_s"]),
            str(row["repeats"]),
        )
        for row in result["rows"]
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    for row in cells:
        words = (
            text.ljust(size) if column < 2 else text.rjust(size)
            for column, (text, size) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(words))
    lines += [f"not timed: {what}: {why}" for what, why in result["skipped"].items()]
    return "\n".join(lines)


def _milliseconds(taken_s: float) -> str:
    digits = 0 if taken_s >= 0.1 else 1 if taken_s >= 0.01 else 2 if taken_s >= 1e-3 else 3
    return f"{1e3 * taken_s:,.{digits}f} ms"
