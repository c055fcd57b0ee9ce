"""Looking at a source before anything is built on it: its form, numbers, what is wrong."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from spd.data.evidence import (
    FrameEvidence,
    listed,
    notes,
    planes_say,
    problems,
    read_evidence,
    spread,
)
from spd.data.forms import open_source
from spd.data.overlap import find_same_images, official_test_names
from spd.data.parallel import map_frames
from spd.data.sample import MAX_DEPTH_M, MIN_DEPTH_M
from spd.data.source import Source
from spd.data.source_notes import source_notes
from spd.data.sources import Samples, open_samples
from spd.errors import SPDError
from spd.geometry import Size

SAMPLED = 32
"""Frames that are read where not all are."""
PERCENTILES = (1, 50, 99)
_KEPT = 8  # of all frames' readings, every eighth, so that 50,000 frames fit in memory

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, slots=True)
class CheckReport:
    """What `spd data check` found."""

    source: str
    """As the user wrote it."""
    form: str
    recognised_by: str
    frames: int
    splits: dict[str, int]
    """Frames of each; those without one are under `-`."""
    scenes: int
    without_focal_length: int
    frames_read: int
    image_sizes: dict[str, int]
    """`HEIGHTxWIDTH`: frames that were read."""
    depth_sizes: dict[str, int]
    stored: str
    """How depth is stored, and the unit it is read in."""
    stored_types: list[str]
    kind: str
    """What the planes in it speak for: depth, disparity, undecided."""
    valid_share: float | None
    no_reading_share: float | None
    out_of_range_share: float | None
    """Readings that are not within 1 mm to 10 m."""
    border_share: float | None
    """Readings within that range in a border that is left out (NYU's)."""
    percentiles_m: dict[str, float] | None
    """Of all positive readings."""
    focal_px: list[float]
    """The smallest and the largest, or the only one."""
    fov_deg: list[float]
    """Horizontal, likewise."""
    problems: list[str]
    """Why it cannot be used as it is, with what to do."""
    notes: list[str]
    """What else is worth knowing."""
    broken: list[tuple[str, str]]
    """Frames that cannot be read, and why."""

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.problems and not self.broken

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"usable": self.usable, **dataclasses.asdict(self)}


def check_source(
    text: str,
    against: str | None = None,
    full: bool = False,
    *,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Look at a source, written as `PATH[:SPLIT][,key=value]...`.

    Args:
        text: the source.
        against: a source it must hold no frame of, found by the images' fingerprints.
        full: read every frame, not a few spread over the source.
        workers: processes for that; None: one per core.
        progress: told (frames read, frames in all), for each of the passes.

    Raises:
        DataError: if it cannot even be opened.
    """
    source = open_source(text)
    numbers = list(range(len(source))) if full else spread(len(source), SAMPLED)
    frames, broken = _read(source, numbers, workers if full else 1, progress)
    found = problems(frames) + _focal_problems(source) + _overlap_problems(source)
    if against is not None:
        found += _compared(source, against, workers, progress)
    return CheckReport(
        source=text,
        form=source.form,
        recognised_by=_recognised_by(source),
        frames=len(source),
        splits=dict(Counter(frame.split or "-" for frame in source.frames)),
        scenes=len({frame.scene for frame in source.frames if frame.scene is not None}),
        without_focal_length=sum(not frame.has_focal for frame in source.frames),
        frames_read=len(numbers),
        problems=found,
        notes=notes(frames) + source_notes(source),
        broken=broken,
        **_numbers(source, frames),
    )


def format_check(report: CheckReport, most: int = 20) -> str:
    """The report for people."""
    lines = [f"{report.source}: {report.form} ({report.recognised_by})"]
    lines += [f"  {name:13} {text}" for name, text in _rows(report)]
    lines += [f"  note: {text}" for text in report.notes]
    lines += [f"  problem: {text}" for text in report.problems]
    lines += [f"  broken: {reason}" for _, reason in report.broken[:most]]
    if len(report.broken) > most:
        lines.append(f"  broken: {len(report.broken) - most} more")
    return "\n".join([*lines, "usable" if report.usable else "not usable as it is"])


def _rows(report: CheckReport) -> list[tuple[str, str]]:
    splits = ", ".join(f"{name} {count:,}" for name, count in report.splits.items() if name != "-")
    scenes = f", of {report.scenes:,} scenes" if report.scenes else ""
    read = "all" if report.frames_read == report.frames else f"{report.frames_read:,}"
    rows = [
        ("frames", f"{report.frames:,}{f' ({splits})' if splits else ''}{scenes}; {read} read"),
        ("images", _tally(report.image_sizes)),
        (
            "depth",
            f"{_tally(report.depth_sizes)}; {report.stored}; {', '.join(report.stored_types)}",
        ),
        ("planes say", report.kind),
    ]
    if report.percentiles_m is not None:
        shown = " / ".join(f"{value:.2f}" for value in report.percentiles_m.values())
        rows.append(("range", f"{shown} m (1st, 50th, 99th percentile)"))
    if report.valid_share is not None:
        rows.append(("readings", _shares(report)))
    focal = "unknown"
    if report.focal_px:
        focal = (
            f"{' to '.join(f'{value:.1f}' for value in report.focal_px)} px, "
            f"{' to '.join(f'{value:.1f}' for value in report.fov_deg)} degrees wide"
        )
    if report.without_focal_length:
        focal += f"; {report.without_focal_length:,} frames have none: say focal_px= or camera=nyu"
    return [*rows, ("focal length", focal)]


def _shares(report: CheckReport) -> str:
    """What becomes of all pixels of the depth maps; together 100 %."""
    unused = {
        "holes": report.no_reading_share,
        f"outside {MIN_DEPTH_M * 1e3:g} mm to {MAX_DEPTH_M:g} m": report.out_of_range_share,
        "in the border, which is left out": report.border_share,
    }
    shown = [f"{share:.1%} {what}" for what, share in unused.items() if share or what == "holes"]
    return ", ".join([f"{report.valid_share:.1%} valid", *shown])


def _read(
    source: Source, numbers: Sequence[int], workers: int | None, progress: Progress
) -> tuple[list[FrameEvidence], list[tuple[str, str]]]:
    frames, broken = [], []
    results = map_frames(source, numbers, read_evidence, workers)
    for done, (number, result) in enumerate(zip(numbers, results, strict=True), 1):
        if isinstance(result, SPDError):
            broken.append((source.frames[number].name, str(result)))
        else:
            frames.append(result)
            if len(numbers) > SAMPLED:
                frames[-1] = dataclasses.replace(result, drawn_m=result.drawn_m[::_KEPT])
        progress(done, len(numbers))
    return frames, broken


def _numbers(source: Source, frames: Sequence[FrameEvidence]) -> dict[str, Any]:
    """The fields of a report that come from the frames that were read."""
    pixels, valid, positive, out_of_range = (
        sum(getattr(frame, name) for frame in frames)
        for name in ("pixels", "valid", "positive", "out_of_range")
    )
    drawn_m = np.concatenate([np.zeros(0, np.float32), *(frame.drawn_m for frame in frames)])
    focal = [(f.focal_px, f.fov_deg) for f in frames if f.focal_px is not None and f.fov_deg]
    return {
        "image_sizes": _sizes(frame.image_size for frame in frames),
        "depth_sizes": _sizes(frame.depth_size for frame in frames),
        "stored": source.stored,
        "stored_types": sorted({frame.stored_type for frame in frames}),
        "kind": planes_say(frames),
        "valid_share": valid / pixels if pixels else None,
        "no_reading_share": 1 - positive / pixels if pixels else None,
        "out_of_range_share": out_of_range / pixels if pixels else None,
        "border_share": (positive - out_of_range - valid) / pixels if pixels else None,
        "percentiles_m": _percentiles(drawn_m),
        "focal_px": _ends([px for px, _ in focal]),
        "fov_deg": _ends([deg for _, deg in focal]),
    }


def _percentiles(drawn_m: np.ndarray) -> dict[str, float] | None:
    if not drawn_m.size:
        return None
    values = np.percentile(drawn_m, PERCENTILES)
    return {str(p): round(float(v), 4) for p, v in zip(PERCENTILES, values, strict=True)}


def _sizes(sizes: Iterable[Size]) -> dict[str, int]:
    return {f"{h}x{w}": count for (h, w), count in Counter(sizes).most_common()}


def _tally(sizes: dict[str, int]) -> str:
    if len(sizes) == 1:
        return next(iter(sizes))
    return ", ".join(f"{size} ({count:,})" for size, count in sizes.items()) or "none read"


def _ends(values: Sequence[float]) -> list[float]:
    return sorted({round(end, 2) for end in (min(values), max(values))}) if values else []


def _recognised_by(source: Source) -> str:
    if source.options.form is not None:
        return "as was said"
    found = type(source).recognise(source.path) if source.path.exists() else None
    return found or "by its name"


def _focal_problems(source: Source) -> list[str]:
    if any(frame.has_focal for frame in source.frames):
        return []
    return [
        "no frame has a focal length, so none can be trained on or scored; say focal_px= or "
        "camera=nyu"
    ]


def _overlap_problems(source: Source) -> list[str]:
    """Test frames among those that say they are for training."""
    named = set(official_test_names(source))
    leaked = [f for f in source.frames if f.split == "train" and f.name in named]
    if not leaked:
        return []
    numbered = any(frame.official_number is not None for frame in leaked)
    scenes = sorted({frame.scene for frame in leaked if frame.scene is not None})
    whose = (
        "NYU's official test set"
        if numbered
        else f"scenes that NYU does not train on ({listed(scenes)})"
    )
    return [
        f"{len(leaked)} frame(s) of split 'train' are of {whose}: "
        f"{listed([frame.name for frame in leaked])}; take them out"
    ]


def _compared(source: Source, against: str, workers: int | None, progress: Progress) -> list[str]:
    test = open_samples([against])
    try:
        same = find_same_images(Samples([source]), test, workers=workers, progress=progress)
    except SPDError as error:
        return [f"could not be compared with {against}: {error}"]
    return [] if same is None else [f"{same}; take them out before training"]
