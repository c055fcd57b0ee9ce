"""What a page is made of: plain records that the template draws.

Nothing here is HTML. The template escapes every text, so that the name of a frame or a model, which
anybody may have chosen, never becomes markup.
"""

import base64
import dataclasses
from typing import ClassVar, Literal

from spd.report.charts import Chart


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    part: ClassVar[str] = "text"
    text: str
    """What it says."""
    tone: Literal["plain", "note", "warning"] = "plain"
    """A note is small print; a warning is framed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are, such as a model and its digest."""

    part: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]
    """Name and value, in order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tile:
    """A number that a reader should see first."""

    label: str
    """What it is."""
    value: str
    """As shown."""
    hint: str = ""
    """A line below it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tiles:
    """A few such numbers side by side."""

    part: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]
    """In order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """A number or a word of a table."""

    text: str
    """As shown."""
    value: float | None = None
    """What it is sorted by, in full; None for words and for what is not defined."""
    best: bool = False
    """Whether it is the best of its column."""
    quiet: bool = False
    """Whether it is there to be compared with, such as a floor."""


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """The head of a column."""

    heading: str
    """Short."""
    hint: str = ""
    """A second, smaller line: a unit, or which way is better."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A line of a table."""

    name: str
    """Its first cell, which says what the line is about."""
    cells: tuple[Cell, ...]
    """The others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption."""

    part: ClassVar[str] = "table"
    caption: str
    """What it shows, in a sentence."""
    first: str
    """The heading above the rows' names."""
    columns: tuple[Column, ...]
    """Of the cells."""
    rows: tuple[Row, ...]
    """From top to bottom."""
    sortable: bool = False
    """Whether a reader may order it by a column."""
    name: str = ""
    """An identifier, for those who look for this table in the page."""


@dataclasses.dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side, as far as there is room."""

    part: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]
    """In order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """An image inside the page."""

    png: bytes
    """The file."""
    size: tuple[int, int]
    """(height, width) in its own pixels."""
    alt: str
    """What a reader who does not see it is told."""
    caption: str = ""
    """Below it."""
    smooth: bool = False
    """Whether it may be blurred when enlarged, as a photo; maps keep their pixels."""

    @property
    def source(self) -> str:
        """As an address that holds the image itself."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclasses.dataclass(frozen=True, slots=True)
class ColourBar:
    """A scale of colours and what they stand for."""

    label: str
    """What is measured, with its unit."""
    colours: tuple[str, ...]
    """From the low end to the high one, evenly spaced."""
    ticks: tuple[tuple[float, str], ...]
    """Place from 0 to 1, and text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures that belong together, and the scales of their colours."""

    part: ClassVar[str] = "pictures"
    title: str
    """Such as "worst: kitchen_0042"."""
    pictures: tuple[Picture, ...]
    """In order."""
    bars: tuple[ColourBar, ...] = ()
    """Below them."""
    note: str = ""
    """A line below the title."""
    has_photo: bool = False
    """Whether a photo comes first, which moves the others one place to the right."""


Part = Text | Facts | Tiles | Table | Charts | Pictures


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A part of a page with a heading, and a line in its list of contents."""

    name: str
    """For links inside the page: lower-case letters and hyphens."""
    title: str
    """Its heading."""
    parts: tuple[Part, ...]
    """In order."""
    folded: tuple[Part, ...] = ()
    """Details that a reader has to open."""
    fold_title: str = ""
    """What those are called."""


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A whole page."""

    title: str
    """The name of the document."""
    lead: str
    """One sentence below it."""
    sections: tuple[Section, ...]
    """From top to bottom."""
    footer: str
    """What made it, and from what."""
