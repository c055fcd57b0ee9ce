"""Rows and terms of the tables of `spd.cost` by key."""

from spd.config import ModelConfig
from spd.cost import mac_tables, parameter_tables
from spd.cost.table import Row, Table
from spd.pixels import Size


def rows_of(config: ModelConfig, size: Size) -> dict[str, Row]:
    """Every row of `spd cost`."""
    tables = [*parameter_tables(config), *mac_tables(config, size)]
    rows = [row for table in tables for row in table.rows]
    by_key = {row.key: row for row in rows}
    assert len(by_key) == len(rows), "two rows with one key"
    return by_key


def terms_of(table: Table, column: int = 0) -> dict[str, int]:
    """The counts that a column's sum consists of, by key without the section."""
    terms = {}
    for row in table.rows:
        value = row.values[column]
        if row.unit == table.unit and row.times and value is not None:
            terms[row.key.partition("/")[2]] = row.times * int(value)
    return terms
