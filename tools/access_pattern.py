"""Draw the tokens and cells that one query reads: docs/images/access_pattern.svg.

The features of the maps here are the positions of their own cells in the photo. Reading them as the
exported query reads the model's maps therefore returns where the cells and tokens lie.

Run it as `python tools/access_pattern.py`.
"""

import dataclasses
from pathlib import Path

import torch

from spd.config import PATCH, ModelConfig
from spd.cost.shared_macs import SPECIFICATION_SIZE
from spd.export.query_graph import Cells
from spd.geometry import Size, cell_centres

OUT = Path(__file__).parents[1] / "docs" / "images" / "access_pattern.svg"

IMAGE: Size = SPECIFICATION_SIZE
POINT = (203.0, 151.0)
"""The queried pixel (u, v): anywhere between cell centres would do."""
FIRST, PIXELS = (168, 116), 70
"""The corner (u, v) of the part of the photo that is shown, and its side."""
ZOOM = 4
SIDE = PIXELS * ZOOM
GAP, HEAD, FOOT, MARGIN = 32, 28, 48, 16
INK, QUIET = "#222222", "#666666"
COARSE, DETAIL = "#2a6fbb", "#c2571a"


@dataclasses.dataclass(frozen=True)
class Read:
    """What a query reads of one map, in pixels of the photo."""

    cell_px: float
    tokens: list[tuple[float, float]]
    cells: list[tuple[float, float]]


def read_of(cells: Size, window: int) -> Read:
    """The tokens of a window around the point in a map of so many cells, and its cells."""
    places = cell_centres(cells, IMAGE, like=torch.zeros(0, dtype=torch.float64))
    points = torch.tensor([[POINT]], dtype=torch.float64)
    found = Cells(window, cells[0] * PATCH // IMAGE[0])(places.view(1, *cells, 2), points)
    tokens, around = found.blend(found.cells)[0, 0], found.cells[0, 0]
    return Read(IMAGE[1] / cells[1], [(u, v) for u, v in tokens.tolist()], around.tolist())


def at(value: float, axis: int) -> float:
    """A photo's coordinate in its panel: the middle of a pixel is at + 0.5."""
    return (value + 0.5 - FIRST[axis]) * ZOOM


def number(value: float) -> str:
    """Coordinates to a hundredth, so that the file is the same everywhere."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def box(u: float, v: float, side_px: float, style: str) -> str:
    """A square of pixels around a place."""
    left, top = (number(at(c, axis) - side_px * ZOOM / 2) for axis, c in enumerate((u, v)))
    side = number(side_px * ZOOM)
    return f'<rect x="{left}" y="{top}" width="{side}" height="{side}" {style}/>'


def lattice(step_px: float, colour: str = "#dddddd") -> str:
    """The borders of cells, which begin at the photo's own border, -0.5."""
    lines = []
    for axis in (0, 1):
        cell = int(FIRST[axis] / step_px) + 1
        while (place := at(cell * step_px - 0.5, axis)) < SIDE:
            across = number(place)
            lines.append(f"M{across} 0V{SIDE}" if axis == 0 else f"M0 {across}H{SIDE}")
            cell += 1
    return f'<path d="{"".join(lines)}" stroke="{colour}" fill="none"/>'


def point() -> str:
    """The queried pixel."""
    return box(*POINT, 1, f'fill="{INK}"') + box(*POINT, 3, f'fill="none" stroke="{INK}"')


def photo(reads: list[tuple[Read, str]], window: int) -> str:
    """The pixels, the queried one, and the outlines of what is read around it."""
    outlines = "".join(
        box(*POINT, window * read.cell_px, f'fill="none" stroke="{colour}" stroke-width="2"')
        for read, colour in reads
    )
    return lattice(1, "#f1f1f1") + outlines + point()


def window_of(read: Read, colour: str) -> str:
    """A map's cells, those that are gathered, and the tokens blended of them."""
    gathered = "".join(
        box(*cell, read.cell_px, f'fill="{colour}" fill-opacity="0.16"') for cell in read.cells
    )
    radius = number(min(4.0, read.cell_px * ZOOM / 5))
    dots = "".join(
        f'<circle cx="{number(at(u, 0))}" cy="{number(at(v, 1))}" r="{radius}" fill="{colour}"/>'
        for u, v in read.tokens
    )
    return gathered + lattice(read.cell_px) + dots + point()


def panel(place: int, title: str, said: tuple[str, str], drawn: str) -> str:
    """One of two by two panels, its title above and two lines below."""
    x = MARGIN + place % 2 * (SIDE + GAP)
    y = MARGIN + HEAD + place // 2 * (HEAD + SIDE + FOOT + 8)
    below = "".join(
        f'<text y="{SIDE + 20 + 20 * line}" fill="{QUIET}" font-size="16">{text}</text>'
        for line, text in enumerate(said)
    )
    return (
        f'<g transform="translate({x} {y})">'
        f'<text y="-8" fill="{INK}" font-size="18" font-weight="bold">{title}</text>'
        f'<svg width="{SIDE}" height="{SIDE}">{drawn}</svg>'
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="{QUIET}"/>{below}</g>\n'
    )


def draw() -> str:
    """The picture as SVG text."""
    window = ModelConfig().window
    h, w = (pixels // PATCH for pixels in IMAGE)
    coarse, fine = (2 * h, 2 * w), (4 * h, 4 * w)
    reads = {cells: read_of(cells, window) for cells in (coarse, fine)}
    width, height = 2 * (MARGIN + SIDE) + GAP, 2 * (MARGIN + HEAD + SIDE + FOOT)
    sizes = {c: f"{c[0]} x {c[1]} cells of {reads[c].cell_px:g} px" for c in (coarse, fine)}
    stage_1, stage_2 = window_of(reads[coarse], COARSE), window_of(reads[fine], DETAIL)
    panels = [
        (
            "The photo",
            (
                f"{PIXELS} x {PIXELS} of its {IMAGE[0]} x {IMAGE[1]} pixels,",
                "outlines of what is read",
            ),
            photo([(reads[coarse], COARSE), (reads[fine], DETAIL)], window),
        ),
        ("Stride-8 map", (sizes[coarse], "the start; read by stage 1"), stage_1),
        ("L2", (sizes[coarse], "read by stage 1 as well"), stage_1),
        ("L1", (sizes[fine], "read by stage 2"), stage_2),
    ]
    body = "".join(panel(place, *each) for place, each in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}</svg>\n'
    )


if __name__ == "__main__":
    OUT.write_text(draw(), encoding="utf-8")
