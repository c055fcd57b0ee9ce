"""Draw the plots of a result."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from research.performance.findings import NAMES, Findings, seconds
from research.performance.words import about

PICTURES = ("performance_points.png", "performance_resolutions.png")
FORMS = ("default", "folded", "literal", "v15.1", "onnxruntime", "openvino")
"""Forms of a query in the order of tables and plots."""


def write_pictures(result: Mapping[str, Any], folder: Path) -> None:
    """Write both plots, each if its part was measured."""
    from research.performance.plots import points_plot, resolution_plot  # loads matplotlib

    found = Findings(result)
    title = f"Time of a question: {found.where}, {found.size}"
    if curves := curves_of(found):
        points_plot(
            curves,
            _levels(found),
            _rings(found),
            folder / PICTURES[0],
            title=title,
        )
    rows = found.rows("resolutions")
    if rows:
        names = {"points": "SPD, image to 256 depths", "encode": "SPD, encode alone"}
        names |= {"peer": "Depth Anything V2, dense", "dense": "SPD, dense map after encode"}
        by_size = {
            said: [(float(row["size"][0] * row["size"][1]), seconds(row, key)) for row in rows]
            for key, said in names.items()
        }
        sizes = {float(h * w): f"{h}x{w}" for h, w in (row["size"] for row in rows)}
        title = f"Time by resolution, torch float32: {found.where}"
        resolution_plot(by_size, sizes, folder / PICTURES[1], title=title)


def curves_of(found: Findings) -> dict[str, list[tuple[float, float]]]:
    """(K, seconds) of every measured form, by its name in tables."""
    return {NAMES[form]: found.curve(form) for form in FORMS if found.curve(form)}


def _levels(found: Findings) -> dict[str, float]:
    dense, literal = (found.one_pass("dense", form) for form in ("default", "literal"))
    peer = found.pipeline("peer", "torch")
    rows = (
        ("SPD, whole dense map", dense),
        ("literal dense map", literal),
        ("Depth Anything V2, image to map", peer),
    )
    return {said: seconds(row) for said, row in rows if row}


def _rings(found: Findings) -> dict[str, tuple[float, float]]:
    curve, dense = found.curve("default"), found.one_pass("dense", "default")
    count = found.meetings().get("as long as SPD's dense map")
    name = f"as long as SPD's dense map: K = {about(count or 0)}"
    return {name: (count, seconds(dense))} if curve and dense and count else {}
