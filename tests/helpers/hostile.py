"""Files that nobody should have written: seeded mutations of bytes and JSON, and the property."""

import copy
import json
import os
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spd.errors import SPDError

SOAK = bool(os.environ.get("SPD_SOAK"))
MOST_LETTERS = 1500
"""Length of the longest error that is still read; paths of tests are long."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**9, 10**400, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), 0.5, "", "x", "64", "\0", "\ud800", "a\nb", "../../etc/passwd",
    "/dev/zero", "x" * 10_000, [], {}, [[]], [1, 2, 3, 4], {"a": 1}, {"self": 1}, [None] * 100,
)  # fmt: skip
"""What replaces a value."""
TEXTS = (
    b"", b"{", b"null", b"[]", b"3", b'"x"', b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"\0" * 64,
    b"[" * 100_000, b'{"a":' * 100_000, b"[" * 900 + b"]" * 900, b"9" * 400, b"9" * 5000,
    b"NaN", b"-Infinity", b'{"model": ' + b"9" * 5000 + b"}", b"{} {}", b"\x1f\x8b\x08\0",
    b"PK\x03\x04", b"\x80\x02cos\nsystem\n(S'true'\ntR.",
)  # fmt: skip
"""Whole files that take the place of one."""


def replacements(path: Path) -> Iterator[str]:
    """Put other contents, and at last a folder, at the place of a file; yield what each is."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    yield "cut in half"
    path.write_bytes(whole.replace(b"1", b"NaN"))
    yield "NaN"
    path.write_bytes(b"\xfc" + whole)
    yield "not UTF-8"
    for text in TEXTS:
        path.write_bytes(text)
        yield repr(text[:20])
    path.unlink(missing_ok=True)
    path.mkdir()
    yield "a folder"


def attack(
    path: Path,
    read: Callable[[], object],
    name: str,
    count: int,
    change: Callable[[bytes, random.Random], bytes] | None = None,
) -> int:
    """Read an intact file, which is an answer, and then `count` mutations of it.

    Args:
        path: the file.
        read: its reader.
        name: seed of the mutations, and name in messages.
        count: number of mutations.
        change: makes one; by default one of JSON or of bytes, by the suffix of the file.

    Returns:
        How many were refused.
    """
    whole = path.read_bytes()
    assert refusal(read, name) is None
    rng = random.Random(name)
    if change is None:
        change = mutated_text if path.suffix == ".json" else mutated
    refused = 0
    for number in range(count):
        content = change(whole, rng)
        path.write_bytes(content)
        refused += refusal(read, f"{name}, number {number}: {content[:300]!r}") is not None
    return refused


def mutated_text(whole: bytes, rng: random.Random) -> bytes:
    """`mutated_json` of JSON as bytes."""
    return mutated_json(json.loads(whole), rng)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, or a piece cut off, repeated, removed or blanked."""
    changed = bytearray(data)
    kind = rng.randrange(8)
    if kind <= 3:  # most often: a few bytes, anywhere or in the head
        end = len(changed) if kind else min(64, len(changed))
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            changed[rng.randrange(end)] = rng.randrange(256)
        return bytes(changed)
    first, last = sorted(rng.randrange(len(changed)) for _ in range(2))
    last = min(last, first + 64)
    if kind == 4:
        return bytes(changed[: max(1, rng.randrange(len(changed)))])
    if kind == 5:
        changed[first:first] = changed[first:last]
    elif kind == 6:
        del changed[first:last]
    else:
        changed[first:last] = bytes(last - first)
    return bytes(changed)


def mutated_json(data: Any, rng: random.Random) -> bytes:
    """JSON with values replaced, removed, added or moved; sometimes no JSON at all."""
    if rng.random() < 0.1:
        return rng.choice(TEXTS)
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _changed(data, rng)
    text = json.dumps(data).encode()
    return mutated(text, rng) if rng.random() < 0.1 else text


def _changed(data: Any, rng: random.Random) -> Any:
    """Data with one node changed."""
    places = list(_places(data))
    if not places:
        return rng.choice(VALUES)
    parent, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        odd = rng.choice(("", "self", "a\nb", "__class__", "x" * 300, "\ud800", str(key) + " "))
        parent[odd] = copy.deepcopy(rng.choice(VALUES))
    elif kind == 2:
        parent[key] = copy.deepcopy(data)
    else:
        parent[key] = copy.deepcopy(rng.choice(VALUES))
    return data


def _places(data: Any) -> Any:
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from _places(data[key])


def refusal(read: Callable[[], object], what: str) -> SPDError | None:
    """The error with which a reader refuses; None for an answer.

    Raises:
        AssertionError: for any other exception, or an error that is not one clear line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except SPDError as error:
        text = str(error)
        assert "\n" not in text, (what, text[:300])
        assert 10 < len(text) < MOST_LETTERS, (what, text[:300])
        return error
    except BaseException as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {str(error)[:300]}") from error
    return None
