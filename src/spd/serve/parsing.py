"""Parse request bodies; a body that asks for more than the limit is refused before parsing.

pydantic parses the whole JSON before it checks any length: it holds Python's lock meanwhile and
takes hundreds of bytes of memory for a few of the body. So the marks in the body are counted first,
which is quick and takes no memory.
"""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import pydantic

from spd.serve.refusals import RefusalError, bad_request, too_large
from spd.serve.schemas import (
    BoxesQuery,
    DistancesQuery,
    GridQuery,
    LinesQuery,
    PointsQuery,
    QueryBody,
)

Q = TypeVar("Q", bound=QueryBody)

_MOST_QUOTES = 16  # of eight strings, where the longest query has two; the rest are mistakes
_GRID_BYTES = 4096
_GRID_EXAMPLE = '{"columns": 8, "rows": 6}'
_MOST_SHOWN = 80  # characters of an error's location: a client's key may be as long as its body


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """JSON form of a query, and the marks that each queried item takes.

    A well-formed body with k items has at least `commas * k - 1` commas and, where it has a second
    key, one more; and `brackets * k + 1` opening brackets.
    """

    noun: str
    example: str
    commas: int
    brackets: int


_SHAPES: Mapping[type[QueryBody], _Shape] = {
    PointsQuery: _Shape(noun="points", example='{"points": [[u, v], ...]}', commas=2, brackets=1),
    BoxesQuery: _Shape(
        noun="boxes", example='{"boxes": [[x0, y0, x1, y1], ...]}', commas=4, brackets=1
    ),
    # The points of lines are counted; a line of one point, which is refused, has two brackets.
    LinesQuery: _Shape(
        noun="points of lines", example='{"lines": [[[u, v], ...], ...]}', commas=2, brackets=2
    ),
    DistancesQuery: _Shape(
        noun="pairs", example='{"pairs": [[[u, v], [u, v]], ...]}', commas=4, brackets=3
    ),
}


def parse_query(kind: type[Q], body: bytearray, most: int) -> Q:
    """Parse a query.

    Args:
        kind: schema of the query.
        body: JSON.
        most: limit on its points, boxes or pairs, or on the points of all its lines.

    Raises:
        RefusalError: if the body exceeds the limit or does not match the schema.
    """
    _check_counts(_SHAPES[kind], body, most)
    return _validated(kind, body, _SHAPES[kind].example)


def parse_grid(body: bytearray, most: int) -> GridQuery:
    """Parse a query for a grid.

    Raises:
        RefusalError: if the grid has more than `most` points or does not match the schema.
    """
    if len(body) > _GRID_BYTES:
        raise bad_request(
            f"the body is too long for a grid query (more than {_GRID_BYTES} bytes); "
            f"send {_GRID_EXAMPLE}"
        )
    query = _validated(GridQuery, body, _GRID_EXAMPLE)
    if query.columns * query.rows > most:
        raise too_large(
            f"{query.columns:,} x {query.rows:,} points in one request; the limit is {most:,}; "
            "query fewer points at once, or download depth.npy"
        )
    return query


def _validated(kind: type[Q], body: bytearray, example: str) -> Q:
    try:
        return kind.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:_MOST_SHOWN]
        wrong = f"{where}: {first['msg']}" if where else first["msg"]
        raise bad_request(f"{wrong}; send {example}") from None


def _check_counts(shape: _Shape, body: bytearray, most: int) -> None:
    """Refuse a body that cannot be a query for at most so many items.

    Commas bound the numbers and the lists of a query. Nested lists need no commas, and every string
    that is an unknown key or stands for a number is an error to collect: both are bounded too.
    """
    commas = body.count(b",")
    if commas > shape.commas * most:
        count = (commas + 1) // shape.commas
        raise too_large(
            f"{count:,} {shape.noun} in one request (estimated from its commas); "
            f"the limit is {most:,}"
        )
    if body.count(b"[") > shape.brackets * most + 1:
        raise _unlike(shape, "brackets")
    if body.count(b'"') > _MOST_QUOTES:
        raise _unlike(shape, "quotation marks")


def _unlike(shape: _Shape, marks: str) -> RefusalError:
    return bad_request(
        f"the body has too many {marks} for a query of {shape.noun}; send {shape.example}"
    )
