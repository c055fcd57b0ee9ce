"""Small files that make decoders work for hours or fill the memory."""

import io
import struct
import zlib

from PIL import Image

WIDTH, HEIGHT = 64, 48
PICTURE = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")


def saved(form: str, **options) -> bytes:
    """The picture in a format of Pillow."""
    file = io.BytesIO()
    PICTURE.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG's chunk."""
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(before: bytes = b"", after: bytes = b"") -> bytes:
    """The picture with chunks before and after its pixels."""
    plain = saved("PNG")
    start, end = plain.index(b"IDAT") - 4, plain.index(b"IEND") - 4
    return plain[:start] + before + plain[start:end] + after + plain[end:]


def flat_png(width: int, height: int) -> bytes:
    """Black pixels in a few kilobytes."""
    packer, row = zlib.compressobj(9), b"\0" * (width + 1)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(*segments: bytes) -> bytes:
    """The picture as JPEG with segments in front."""
    plain = saved("JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def segment(code: int, data: bytes = b"") -> bytes:
    """A JPEG's segment."""
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def scans_jpeg(scans: int) -> bytes:
    """The picture as a progressive JPEG whose last scan is repeated."""
    plain = saved("JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:last] + plain[last:-2] * scans + plain[-2:]


def directory(entries: int, size: int, *more: tuple[int, int, int, int]) -> bytes:
    """A TIFF directory; all of its entries refer to the same `size` bytes."""
    shared = [(1000 + n, 7, size, 14 + 12 * (entries + len(more))) for n in range(entries)]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in (*more, *shared))
    return b"II*\0" + struct.pack("<IH", 8, entries + len(more)) + packed + bytes(4 + size)


def tiff(width: int, height: int, *more: tuple[int, int, int, int]) -> bytes:
    """A TIFF of one grey strip; `more` tags (number, type, count, value) come after it."""
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1)]
    replaced = {tag for tag, *_ in more}
    return directory(0, 3000, *[tag for tag in tags if tag[0] not in replaced], *more)


def gif(*blocks: bytes, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """A GIF of one pixel with blocks before it."""
    head = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
    return head + b"".join(blocks) + frame + b";"


def j2k(**sizes: int) -> bytes:
    """A JPEG 2000 codestream whose header says other sizes than its data."""
    data = bytearray(saved("JPEG2000", no_jp2=True))
    for name, value in sizes.items():
        offset = {"width": 8, "height": 12, "tile_width": 24, "tile_height": 28}[name]
        struct.pack_into(">I", data, offset, value)
    return bytes(data)


def box(kind: bytes, data: bytes) -> bytes:
    """A box of an AVIF or JP2 file."""
    return struct.pack(">I4s", 8 + len(data), kind) + data


def webp_canvas(width: int, height: int) -> bytes:
    """A WebP animation whose canvas is far larger than its frames."""
    other = PICTURE.rotate(180)
    data = bytearray(saved("WEBP", save_all=True, append_images=[other]))
    at = data.index(b"VP8X") + 12
    data[at : at + 3] = (width - 1).to_bytes(3, "little")
    data[at + 3 : at + 6] = (height - 1).to_bytes(3, "little")
    return bytes(data)
