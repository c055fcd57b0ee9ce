"""Bodies beyond the limit, or of another form, are refused before they are parsed."""

import pydantic
import pytest

from helpers.small_service import error_of, posted, small_service
from spd.serve.schemas import BoxesQuery, DistancesQuery, LinesQuery, PointsQuery, QueryBody

JSON = {"content-type": "application/json"}
MOST = 10_000
BOX, PAIR = b"[1,2,9,9]", b"[[1,2],[3,4]]"


@pytest.fixture(scope="module")
def client():
    with small_service(max_megabytes=0.2, max_points=MOST) as client:
        yield client


@pytest.fixture
def ask(client):
    path = f"/v1/images/{posted(client, focal_px=60)}"
    return lambda what, body: client.post(f"{path}/{what}", content=body, headers=JSON)


@pytest.fixture
def unparsed(monkeypatch):
    def parse(*_, **__):
        raise AssertionError("the body was parsed")

    monkeypatch.setattr(QueryBody, "model_validate_json", parse)


def listed(key: bytes, items: list[bytes], more: bytes = b"") -> bytes:
    return b'{"%b":[%b]%b}' % (key, b",".join(items), more)


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("points", listed(b"points", [b"[1,2]"] * MOST)),
        ("points", listed(b"points", [b"[1,2]"] * MOST, b',"xyz":true')),
        ("boxes", listed(b"boxes", [BOX] * 2)),
        ("lines", listed(b"lines", [b"[%b]" % b",".join([b"[1,2]"] * (MOST // 2))] * 2)),
        ("distances", listed(b"pairs", [PAIR] * (MOST // 2))),
    ],
)
def test_as_many_items_as_the_limit_are_answered(ask, what, body):
    assert ask(what, body).status_code == 200


@pytest.mark.parametrize(
    ("what", "body", "pattern"),
    [
        ("points", listed(b"points", [b"[1,2]"] * (MOST + 1)), "10,001 points in one request"),
        (
            "points",
            listed(b"points", [b"[1,2]"] * (MOST + 1), b',"xyz":true'),
            "10,001 points in one request",
        ),
        ("points", listed(b"points", [b"0"] * 3 * MOST), "15,000 points in one request"),
        ("points", listed(b"points", [b"[]"] * 3 * MOST), "the limit is 10,000"),
        ("boxes", listed(b"boxes", [BOX] * 3), "3 boxes in one request"),
        ("boxes", listed(b"boxes", [b"0"] * 100), "the limit is 2"),
        ("lines", listed(b"lines", [b"[[1,2],[3,4]]"] * MOST), "20,000 points of lines"),
        ("distances", listed(b"pairs", [PAIR] * (MOST // 2 + 1)), "5,001 pairs in one request"),
        ("distances", listed(b"pairs", [b"0"] * 3 * MOST), "the limit is 5,000"),
    ],
)
def test_more_items_than_the_limit_are_refused_before_parsing(ask, unparsed, what, body, pattern):
    status, kind, message = error_of(ask(what, body))
    assert (status, kind) == (413, "too_large")
    assert pattern in message


NESTED = b"[" * 150 + b"]" * 150


@pytest.mark.parametrize(
    ("what", "body", "pattern"),
    [
        ("points", listed(b"points", [NESTED] * 100), 'send {"points": [[u, v], ...]}'),
        ("boxes", listed(b"boxes", [NESTED]), "too many brackets for a query of boxes"),
        ("lines", listed(b"lines", [NESTED] * 200), "too many brackets for a query of points of"),
        ("distances", listed(b"pairs", [NESTED] * 200), "too many brackets"),
        ("points", listed(b"points", [b'["1","2"]'] * 100), "too many quotation marks"),
        ("points", b'{"points":[]%b}' % b"".join(b',"%d":0' % n for n in range(100)), "quotation"),
    ],
)
def test_a_wrong_form_that_would_be_costly_is_refused_before_parsing(
    ask, unparsed, what, body, pattern
):
    status, kind, message = error_of(ask(what, body))
    assert (status, kind) == (422, "bad_request")
    assert pattern in message


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (PointsQuery, b"points"),
        (BoxesQuery, b"boxes"),
        (LinesQuery, b"lines"),
        (DistancesQuery, b"pairs"),
    ],
)
def test_parsing_stops_at_the_first_error(kind, key):
    with pytest.raises(pydantic.ValidationError) as found:
        kind.model_validate_json(listed(key, [b"0"] * 100))
    assert found.value.error_count() == 1


@pytest.mark.parametrize(
    ("what", "body", "example"),
    [
        ("points", b'{"points": [256, 384]}', '{"points": [[u, v], ...]}'),
        ("distances", b'{"pairs": [[1, 2], [3, 4]]}', '{"pairs": [[[u, v], [u, v]], ...]}'),
        ("grid", b'{"columns": 8}', '{"columns": 8, "rows": 6}'),
    ],
)
def test_a_body_of_another_form_is_answered_with_the_form(ask, what, body, example):
    status, _, message = error_of(ask(what, body))
    assert status == 422
    assert message.endswith(f"; send {example}")


def test_a_long_unknown_key_is_cut_in_the_message(ask):
    status, _, message = error_of(ask("points", b'{"points":[],"%b":0}' % (b"long" * 20_000)))
    assert status == 422
    assert message.startswith("longlong")
    assert len(message) < 200
