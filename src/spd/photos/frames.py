"""The photo among the frames of a TIFF, such as a camera's DNG or NEF.

Camera raw files begin with a preview of about 256 pixels, flagged as reduced (tag 254); the photo
is a later frame, or hangs below the first one (tag 330).
"""

import io
import struct
from typing import NamedTuple

from PIL import Image, TiffImagePlugin

from spd.memory import reserved
from spd.photos.limits import PhotoCostError
from spd.photos.structure import check_structure

_NEW_SUBFILE, _SUBFILE = 254, 255
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_WIDTH, _HEIGHT, _COMPRESSION, _SUB_IFDS = 256, 257, 259, 330
_BORROWED = (274, 0x8769)  # orientation and EXIF, which only the first directory may have
_OLD_JPEG = 6  # its tables lie elsewhere in the file
_LONG = {4: 4, 13: 4, 16: 8, 18: 8}  # bytes of the types of offsets
_MOST_FRAMES = 32
_MOST_TRIED = 4


class Frame(NamedTuple):
    """The frame of a file that is read."""

    data: bytes
    """A file that begins with this frame."""
    warnings: tuple[str, ...] = ()
    """Reasons to doubt that it is the photo."""


def photo_frame(data: bytes, name: str) -> Frame:
    """The full-resolution frame of a TIFF whose first frame is flagged as reduced.

    So is the photo after a mask. Every other file is returned as it is. Where no full-resolution
    frame can be decoded, as with raw sensor data, it is the largest preview, with a warning.

    Args:
        data: a file of any format.
        name: its name, for messages.

    Raises:
        PhotoCostError: if the frame costs far more to decode than a photo.
        OutOfMemoryError: if the copies of the file that are tried need more memory than is left.
    """
    try:
        frames = _Directories(data).all()
    except (struct.error, ValueError, OverflowError, IndexError):  # the decoder tells the error
        return Frame(data)
    if not frames or not (frames[0].reduced or frames[0].is_mask):
        return Frame(data)
    # A frame is tried as a copy of the file that begins with it, and the one that is read stays.
    with reserved(2 * len(data), name, "it is too large for a photo"):
        return _first_decodable(data, name, frames)


def _first_decodable(data: bytes, name: str, frames: "list[_Directory]") -> Frame:
    """The best frame that can be decoded; `frames` are those of the file, in its order."""
    first_of_file = frames[0]
    frames = [frame for frame in frames if not frame.is_mask] or frames[:1]
    ranked = sorted(frames, key=lambda one: (not one.reduced, one.pixels), reverse=True)
    largest = max(ranked, key=lambda one: one.pixels)
    for frame in [*ranked[:_MOST_TRIED], frames[0]]:
        first = frame is first_of_file
        moved = data if first else _Directories(data).moved_first(frame, first_of_file)
        if not first and not _decodable(frame, moved, name):
            continue
        if not frame.reduced or frame.pixels >= largest.pixels:
            return Frame(moved)
        return Frame(
            moved,
            (
                f"{name} is a camera raw file of {largest.width}x{largest.height} pixels that "
                f"cannot be decoded; its preview of {frame.width}x{frame.height} pixels is read "
                "instead, and points refer to the preview; save the photo as JPEG or TIFF",
            ),
        )
    return Frame(data)


def preview_warnings(image: Image.Image) -> tuple[str, ...]:
    """Warning about an opened image that is the preview of a TIFF; of a file, the photo is read."""
    tags = getattr(image, "tag_v2", {})
    flags = tags.get(_NEW_SUBFILE, 0)
    flagged = (isinstance(flags, int) and flags & _REDUCED) or tags.get(_SUBFILE) == _OLD_REDUCED
    if image.format != "TIFF" or not flagged:
        return ()
    return (
        f"the image is a preview of {image.width}x{image.height} pixels, by its flag; pass the "
        "file's path, so that its photo is read",
    )


class _Directory(NamedTuple):
    """A directory of a TIFF: one frame."""

    entries: dict[int, bytes]
    numbers: dict[int, int]
    """Values of the entries of one number."""
    sub_ifds: tuple[int, ...]

    @property
    def width(self) -> int:
        return self.numbers.get(_WIDTH, 0)

    @property
    def height(self) -> int:
        return self.numbers.get(_HEIGHT, 0)

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def reduced(self) -> bool:
        flagged = self.numbers.get(_NEW_SUBFILE, 0) & _REDUCED
        return bool(flagged) or self.numbers.get(_SUBFILE) == _OLD_REDUCED

    @property
    def is_mask(self) -> bool:
        return bool(self.numbers.get(_NEW_SUBFILE, 0) & _MASK)


class _Directories:
    """Reader of a TIFF's directories; classic or BigTIFF.

    Raises:
        ValueError: if it is not a TIFF.
    """

    def __init__(self, data: bytes) -> None:
        if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise ValueError("not a TIFF")
        self.data = data
        self.order = "<" if data[:2] == b"II" else ">"
        big = b"+" in data[2:4]
        self.count, self.offset, self.head, self.step = (
            ("Q", "Q", 8, 20) if big else ("H", "I", 4, 12)
        )

    def all(self) -> list[_Directory]:
        """Directories of the main chain and of SubIFDs."""
        found: list[_Directory] = []
        seen: set[int] = set()
        waiting = [self._number(self.offset, self.head)]
        while waiting and len(found) < _MOST_FRAMES:
            at = waiting.pop(0)
            if at == 0 or at in seen or at >= len(self.data):
                continue
            seen.add(at)
            directory, following = self._directory(at)
            found.append(directory)
            waiting += [following, *directory.sub_ifds]
            if not (found[0].reduced or found[0].is_mask):  # nothing else is of interest
                break
        return found

    def moved_first(self, frame: _Directory, first: _Directory) -> bytes:
        """The file with its first directory replaced by that of `frame`, appended at the end.

        Orientation and EXIF are those of the file's first directory if the frame has none.
        """
        borrowed = {tag: first.entries[tag] for tag in _BORROWED if tag in first.entries}
        entries = {**borrowed, **frame.entries}
        for tag in (_NEW_SUBFILE, _SUBFILE, _SUB_IFDS):
            entries.pop(tag, None)
        padding = b"\0" * (-len(self.data) % 2)
        at = len(self.data) + len(padding)
        return b"".join(
            (
                self.data[: self.head],
                struct.pack(self.order + self.offset, at),
                self.data[self.head + struct.calcsize(self.offset) :],
                padding,
                struct.pack(self.order + self.count, len(entries)),
                *(entries[tag] for tag in sorted(entries)),
                struct.pack(self.order + self.offset, 0),
            )
        )

    def _number(self, form: str, at: int) -> int:
        return int(struct.unpack_from(self.order + form, self.data, at)[0])

    def _directory(self, at: int) -> tuple[_Directory, int]:
        number = self._number(self.count, at)
        start = at + struct.calcsize(self.count)
        end = start + number * self.step
        following = self._number(self.offset, end)
        entries: dict[int, bytes] = {}
        numbers: dict[int, int] = {}
        sub_ifds: list[int] = []
        for place in range(start, end, self.step):
            tag, kind = struct.unpack_from(self.order + "HH", self.data, place)
            entries[tag] = self.data[place : place + self.step]
            if tag == _SUB_IFDS:
                sub_ifds += self._offsets(place, kind)
            elif kind in (3, 4, 16) and self._number(self.offset, place + 4) == 1:
                value = place + 4 + struct.calcsize(self.offset)
                numbers[tag] = self._number({3: "H", 4: "I", 16: "Q"}[kind], value)
        return _Directory(entries, numbers, tuple(sub_ifds)), following

    def _offsets(self, place: int, kind: int) -> list[int]:
        if kind not in _LONG:
            return []
        form = "I" if _LONG[kind] == 4 else "Q"
        count = min(_MOST_FRAMES, self._number(self.offset, place + 4))
        value = place + 4 + struct.calcsize(self.offset)
        if count * _LONG[kind] > struct.calcsize(self.offset):
            value = self._number(self.offset, value)
        return [self._number(form, value + index * _LONG[kind]) for index in range(count)]


def _decodable(frame: _Directory, data: bytes, name: str) -> bool:
    """True if Pillow knows how to decode the first frame of `data`; nothing is decoded."""
    if frame.numbers.get(_COMPRESSION, 1) == _OLD_JPEG or frame.pixels == 0:
        return False
    try:
        check_structure(data, name)
        with TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as image:
            return bool(image.tile) or frame.numbers.get(_COMPRESSION, 1) != 1
    except PhotoCostError:
        raise
    except Exception:  # Pillow raises many types for what it cannot read
        return False
