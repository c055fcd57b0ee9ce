"""Writing any source as an RGB-D folder: parallel, resumable, to the millimetre what it was.

Archives and tables of images are slow to read in another order, and some forms cannot be shuffled
at all; a folder can.
"""

import dataclasses
import functools
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spd.data import nyu_dataset as nyu
from spd.data.evidence import FrameEvidence, listed, problems, read_evidence, spread
from spd.data.folder import INDEX, UNIT, write_depth_png, write_index
from spd.data.forms import open_source
from spd.data.parallel import map_frames
from spd.data.sample import RGBDSample, valid_depth
from spd.data.source import Source
from spd.errors import DataError, SPDError
from spd.files import atomic_path, write_text

SETTINGS = "convert.json"
"""What a folder is being converted from, so that no other source is mixed into it."""
FINISHED = "convert.jsonl"
"""One line a finished frame while converting goes on; the index takes its place at the end."""
NYU = "NYU Depth V2"
DEPTH = ".depth.png"
LOOKED_AT = 16
"""Frames whose depth is judged before thousands are written."""
_ENDINGS = (".png", ".jpg", ".jpeg", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".h5", ".npy")

Entry = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Conversion:
    """What converting did."""

    written: int
    kept: int
    """Frames that were there already."""
    broken: list[tuple[str, str]]
    """Frames that could not be read and are left out, and why."""


def convert(
    text: str,
    folder: Path,
    *,
    split: str | None = None,
    workers: int | None = None,
    max_broken: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Conversion:
    """Write a source, `PATH[:SPLIT][,key=value]...`, as an RGB-D folder; goes on where it stopped.

    Images that are files are copied as they are, others written as PNG. Depth keeps all positive
    readings that 16-bit millimetres hold.

    Args:
        text: the source.
        folder: where to write; refused if something else is in it.
        split: what to call the frames' split, where the source has none or another name for it.
        workers: processes; by default one per core.
        max_broken: so many unreadable frames are left out; one more is an error.
        progress: told (frames done, frames in all).

    Raises:
        DataError: if the source cannot be used as it is read, the folder holds something else,
            or too many frames cannot be read. What is finished stays for the next call.
    """
    source = open_source(text)
    _refuse_nonsense(source)
    _check_settings(folder, _settings(source, text, split))
    names = _names(source, split)
    entries = _finished(folder, names)
    kept, todo = len(entries), [n for n in range(len(source)) if names[n] not in entries]
    progress(kept, len(source))
    broken: list[tuple[str, str]] = []
    work = functools.partial(_write, folder=folder, names=names, split=split)
    with (folder / FINISHED).open("a", encoding="utf-8") as journal:
        for number, result in zip(todo, map_frames(source, todo, work, workers), strict=True):
            if isinstance(result, SPDError):
                broken.append((source.frames[number].name, str(result)))
                _refuse_broken(broken, max_broken)
            else:
                entries[names[number]] = result
                journal.write(json.dumps(result) + "\n")
                journal.flush()
            progress(len(entries) + len(broken), len(source))
    write_index([entries[name] for name in names if name in entries], folder)
    (folder / FINISHED).unlink()
    return Conversion(len(entries) - kept, kept, broken)


def _refuse_nonsense(source: Source) -> None:
    """Depth that is none would only be noticed after hours; frames that are broken come later."""
    numbers = spread(len(source), LOOKED_AT)
    looked = map_frames(source, numbers, read_evidence, workers=1)
    for problem in problems([found for found in looked if isinstance(found, FrameEvidence)]):
        raise DataError(f"{source.path}: {problem}")


def _refuse_broken(broken: Sequence[tuple[str, str]], most: int) -> None:
    if len(broken) > most:
        raise DataError(
            f"{len(broken)} frame(s) cannot be read, allowed are {most} (--max-broken): "
            f"{broken[-1][1]}; finished frames are kept"
        )


def _settings(source: Source, text: str, split: str | None) -> dict[str, Any]:
    names = "\n".join(f"{frame.split}\t{frame.name}" for frame in source.frames)
    return {
        "source": str(source.path.resolve()) if source.path.exists() else text,
        "source_split": source.split,
        "options": {k: v for k, v in source.options.to_dict().items() if v is not None},
        "split": split,
        "frames": len(source),
        "names_sha256": hashlib.sha256(names.encode()).hexdigest(),
    }


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    path = folder / SETTINGS
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} is not an empty folder; choose another")
        write_text(path, json.dumps(settings, indent=1) + "\n")
        return
    found = _json(path.read_text(encoding="utf-8"))
    for key, wanted in settings.items():
        given = found.get(key) if isinstance(found, dict) else None
        if given != wanted:
            raise DataError(
                f"{folder} was converted with {key} {given!r}, asked for {wanted!r}; "
                "choose another folder"
            )


def _names(source: Source, split: str | None) -> list[str]:
    """What the frames are called in the folder: their own names as safe, distinct paths."""
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
    """Entries of the frames that are there, from the index or the lines of an earlier call."""
    entries: list[Any] = []
    if (folder / INDEX).is_file():
        entries += _json((folder / INDEX).read_text(encoding="utf-8")) or []
    if (folder / FINISHED).is_file():  # its last line may be cut off
        lines = (folder / FINISHED).read_text(encoding="utf-8", errors="replace").splitlines()
        entries += [_json(line) for line in lines]
    there = {
        str(entry.get("depth")).removesuffix(DEPTH): entry
        for entry in entries
        if isinstance(entry, dict)
        and all((folder / str(entry.get(key))).is_file() for key in ("image", "depth"))
    }
    return {name: there[name] for name in names if name in there}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _write(
    source: Source, number: int, *, folder: Path, names: Sequence[str], split: str | None
) -> Entry:
    """Write one frame; returns its entry of the index."""
    sample, name = source[number], names[number]
    frame = source.frames[number]
    image = _write_image(source.image_file(number), sample, folder, name)
    border_kept = source.options.border == "none"
    is_nyu = source.is_nyu and not border_kept
    write_depth_png(_storable(sample, is_nyu), folder / f"{name}{DEPTH}")
    camera = sample.intrinsics
    entry = {
        "image": image,
        "depth": f"{name}{DEPTH}",
        "depth_unit": UNIT,
        "intrinsics": dataclasses.asdict(camera) if camera else None,
        "split": split or frame.split,
        "image_size": list(sample.image_size),
        "depth_size": list(sample.depth_size),
        "scene": frame.scene,
        "official_number": frame.official_number,
        "dataset": NYU if is_nyu else f"border kept: {NYU}" if source.is_nyu else None,
        "points": _write_points(sample, folder, name),
        "source_name": frame.name,
    }
    optional = ("scene", "official_number", "dataset", "points")
    return {k: v for k, v in entry.items() if v is not None or k not in optional}


def _write_image(original: Path | None, sample: RGBDSample, folder: Path, name: str) -> str:
    """Copy the file, or write a PNG where the image is in none; returns its path in the folder."""
    written = f"{name}{original.suffix.lower() if original else '.png'}"
    with atomic_path(folder / written) as temporary:
        if original is None:
            Image.fromarray(sample.image).save(temporary)
        else:
            shutil.copyfile(original, temporary)
    return written


def _storable(sample: RGBDSample, is_nyu: bool) -> np.ndarray:
    """Positive readings, less those that only the source knows to be wrong."""
    reread = valid_depth(sample.depth_m)
    if is_nyu and sample.depth_size == nyu.SIZE:
        reread &= nyu.inside_border(nyu.SIZE)  # as the folder masks it
    depth_m = np.where(reread & ~sample.valid, np.float32(0), sample.depth_m)
    return np.where(depth_m <= np.float32(65.535), depth_m, np.float32(0))


def _write_points(sample: RGBDSample, folder: Path, name: str) -> str | None:
    points = getattr(sample, "exact_points", None)
    if points is None:
        return None
    with atomic_path(folder / f"{name}.points.npy") as temporary:
        np.save(temporary, points)
    return f"{name}.points.npy"


def broken_lines(conversion: Conversion, most: int = 20) -> list[str]:
    """Frames that were left out, for people."""
    lines = [reason for _, reason in conversion.broken[:most]]
    if len(conversion.broken) > most:
        rest = [name for name, _ in conversion.broken[most:]]
        lines.append(f"and {len(rest)} more: {listed(rest)}")
    return lines
