"""CSV as programs of all kinds write it: encodings, separators, comments, decimal commas."""

import codecs
import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

_SEPARATORS = (",", "\t", ";", " ")
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = (
    (b"PK\x03\x04", "it is an Excel workbook or a zip archive; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "it is an Excel workbook; save the sheet as CSV"),
    (b"\x1f\x8b", "it is compressed; unpack it"),
    (b"\x93NUMPY", 'it is a NumPy array; save it with numpy.savetxt(path, points, "%g", ",")'),
)
HEAD_BYTES = 8
"""Bytes of a file that tell its encoding."""


def csv_encoding(head: bytes) -> str:
    """Encoding of a text file, from its first bytes: UTF-8, or UTF-16 or UTF-32 with a BOM.

    Raises:
        ValueError: if they begin a workbook, an archive or an array, saying what to do.
    """
    for mark, advice in _BINARY:
        if head.startswith(mark):
            raise ValueError(advice)
    return next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8-sig")


def number_of(cell: str, separator: str = ",") -> float:
    """Number in a cell; between semicolons, its decimal mark may be a comma.

    Raises:
        ValueError: if it is not a number.
    """
    if "_" in cell:  # which Python allows within numbers
        raise ValueError(f"not a number: {cell}")
    text = cell.strip(' \t"')
    if separator == ";" and "." not in text:
        text = text.replace(",", ".", 1)
    return float(text)


class CsvReader:
    """Rows of a CSV file, with the separator that its first line has.

    Lines that begin with `#` before the first row are comments, unless one is the header, as
    numpy.savetxt writes it. Excel's line `sep=;` names the separator. Blank lines are left out.

    Args:
        lines: the file's lines, with their ends.
        is_header: whether cells are the names of the columns.
        strict: whether wrong quotation marks raise an error.
    """

    def __init__(
        self,
        lines: Iterable[str],
        is_header: Callable[[Sequence[str]], bool],
        *,
        strict: bool = False,
    ) -> None:
        self.header: list[str] | None = None
        """Names of the columns, as written; None where no line names them."""
        self.separator = ","
        self._before = 0  # lines before the first row
        lines, first, named = iter(lines), "", ""
        for line in lines:
            text = line.strip()
            comment = text.lstrip("#").strip() if text.startswith("#") else ""
            if match := re.fullmatch(r"sep=([,;|])", text, re.IGNORECASE):
                named = match[1]
            elif comment and is_header(_cells(comment, _separator(comment, is_header))):
                first = comment
                break
            elif text and not text.startswith("#"):
                first = line
                break
            self._before += 1
        self.separator = named or _separator(first.strip(), is_header)
        self._reader = csv.reader(
            itertools.chain([first], lines),
            delimiter=self.separator,
            skipinitialspace=self.separator == " ",
            strict=strict,
        )
        self._first: list[str] | None = next(self._reader)
        if is_header(self._first):
            self.header, self._first = trimmed(self._first), None

    @property
    def line_num(self) -> int:
        """Number of lines read so far."""
        return self._before + self._reader.line_num

    def __iter__(self) -> Iterator[list[str]]:
        first, self._first = self._first, None
        for row in itertools.chain([first] if first else [], self._reader):
            if row:
                yield row


def _separator(line: str, is_header: Callable[[Sequence[str]], bool]) -> str:
    """Separator of a first line: with which it is a header, else the likeliest in it."""
    for mark in _SEPARATORS:
        if is_header(_cells(line, mark)):
            return mark
    return next((mark for mark in ("\t", ";", ",") if mark in line), " ")


def _cells(line: str, separator: str) -> list[str]:
    reader = csv.reader([line], delimiter=separator, skipinitialspace=separator == " ")
    return trimmed(next(reader, []))


def trimmed(row: Sequence[str]) -> list[str]:
    """The cells without empty ones at the end."""
    kept = len(row)
    while kept and not row[kept - 1].strip():
        kept -= 1
    return list(row[:kept])
