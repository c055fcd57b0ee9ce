"""Find the photos below a folder."""

import collections
import os
from pathlib import Path

from spd.errors import counted, listed, reason_of
from spd.files import storable

PHOTOS = (
    *(".avif", ".bmp", ".dng", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe"),
    *(".jpeg", ".jpg", ".mpo", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Suffixes of the photos found in a folder; a glob or a table may name any file."""


_DEPTH = ".depth.png"  # the depth map of a photo in an RGB-D folder


def photos_below(folder: Path, own: Path | None = None) -> tuple[list[str], list[str]]:
    """Paths of all photos below a folder, sorted, and notes about what was left out.

    Hidden files and folders (such as macOS's `._photo.jpg`) are left out, and so is everything that
    is not a regular file, depth maps (`0001.depth.png`), the maps of other batches, and the batch's
    `own` folder. The notes name
    folders that cannot be read and count the files of other types.
    """
    left_out = None if own is None else os.path.realpath(own)
    photos: list[str] = []
    unreadable: list[OSError] = []
    others: collections.Counter[str] = collections.Counter()
    notes: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=unreadable.append):
        if {"maps", "state"} <= set(folders) and "batch.json" in names:
            folders.remove("maps")
            maps = os.path.join(parent, "maps")
            notes.append(f"{storable(maps)} contains the maps of a batch, which were left out")
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(parent, name)) != left_out
        ]
        for name in names:
            path = os.path.join(parent, name)
            if name.startswith(".") or not os.path.isfile(path):
                continue
            suffix = os.path.splitext(name)[1].lower()
            if name.lower().endswith(_DEPTH):
                others[_DEPTH] += 1
            elif suffix in PHOTOS:
                photos.append(path)
            else:
                others[suffix or "no suffix"] += 1
    notes += [
        f"cannot read {storable(str(error.filename))}: {reason_of(error)}; its photos are missing"
        for error in unreadable
    ]
    if others:
        suffixes = listed([storable(suffix) for suffix, _ in others.most_common()])
        notes.append(
            f"skipped {counted(others.total(), 'file')} in {storable(str(folder))} "
            f"that {'is not a photo' if others.total() == 1 else 'are not photos'} "
            f"({suffixes})"
        )
    return sorted(photos), notes
