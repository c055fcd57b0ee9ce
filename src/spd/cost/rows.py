"""Puts the printed figure and the reason for a difference beside a computed value."""

from spd.config import ModelConfig
from spd.cost.grids import SPECIFICATION_SIZE, Size
from spd.cost.spec_values import DIFFERS, PRINTED
from spd.cost.table import Number, Row, Unit

SHAPE_FIELDS = ("encoder", "dim", "heads", "ffn_ratio", "head_width", "window")


class Section:
    """Makes the rows of one section of the specification.

    Args:
        name: the section, which is the first part of every row's key.
        reference: whether configuration and size are the specification's, so that its printed
            figures apply.
    """

    def __init__(self, name: str, reference: bool) -> None:
        self.name = name
        self.reference = reference

    def row(self, key: str, name: str, unit: Unit, *values: Number | None, note: str = "") -> Row:
        """One row; the first value is the one that the specification prints a figure for."""
        key = f"{self.name}/{key}"
        printed = PRINTED.get(key) if self.reference else None
        first = values[0]
        if printed is None or first is None:
            return Row(name, unit, values, key, note=note)
        agrees = printed.agrees_with(first)
        reasons = [note] if agrees else [note, DIFFERS.get(key, "")]
        return Row(name, unit, values, key, printed.text, agrees, " ".join(filter(None, reasons)))


def is_specification(config: ModelConfig, size: Size = SPECIFICATION_SIZE) -> bool:
    """Whether the figures that the specification prints are about this model and image size.

    All local paths count: the tables always show the specification's and the baseline's.
    """
    default = ModelConfig()
    same_shape = all(getattr(config, name) == getattr(default, name) for name in SHAPE_FIELDS)
    return same_shape and size == SPECIFICATION_SIZE
