"""From a body to a question; what holds more than one may ask is refused before it is parsed.

Parsing holds Python's lock to its end and takes hundreds of bytes of memory for a few of a body,
so the body's own bytes are counted first, which is quick and takes none.
"""

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import pydantic

from spd.serve.refusals import RefusalError, bad_request, too_large
from spd.serve.schemas import (
    Asked,
    BoxesAsked,
    DistancesAsked,
    GridAsked,
    LinesAsked,
    PointsAsked,
)

A = TypeVar("A", bound=Asked)

_MOST_QUOTES = 16  # of eight strings, where the longest question has two; the rest are mistakes
_GRID_BYTES = 4096
_MOST_SHOWN = 80  # characters of where a mistake is: a client's key may be as long as its body


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a question is written, and what that makes of each thing asked.

    A well-formed body that asks k has at least `commas * k - 1` commas and, where it has a second
    key, one more; and `brackets * k + 1` opening brackets.
    """

    noun: str
    example: str
    commas: int
    brackets: int


_FORMS: Mapping[type[Asked], _Form] = {
    PointsAsked: _Form(noun="points", example='{"points": [[u, v], ...]}', commas=2, brackets=1),
    BoxesAsked: _Form(
        noun="boxes", example='{"boxes": [[x0, y0, x1, y1], ...]}', commas=4, brackets=1
    ),
    # Of lines the points are counted; a line of one point, which is refused, has two brackets.
    LinesAsked: _Form(
        noun="points of lines", example='{"lines": [[[u, v], ...], ...]}', commas=2, brackets=2
    ),
    DistancesAsked: _Form(
        noun="pairs", example='{"pairs": [[[u, v], [u, v]], ...]}', commas=4, brackets=3
    ),
}


def parsed(kind: type[A], body: bytearray, most: int) -> A:
    """The question that a body is.

    Args:
        kind: of question.
        body: JSON.
        most: points, boxes or pairs that it may ask, or points of all its lines.

    Raises:
        RefusalError: if it asks more, or is another.
    """
    _check_counts(_FORMS[kind], body, most)
    return _validated(kind, body)


def parsed_grid(body: bytearray, most: int) -> GridAsked:
    """The grid that a body is.

    Raises:
        RefusalError: if it has more than `most` points, or is another.
    """
    if len(body) > _GRID_BYTES:
        raise bad_request('the body is longer than a grid; send {"columns": 8, "rows": 6}')
    asked = _validated(GridAsked, body)
    if asked.columns * asked.rows > most:
        raise too_large(
            f"{asked.columns:,} x {asked.rows:,} points in one request; ask at most {most:,} at a "
            "time, or take depth.npy"
        )
    return asked


def _validated(kind: type[A], body: bytearray) -> A:
    try:
        return kind.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:_MOST_SHOWN]
        raise bad_request(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _check_counts(form: _Form, body: bytearray, most: int) -> None:
    """Refuse what cannot be a question of at most so many things.

    Commas bound the numbers and the lists, which is what a question is made of. Lists in lists
    need none, and every string that is an unknown key or no number is an error to be remembered.
    """
    commas = body.count(b",")
    if commas > form.commas * most:
        asked = (commas + 1) // form.commas
        raise too_large(
            f"{asked:,} {form.noun} in one request, by its commas; ask at most {most:,} at a time"
        )
    if body.count(b"[") > form.brackets * most + 1:
        raise _another(form, "brackets")
    if body.count(b'"') > _MOST_QUOTES:
        raise _another(form, "quotation marks")


def _another(form: _Form, marks: str) -> RefusalError:
    return bad_request(
        f"the body has more {marks} than a question for {form.noun}; send {form.example}"
    )
