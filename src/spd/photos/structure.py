"""Check how a file is built before a decoder sees it.

A small file can make decoders work for hours or fill the memory: with thousands of progressive
scans, millions of chunks, or directories whose entries all point at the same megabytes. Photos
have few of each, so they are counted first, without decoding.
"""

import itertools
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from spd.photos.limits import PhotoCostError

MOST_SCANS = 100
FREE_SCANS = 20  # cameras and programs write up to 18
SCANNED_PIXELS = 1_000_000_000
"""Scans of a JPEG beyond `FREE_SCANS`, times its pixels, may not exceed this."""
MOST_SEGMENTS = 10_000
MOST_CHUNKS = 10_000
_BYTES_A_CHUNK = 1024  # of PNG data: more chunks are allowed in larger files
MOST_TILES = 100_000
"""Strips or tiles of a TIFF; tiles of a JPEG 2000 file are limited to `MOST_J2K_TILES`."""
MOST_J2K_TILES = 4096
_TILE_MARGIN_PX = 4096  # by which a TIFF's tile may exceed its image
MOST_BOX_BYTES = 200_000
"""Size of an item table of an AVIF or HEIC file, which decoders search item by item."""

_J2K = b"\xff\x4f\xff\x51"
_MOST_COMPONENTS = 4
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # RST markers and stuffed bytes belong to data
_TIFF = re.compile(rb"II[*+]\0|MM\0[*+]")
_MOST_EMBEDDED = 100  # TIFF structures inside another file that are looked at
_TABLES = (b"iinf", b"iloc", b"iref", b"ipma", b"grpl")
_CONTAINERS = {b"meta": 12, b"iprp": 8, b"moov": 8, b"trak": 8}  # bytes of their own headers
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_UNITS |= {16: 8, 17: 8, 18: 8}
_STRIP_TAGS = (273, 324)
_COMPRESSION = 259
_JPEG_PACKINGS = (6, 7)
_EXIF_IFD = 0x8769
_DIRECTORY_BYTES = 1_000_000


def check_structure(data: bytes, name: str) -> int:
    """Refuse a file whose structure costs far more than a photo's.

    Args:
        data: the file.
        name: its name, for messages.

    Returns:
        Bytes that a decoder holds beside the picture because of how the file is built: all
        coefficients of a JPEG of several scans.

    Raises:
        PhotoCostError: naming what it has too many of, and the limit.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return _check_jpeg(data, name)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(data, name)
    elif _TIFF.match(data):
        _check_tiff(data, name)
    elif data.startswith((_J2K, b"\0\0\0\x0cjP  ")):
        _check_jpeg2000(data, name)
    elif data[4:8] == b"ftyp":
        _check_boxes(data, name)
    return 0


def webp_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) in the header of a WebP file; None for every other file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return max(1, height), max(1, width)


def check_exif(data: bytes | bytearray | memoryview, name: str) -> None:
    """Refuse EXIF or a TIFF whose directories refer to far more bytes than the file has.

    Decoders copy the value of every entry, and many entries can share the same bytes.

    Raises:
        PhotoCostError: naming the number of bytes.
    """
    view = memoryview(data)
    at = bytes(view[:16]).find(b"Exif\0\0")
    view = view[at + 6 :] if at >= 0 else view
    first = _directory(view)
    nested = [entry.value for entry in first if entry.tag == _EXIF_IFD]
    size = sum(entry.size for entry in first)
    size += sum(entry.size for offset in nested for entry in _directory(view, offset))
    most = _DIRECTORY_BYTES + 2 * len(view)
    if size > most:
        _refuse(name, f"metadata that refers to {size} bytes", most)


def _check_jpeg(data: bytes, name: str) -> int:
    at, scans, segments, pixels, held = 2, 0, 0, 1, 0
    progressive = False
    exif = bytearray()
    while (found := _MARKER.search(data, at)) is not None:
        code, at = data[found.end() - 1], found.end()
        if code == 0xD9:  # the end; further photos of an MPO file are not read
            break
        segments += 1
        end = at + max(2, int.from_bytes(data[at : at + 2], "big"))
        if code == 0xDA:
            scans += 1
        elif code in _FRAMES:
            pixels, held = _frame(data[at + 2 : end])
            progressive = code in _PROGRESSIVE
        elif code == 0xE1 and data.startswith(b"Exif\0\0", at + 2):
            exif += data[at + 8 : end]  # decoders join the parts
        elif code == 0xE2 and data.startswith(b"MPF\0", at + 2):
            check_exif(data[at + 6 : end], name)
        most = min(MOST_SCANS, max(FREE_SCANS, SCANNED_PIXELS // max(1, pixels)))
        if scans > most:
            _refuse(name, f"more than {scans - 1} scans of {pixels} pixels", most)
        if segments > MOST_SEGMENTS:
            _refuse(name, f"more than {segments - 1} segments", MOST_SEGMENTS)
        if code not in (0x01, 0xD8):
            at = end
    check_exif(exif, name)
    return held if progressive or scans > 1 else 0


def _frame(header: bytes) -> tuple[int, int]:
    """(pixels, bytes of all coefficients) of a JPEG's frame header without its length."""
    if len(header) < 6:
        return 0, 0
    height, width = struct.unpack_from(">HH", header, 1)
    factors = [divmod(byte, 16) for byte in header[7 : 6 + 3 * header[5] : 3]]
    across = max((h for h, _ in factors), default=1) or 1
    down = max((v for _, v in factors), default=1) or 1
    blocks = -(-width // (8 * across)) * -(-height // (8 * down)) * sum(h * v for h, v in factors)
    return height * width, 2 * 64 * blocks


def _check_png(data: bytes, name: str) -> None:
    at, chunks = 8, 0
    most = MOST_CHUNKS + len(data) // _BYTES_A_CHUNK
    while at + 8 <= len(data) and data[at + 4 : at + 8] != b"IEND":
        chunks += 1
        if chunks > most:
            _refuse(name, f"more than {most} chunks", most)
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _check_tiff(data: bytes, name: str) -> None:
    check_exif(data, name)
    entries = {entry.tag: entry for entry in _directory(memoryview(data))}
    tiles = max((entries[tag].number for tag in _STRIP_TAGS if tag in entries), default=1)
    if tiles > MOST_TILES:
        _refuse(name, f"{tiles} strips or tiles", MOST_TILES)
    for side, tile in ((256, 322), (257, 323)):
        pixels = entries[side].value if side in entries else 0
        if tile in entries and entries[tile].value > pixels + _TILE_MARGIN_PX:
            _refuse(
                name,
                f"tiles of {entries[tile].value} pixels in an image of {pixels}",
                pixels + _TILE_MARGIN_PX,
            )
    packing = entries[_COMPRESSION].value if _COMPRESSION in entries else 1
    scans, most = data.count(b"\xff\xda"), MOST_SCANS + 4 * tiles
    if packing in _JPEG_PACKINGS and scans > most:
        _refuse(name, f"{scans} JPEG scans in {tiles} strips or tiles", most)


def _check_jpeg2000(data: bytes, name: str) -> None:
    """Check each codestream's SIZ marker: a decoder sets up every tile of every component."""
    starts = [0]
    if not data.startswith(_J2K):
        boxes = _counted_boxes(data, name)
        starts = [start + 8 for kind, start, _ in boxes if kind == b"jp2c"]
    for at in starts:
        if not data.startswith(_J2K, at) or at + 42 > len(data):
            continue
        right, bottom, _, _, width, height, left, top = struct.unpack_from(">8I", data, at + 8)
        (components,) = struct.unpack_from(">H", data, at + 40)
        if components > _MOST_COMPONENTS:
            _refuse(name, f"{components} colour components", _MOST_COMPONENTS)
        if width and height:
            tiles = -(-max(0, right - left) // width) * -(-max(0, bottom - top) // height)
            if tiles > MOST_J2K_TILES:
                _refuse(name, f"{tiles} tiles", MOST_J2K_TILES)


def _check_boxes(data: bytes, name: str) -> None:
    """Check an AVIF's or HEIC's item tables, and the EXIF in it, which some decoders read first."""
    for kind, start, end in _counted_boxes(data, name):
        if kind in _TABLES and end - start > MOST_BOX_BYTES:
            _refuse(name, f"an item table of {end - start} bytes", MOST_BOX_BYTES)
    view = memoryview(data)
    for found in itertools.islice(_TIFF.finditer(data), _MOST_EMBEDDED):
        check_exif(view[found.start() :], name)


def _counted_boxes(data: bytes, name: str) -> Iterator[tuple[bytes, int, int]]:
    for number, box in enumerate(_boxes(data, 0, len(data))):
        if number >= MOST_CHUNKS:
            _refuse(name, f"more than {number} boxes", MOST_CHUNKS)
        yield box


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of the boxes between two offsets, and of those in containers."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
        last = end if size == 0 else min(end, at + max(8, size))
        yield kind, at, last
        if kind in _CONTAINERS:
            yield from _boxes(data, at + _CONTAINERS[kind], last)
        at = last


class _Entry(NamedTuple):
    """An entry of a TIFF directory."""

    tag: int
    number: int
    size: int
    """Bytes of the value."""
    value: int
    """The value, or the offset of a longer one."""


def _directory(data: memoryview, offset: int | None = None) -> list[_Entry]:
    """Entries of a TIFF directory whose values lie in the file; of the first if no offset."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        return []
    big = b"+" in bytes(data[2:4])
    form, head, inline = (
        (f"{order}HHQQ", f"{order}Q", 8) if big else (f"{order}HHII", f"{order}H", 4)
    )
    try:
        if offset is None:
            (offset,) = struct.unpack_from(head if big else f"{order}I", data, inline)
        (count,) = struct.unpack_from(head, data, offset)
    except (struct.error, OverflowError):  # damaged: the decoder raises the error
        return []
    start, step = offset + struct.calcsize(head), struct.calcsize(form)
    whole = data[start : start + min(count, (len(data) - start) // step) * step]
    found = []
    for tag, kind, number, value in struct.iter_unpack(form, whole):
        size = number * _UNITS.get(kind, 0)
        if order == ">" and size < inline:  # the value lies at the front
            value >>= 8 * (inline - size)
        if size <= inline or value + size <= len(data):
            found.append(_Entry(tag, number, size, value))
    return found


def _refuse(name: str, found: str, most: int) -> NoReturn:
    raise PhotoCostError(
        f"{name} is not decoded: it has {found}, the limit is {most}; save it again with "
        "another program"
    )
