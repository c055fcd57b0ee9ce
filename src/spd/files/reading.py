"""Read small files that anybody may have written."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from typing import Any

TEXT_BYTES = 16 * 2**20
"""Size in bytes of the largest file that `read_text` and `read_json` read."""
LISTED_BYTES = 2**30
"""Size in bytes of the largest JSON file with a list of frames or images."""
_MOST_NESTED = 100
_BLOCK_BYTES = 2**20


def storable(text: str) -> str:
    r"""A file name as text, for tables and pictures: a byte that is not UTF-8 becomes an escape.

    Python reads such a byte as a lone surrogate, `\udce9` for 0xE9, which most libraries refuse.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_text(path: str | os.PathLike[str], most_bytes: int = TEXT_BYTES) -> str:
    """Text of a small untrusted file.

    Raises:
        OSError: if it cannot be read, or is a folder, a pipe or a device.
        ValueError: if it is not UTF-8, or larger than `most_bytes`.
    """
    _refuse_special(path)
    return read_stream(path, most_bytes).decode("utf-8")


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
        OSError: if it cannot be read, or is a folder, a pipe or a device.
    """
    _refuse_special(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_stream(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Content of a file, pipe or device; `-` is standard input.

    Raises:
        OSError: if it cannot be read, or is a folder.
        ValueError: if it is larger than `most_bytes`.
    """
    content = bytearray()
    # In blocks: `read` of a size takes all of it as memory first.
    with open(0 if os.fspath(path) == "-" else path, "rb", closefd=os.fspath(path) != "-") as file:
        while block := file.read(min(_BLOCK_BYTES, most_bytes + 1 - len(content))):
            content += block
    if len(content) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes / 2**20:g} MiB")
    return bytes(content)


def is_stdin(path: str | os.PathLike[str]) -> bool:
    """Whether a path is `-`, or a name of standard input such as `/dev/stdin`."""
    return os.fspath(path) in ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def missing_advice(path: str | os.PathLike[str]) -> str:
    """Advice on a file that does not exist; `Path` shortens the `//` of a link."""
    is_link = re.match(r"([a-z][a-z0-9+.-]+:/|data:)", os.fspath(path), re.IGNORECASE)
    return "download it, URLs are not fetched" if is_link else "check the path"


def read_json(path: str | os.PathLike[str], most_bytes: int = TEXT_BYTES) -> Any:
    """Parse a small untrusted JSON file.

    Raises:
        OSError: as `read_text`.
        ValueError: as `read_text`, or as `parse_json`.
    """
    return parse_json(read_text(path, most_bytes))


def parse_json(text: str) -> Any:
    """Parse untrusted JSON.

    Raises:
        json.JSONDecodeError: if it is not JSON.
        ValueError: if it is nested too deeply, or contains a number of thousands of digits.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("it contains a number of thousands of digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level = [data]
    for _ in range(_MOST_NESTED):  # code that walks or prints the data may recurse
        level = [child for node in level for child in _children(node)]
        if not level:
            return data
    raise ValueError("it is nested too deeply")


def _refuse_special(path: str | os.PathLike[str]) -> None:
    if os.path.exists(path) and not os.path.isfile(path):  # reading a pipe may wait forever
        raise OSError(f"{os.fspath(path)} is not a file")


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()
