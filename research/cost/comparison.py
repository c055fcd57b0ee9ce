"""The comparison of printed and exact figures, as rows and as a Markdown table."""

import dataclasses

from research.cost.printed import DIFFERS, PRINTED, Printed
from spd.config import ModelConfig
from spd.cost import mac_tables, parameter_tables
from spd.cost.table import Row, format_value
from spd.outputs.tables import markdown_table


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """A printed figure and the row of `spd cost` that counts the same thing."""

    key: str
    """Key of the printed figure."""
    printed: Printed
    row: Row

    @property
    def exact(self) -> float:
        """The exact count, by the specification's own algorithm."""
        value = self.row.values[0]
        if value is None:
            raise ValueError(f"{self.row.key} has no value as specified")
        return value

    @property
    def agrees(self) -> bool:
        """Whether the exact count rounds to the printed figure."""
        return self.printed.agrees_with(self.exact)

    @property
    def reason(self) -> str:
        """Why the two differ; empty if they agree."""
        return "" if self.agrees else DIFFERS.get(self.key, "")


def comparisons() -> dict[str, Comparison]:
    """Every printed figure with its exact count, by key."""
    config = ModelConfig()
    tables = [*parameter_tables(config), *mac_tables(config)]
    rows = {row.key: row for table in tables for row in table.rows}
    return {
        key: Comparison(key, printed, rows[key.removesuffix("_rounded")])
        for key, printed in PRINTED.items()
    }


def page() -> str:
    """All comparisons as one Markdown table."""
    rows = (
        (
            key.partition("/")[0],
            found.row.name,
            found.printed.text,
            format_value(found.exact, found.row.unit),
            "agrees" if found.agrees else found.reason,
        )
        for key, found in comparisons().items()
    )
    return markdown_table(("section", "figure", "printed", "exact", ""), rows)
