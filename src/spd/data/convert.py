"""`spd data convert`: write any source as an RGB-D folder, in parallel and resumable.

Frames in archives and tables are slow to read in random order, or cannot be; a folder is fast.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image

from spd.data import nyu_dataset as nyu
from spd.data.depth_png import write_depth_png
from spd.data.evidence import FrameEvidence, evenly_spread, problems, read_evidence
from spd.data.folder import frame_entry, write_index, write_points
from spd.data.formats import open_source
from spd.data.frame_index import INDEX, FrameEntry
from spd.data.parallel import Progress, map_frames
from spd.data.resumable import claim_folder
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Source
from spd.errors import ConfigError, DataError, SPDError, listed
from spd.files import LISTED_BYTES, atomic_path, parse_json, read_json

SETTINGS = "convert.json"
"""File with the source of a conversion, so that no other source is mixed into the folder."""
JOURNAL = "convert.jsonl"
"""File with one line per finished frame during a conversion; the index replaces it at the end."""
NYU = "NYU Depth V2"
DEPTH = ".depth.png"
LARGEST_STORED_M = 65.535
"""Largest depth in metres that 16 bits of millimetres hold."""
CHECKED = 16
"""Number of frames whose depth is checked before any is written."""
_ENDINGS = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".h5", ".npy")

Entry = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Conversion:
    """Result of a conversion."""

    written: int
    kept: int
    """Number of frames that an earlier call had written."""
    broken: list[tuple[str, str]]
    """Names of unreadable frames, which are left out, each with the reason."""


def convert(
    text: str,
    folder: Path,
    *,
    split: str | None = None,
    workers: int | None = None,
    max_broken: int = 0,
    progress: Progress = lambda done, total: None,
) -> Conversion:
    """Write a source, `PATH[:SPLIT][,key=value]...`, as an RGB-D folder; resumes an earlier call.

    Image files are copied unchanged, other images written as PNG. Depth keeps all positive
    readings that 16-bit millimetres can hold.

    Args:
        text: the source.
        folder: output folder; refused if it holds anything else.
        split: name of the split in the index; None: its name in the source.
        workers: processes; None: one per core.
        max_broken: number of unreadable frames to leave out; one more is an error.
        progress: called with (frames done, frames in total).

    Raises:
        DataError: if the values of the source are not metric depth, its stated largest depth
            cannot be stored, the folder holds anything
            else, or too many frames are unreadable. Finished frames stay for the next call.
    """
    source = open_source(text)
    if source.max_depth_m > LARGEST_STORED_M:
        raise DataError(
            f"max_depth_m is {source.max_depth_m:g}, but an RGB-D folder stores depth up to "
            f"{LARGEST_STORED_M:g} m; pass max_depth_m={LARGEST_STORED_M:g} to leave out what is "
            "farther, or use the source without converting it"
        )
    _check_depth(source)
    claim_folder(folder / SETTINGS, _settings(source, text, split))
    names = _names(source, split)
    entries = _finished(folder, names)
    kept, todo = len(entries), [n for n in range(len(source)) if names[n] not in entries]
    progress(kept, len(source))
    broken: list[tuple[str, str]] = []
    work = functools.partial(_write, folder=folder, names=names, split=split)
    with _journal(folder / JOURNAL) as journal:
        for number, result in zip(todo, map_frames(source, todo, work, workers), strict=True):
            if isinstance(result, SPDError):
                broken.append((source.frames[number].name, str(result)))
                if len(broken) > max_broken:
                    raise DataError(
                        f"{len(broken)} frame(s) are unreadable, but --max-broken allows only "
                        f"{max_broken}; finished frames are kept. The last error is: {result}"
                    )
            else:
                entries[names[number]] = result
                journal.write(json.dumps(result) + "\n")
                journal.flush()
            progress(len(entries) + len(broken), len(source))
    write_index([entries[name] for name in names if name in entries], folder)
    (folder / JOURNAL).unlink()
    return Conversion(len(entries) - kept, kept, broken)


@contextlib.contextmanager
def _journal(path: Path) -> Iterator[TextIO]:
    """The journal, to append entries to; a full disk is one error."""
    try:
        with path.open("a", encoding="utf-8") as journal:
            yield journal
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot write {path}: {reason}; finished frames are kept") from None


def _check_depth(source: Source) -> None:
    """Refuse values that are not metric depth; broken frames are dealt with later."""
    numbers = evenly_spread(len(source), CHECKED)
    results = map_frames(source, numbers, read_evidence, workers=1)
    for problem in problems([found for found in results if isinstance(found, FrameEvidence)]):
        raise DataError(f"{source.path}: {problem}")


def _settings(source: Source, text: str, split: str | None) -> dict[str, Any]:
    names = "\n".join(f"{frame.split}\t{frame.name}" for frame in source.frames)
    return {
        "source": str(source.path.resolve()) if source.path.exists() else text,
        "source_split": source.split,
        "options": {k: v for k, v in source.options.to_dict().items() if v is not None},
        "split": split,
        "frames": len(source),
        "names_sha256": hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest(),
    }


def _names(source: Source, split: str | None) -> list[str]:
    """Name of each frame in the folder: its name in the source as a safe, distinct path."""
    names, taken = [], set()
    for number, frame in enumerate(source.frames):
        parts = [re.sub(r"[^\w.-]", "_", part) for part in frame.name.split("/")]
        path = Path(*(part for part in parts if part.strip("."))) if frame.name else Path("frame")
        name = str(path.with_suffix("") if path.suffix.lower() in _ENDINGS else path)
        if split is None and frame.split and path.parts[0] != frame.split:
            name = f"{frame.split}/{name}"
        if name.lower() in taken or name == "." or name.lower().endswith(".depth"):
            name = f"{name}-{number:06d}"
        taken.add(name.lower())
        names.append(name)
    return names


def _finished(folder: Path, names: Sequence[str]) -> dict[str, Entry]:
    """Entries of the frames that earlier calls wrote, from the index or the journal."""
    entries: list[Any] = []
    with contextlib.suppress(OSError, ValueError):  # none, or damaged: written again
        listed = read_json(folder / INDEX, LISTED_BYTES)
        entries += listed if isinstance(listed, list) else []
    if (folder / JOURNAL).is_file():  # its last line may be cut off
        lines = (folder / JOURNAL).read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            with contextlib.suppress(ValueError):
                entries.append(parse_json(line))
    there = {entry["depth"].removesuffix(DEPTH): entry for entry in entries if _is_entry(entry)}
    # Names of the files that were written, whatever an entry of another frame says.
    return {
        name: there[name]
        for name in names
        if name in there and all(_is_file(folder / there[name][key]) for key in ("image", "depth"))
    }


def _is_entry(entry: Any) -> bool:
    try:
        FrameEntry.from_dict(entry)
    except ConfigError:
        return False
    return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a damaged name may be too long
        return False


def _write(
    source: Source, number: int, *, folder: Path, names: Sequence[str], split: str | None
) -> Entry:
    """Write one frame and return its index entry."""
    sample, name = source[number], names[number]
    frame = source.frames[number]
    image = _write_image(source.image_file(number), sample, folder, name)
    is_nyu = source.is_nyu and source.options.border != "none"
    write_depth_png(_storable(sample, is_nyu), folder / f"{name}{DEPTH}")
    optional = {
        "scene": frame.scene,
        "official_number": frame.official_number,
        "dataset": NYU if is_nyu else f"border kept: {NYU}" if source.is_nyu else None,
        "points": write_points(sample, folder, name),
    }
    return frame_entry(
        name,
        sample.image_size,
        sample.intrinsics,
        split or frame.split,
        image=image,
        depth_size=list(sample.depth_size),
        **{key: value for key, value in optional.items() if value is not None},
        source_name=frame.name,
    )


def _write_image(original: Path | None, sample: RGBDSample, folder: Path, name: str) -> str:
    """Copy the image file, or write the image as PNG; returns its path in the folder."""
    written = f"{name}{original.suffix.lower() if original else '.png'}"
    with atomic_path(folder / written) as temporary:
        if original is None:
            Image.fromarray(sample.image).save(temporary)
        else:
            shutil.copyfile(original, temporary)
    return written


def _storable(sample: RGBDSample, is_nyu: bool) -> np.ndarray:
    """Positive readings in metres, without those that only the source knows to be wrong."""
    reread = valid_depth(sample.depth_m, sample.max_depth_m)
    if is_nyu and sample.depth_size == nyu.SIZE:
        reread &= nyu.inside_border(nyu.SIZE)  # the folder masks the border as well
    depth_m = np.where(reread & ~sample.valid, np.float32(0), sample.depth_m)
    return np.where(depth_m <= np.float32(LARGEST_STORED_M), depth_m, np.float32(0))


def broken_lines(conversion: Conversion, most: int = 20) -> list[str]:
    """Lines of text on the frames that were left out, at most `most` of them with the reason."""
    lines = [reason for _, reason in conversion.broken[:most]]
    if len(conversion.broken) > most:
        rest = [name for name, _ in conversion.broken[most:]]
        lines.append(f"and {len(rest)} more: {listed(rest)}")
    return lines
