"""The parts of a page: plain records that the template draws.

They have no HTML. The template escapes every text, so that the name of a frame or a model, which
anybody may have chosen, never becomes markup.
"""

import base64
import dataclasses
from collections.abc import Sequence
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
    rows: Sequence[tuple[str, str]]
    """Name and value, in order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tiles:
    """Numbers that a reader should see first, side by side."""

    part: ClassVar[str] = "tiles"
    tiles: Sequence[tuple[str, str, str]]
    """Label, number and a line below it."""


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
class PageTable:
    """A table with its caption."""

    part: ClassVar[str] = "table"
    caption: str
    """One sentence."""
    first: str
    """The heading above the rows' names."""
    columns: Sequence[tuple[str, str]]
    """Heads of the other columns: a heading, and a unit or which direction is better."""
    rows: Sequence[tuple[str, Sequence[TableCell]]]
    """The name and the other cells of each row, from top to bottom."""
    sortable: bool = False
    """Whether a reader can sort it by a column."""
    name: str = ""
    """The identifier of the table in the page."""


@dataclasses.dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side, as many as fit."""

    part: ClassVar[str] = "charts"
    charts: Sequence[Chart]


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
    colours: Sequence[str]
    """From the low end to the high one, evenly spaced."""
    ticks: Sequence[tuple[float, str]]
    """Position from 0 to 1, and text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of one image, and their colour scales below."""

    part: ClassVar[str] = "pictures"
    title: str
    """Such as "worst: kitchen_0042"."""
    pictures: Sequence[Picture]
    bars: Sequence[ColourBar] = ()
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
    parts: Sequence[Part]
    folded: Sequence[Part] = ()
    """Details that a reader has to open."""
    fold_title: str = ""
    """The title of those details."""
