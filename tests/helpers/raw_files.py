"""TIFFs whose first frame is a preview, as cameras write raw files; made in memory."""

import io
import struct
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, TiffImagePlugin

REDUCED, SUB_IFDS, PHOTOMETRIC, RAW_SENSOR, EXIF_IFD = 254, 330, 262, 32803, 0x8769


def chained(pages: Sequence[tuple[np.ndarray, dict]], **options) -> bytes:
    """A TIFF of several frames, each of these pixels and with these tags."""
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, True) as writer:
        for pixels, tags in pages:
            directory = TiffImagePlugin.ImageFileDirectory_v2()
            for tag, value in tags.items():
                directory[tag] = value
            Image.fromarray(pixels).save(writer, format="TIFF", tiffinfo=directory, **options)
            writer.newFrame()  # links the frame to the one before
    return file.getvalue()


def nested(
    first: np.ndarray,
    below: Sequence[tuple[np.ndarray, dict[int, int]]],
    *,
    order: str = "<",
    big: bool = False,
    exif: Mapping[int, int] | None = None,
    **tags: int,
) -> bytes:
    """A TIFF whose first directory is a preview, and the others lie below it (tag 330).

    Args:
        first: pixels of the preview.
        below: pixels and further tags of each frame below it.
        order: struct's letter of the byte order.
        big: write BigTIFF.
        exif: tags of the EXIF directory, each a SHORT.
        tags: further tags of the preview, named t and their number.
    """
    word, entry = ("Q", "HHQ") if big else ("I", "HHI")
    head = b"II" if order == "<" else b"MM"
    head += struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0)))
    data = bytearray(head)

    def put(payload: bytes) -> int:
        data.extend(b"\0" * (-len(data) % 2))
        data.extend(payload)
        return len(data) - len(payload)

    def directory(entries: dict[int, tuple[int, list[int]]]) -> int:
        width = 8 if big else 4
        packed = b""
        for tag, (kind, values) in sorted(entries.items()):
            form = {3: "H", 4: "I"}[kind]
            payload = struct.pack(f"{order}{len(values)}{form}", *values)
            if len(payload) > width:
                payload = struct.pack(order + word, put(payload))
            packed += struct.pack(order + entry, tag, kind, len(values)) + payload.ljust(
                width, b"\0"
            )
        count = struct.pack(order + ("Q" if big else "H"), len(entries))
        return put(count + packed + struct.pack(order + word, 0))

    def frame(pixels: np.ndarray, extra: Mapping[int, int]) -> dict[int, tuple[int, list[int]]]:
        height, width, channels = pixels.shape
        values = {
            256: width, 257: height, 259: 1, PHOTOMETRIC: 2, 277: channels, 278: height,
            273: put(pixels.tobytes()), 279: pixels.nbytes,
        } | dict(extra)  # fmt: skip
        return {258: (3, [8] * channels)} | {tag: (4, [value]) for tag, value in values.items()}

    places = [directory(frame(pixels, extra)) for pixels, extra in below]
    entries = frame(first, {REDUCED: 1} | {int(name[1:]): value for name, value in tags.items()})
    entries[SUB_IFDS] = (4, places)
    if exif is not None:
        entries[EXIF_IFD] = (4, [directory({tag: (3, [value]) for tag, value in exif.items()})])
    at = directory(entries)
    struct.pack_into(order + word, data, 8 if big else 4, at)
    return bytes(data)
