"""The parts of a page: plain records that the template draws.

They have no HTML. The template escapes every text, so that the name of a frame or a model, which
anybody may have chosen, never becomes markup.
"""

import base64
import dataclasses
from typing import ClassVar, Literal

from spd.report.charts import Chart

Tone = Literal["plain", "note", "warning"]
"""A note is small print; a warning is framed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    part: ClassVar[str] = "text"
    text: str
    tone: Tone = "plain"


@dataclasses.dataclass(frozen=True, slots=True)
class FactList:
    """Names and values, such as a model and its digest."""

    part: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]
    """Name and value, in order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tile:
    """A number that a reader should see first."""

    label: str
    value: str
    hint: str = ""
    """A line below the number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tiles:
    """A few tiles side by side."""

    part: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class TableCell:
    """A number or a word of a table."""

    text: str
    value: float | None = None
    """The value to sort by, unrounded; None for words and for undefined numbers."""
    best: bool = False
    """Whether it is the best of its column."""
    quiet: bool = False
    """Whether it is there for comparison only, such as a baseline."""


@dataclasses.dataclass(frozen=True, slots=True)
class TableColumn:
    """The head of a column."""

    heading: str
    hint: str = ""
    """A second, smaller line: a unit, or which direction is better."""


@dataclasses.dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table."""

    name: str
    """The first cell."""
    cells: tuple[TableCell, ...]
    """The other cells."""


@dataclasses.dataclass(frozen=True, slots=True)
class PageTable:
    """A table with its caption."""

    part: ClassVar[str] = "table"
    caption: str
    """One sentence."""
    first: str
    """The heading above the rows' names."""
    columns: tuple[TableColumn, ...]
    """The heads of the other columns."""
    rows: tuple[TableRow, ...]
    """From top to bottom."""
    sortable: bool = False
    """Whether a reader can sort it by a column."""
    name: str = ""
    """The identifier of the table in the page."""


@dataclasses.dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side, as many as fit."""

    part: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """An image inside the page."""

    png: bytes
    """The content of the file."""
    size: tuple[int, int]
    """(height, width) in its own pixels."""
    alt: str
    """Description for readers who do not see it."""
    caption: str = ""
    smooth: bool = False
    """Whether to interpolate it when enlarged, as photos; maps keep their pixels."""

    @property
    def source(self) -> str:
        """A data URL of the image."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclasses.dataclass(frozen=True, slots=True)
class ColourBar:
    """A colour scale."""

    label: str
    """The quantity, with its unit."""
    colours: tuple[str, ...]
    """From the low end to the high one, evenly spaced."""
    ticks: tuple[tuple[float, str], ...]
    """Position from 0 to 1, and text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one image, and their colour scales below."""

    part: ClassVar[str] = "pictures"
    title: str
    """Such as "worst: kitchen_0042"."""
    pictures: tuple[Picture, ...]
    bars: tuple[ColourBar, ...] = ()
    has_photo: bool = False
    """Whether the first is a photo, which moves the others one place to the right."""


Part = Text | FactList | Tiles | PageTable | Charts | Pictures


@dataclasses.dataclass(frozen=True, slots=True)
class PageSection:
    """A section of a page with a heading and an entry in its contents."""

    name: str
    """Identifier for links inside the page: lower-case letters and hyphens."""
    title: str
    """The heading."""
    parts: tuple[Part, ...]
    folded: tuple[Part, ...] = ()
    """Details that a reader has to open."""
    fold_title: str = ""
    """The title of those details."""


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A whole page."""

    title: str
    """The name of the document."""
    lead: str
    """One sentence below the title."""
    sections: tuple[PageSection, ...]
    """From top to bottom."""
    footer: str
    """The version that made it and its sources."""
