"""`spd data check`: format, statistics and problems of a source before it is used."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spd.data.evidence import (
    FrameEvidence,
    depth_or_disparity,
    drawn_depth,
    evenly_spread,
    notes,
    problems,
    read_evidence,
)
from spd.data.formats import open_source, recognise
from spd.data.overlap import find_same_images, official_findings, official_test_frames
from spd.data.parallel import Progress, map_frames
from spd.data.sample import MIN_DEPTH_M
from spd.data.source import Source
from spd.data.source_notes import source_notes
from spd.data.sources import Samples, open_samples
from spd.errors import SPDError, counted
from spd.pixels import Size

SAMPLED = 32
"""Number of frames that are read unless all are."""
PERCENTILES = (1, 50, 99)
_KEEP_EVERY = 8  # readings kept of all frames: every eighth, so that 50,000 frames fit in memory


@dataclasses.dataclass(frozen=True, slots=True)
class CheckReport:
    """Result of `spd data check`."""

    source: str
    """The source as the user wrote it."""
    format: str
    recognised_by: str
    """Evidence for the format."""
    frames: int
    splits: dict[str, int]
    """Frames by split; `-` for those without one."""
    scenes: int
    without_focal_length: int
    frames_read: int
    image_sizes: dict[str, int]
    """Frames read, by `HEIGHTxWIDTH` of the image."""
    depth_sizes: dict[str, int]
    """Frames read, by `HEIGHTxWIDTH` of the depth map."""
    stored: str
    """Type and unit of the stored depth."""
    stored_types: list[str]
    kind: str
    """`depth`, `disparity` or `undecided`, from the planes in the frames."""
    valid_share: float | None
    no_reading_share: float | None
    out_of_range_share: float | None
    """Share of readings outside 1 mm to `max_depth_m`."""
    border_share: float | None
    """Share of readings in that range inside the masked border (NYU's)."""
    percentiles_m: dict[str, float] | None
    """Percentiles of all positive readings in metres."""
    focal_px: list[float]
    """Smallest and largest focal length in pixels, or the only one."""
    fov_deg: list[float]
    """Smallest and largest horizontal field of view in degrees, or the only one."""
    problems: list[str]
    """Reasons why the source cannot be used as it is, with what to do."""
    notes: list[str]
    """Remarks that are no reason to refuse the source."""
    broken: list[tuple[str, str]]
    """Names of unreadable frames, each with the reason."""
    max_depth_m: float
    """Largest depth that is trained on and scored, in metres."""

    @property
    def usable(self) -> bool:
        """Whether no problem was found and every frame could be read."""
        return not self.problems and not self.broken

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON data."""
        return {"usable": self.usable, **dataclasses.asdict(self)}


def check_source(
    text: str,
    against: str | None = None,
    full: bool = False,
    *,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Check a source, written as `PATH[:SPLIT][,key=value]...`.

    Images of the test data `against` must not occur in the source. With `full`, every frame is
    read instead of a few spread over the source. Both take `workers` processes; None: one per core.

    Raises:
        DataError: if the source cannot be opened.
    """
    source = open_source(text)
    numbers = list(range(len(source))) if full else evenly_spread(len(source), SAMPLED)
    frames, broken = _read(source, numbers, workers if full else 1, progress)
    found = problems(frames) + _focal_problems(source) + _overlap_problems(source)
    if against is not None:
        found += _compare(source, against, workers, progress)
    return CheckReport(
        source=text,
        format=source.format,
        recognised_by=_recognised_by(source),
        frames=len(source),
        splits=dict(Counter(frame.split or "-" for frame in source.frames)),
        scenes=len({frame.scene for frame in source.frames if frame.scene is not None}),
        without_focal_length=sum(not frame.has_focal for frame in source.frames),
        frames_read=len(numbers),
        problems=found,
        notes=notes(frames) + source_notes(source),
        broken=broken,
        max_depth_m=source.max_depth_m,
        **_statistics(source, frames),
    )


def format_check(report: CheckReport, most: int = 20) -> str:
    """Format the report as text, with at most `most` broken frames."""
    lines = [f"{report.source}: {report.format} ({report.recognised_by})"]
    lines += [f"  {name:13} {text}" for name, text in _rows(report)]
    lines += [f"  note: {text}" for text in report.notes]
    lines += [f"  problem: {text}" for text in report.problems]
    lines += [f"  broken: {reason}" for _, reason in report.broken[:most]]
    if len(report.broken) > most:
        lines.append(f"  broken: {len(report.broken) - most} more")
    return "\n".join([*lines, "usable" if report.usable else "not usable as it is"])


def _rows(report: CheckReport) -> list[tuple[str, str]]:
    splits = ", ".join(f"{name} {count:,}" for name, count in report.splits.items() if name != "-")
    scenes = f", {counted(report.scenes, 'scene')}" if report.scenes else ""
    read = "all" if report.frames_read == report.frames else f"{report.frames_read:,}"
    types = ", ".join(report.stored_types)
    rows = [
        ("frames", f"{report.frames:,}{f' ({splits})' if splits else ''}{scenes}; {read} read"),
        ("images", _tally(report.image_sizes)),
        ("depth", f"{_tally(report.depth_sizes)}; {report.stored}; {types}"),
        ("looks like", report.kind),
    ]
    if report.percentiles_m is not None:
        shown = " / ".join(f"{value:.2f}" for value in report.percentiles_m.values())
        rows.append(("range", f"{shown} m (1st, 50th, 99th percentile)"))
    if report.valid_share is not None:
        rows.append(("pixels", _shares(report)))
    focal = "unknown"
    if report.focal_px:
        focal = (
            f"{' to '.join(f'{value:.1f}' for value in report.focal_px)} px, horizontal "
            f"field of view {' to '.join(f'{value:.1f}' for value in report.fov_deg)} degrees"
        )
    if report.without_focal_length:
        count = f"{report.without_focal_length:,}"
        focal += f"; {count} frames have no focal length: pass focal_px= or camera=nyu"
    return [*rows, ("focal length", focal)]


def _shares(report: CheckReport) -> str:
    """Shares of all depth pixels, together 100 %."""
    unused = {
        "holes": report.no_reading_share,
        f"outside {MIN_DEPTH_M * 1e3:g} mm to {report.max_depth_m:g} m": report.out_of_range_share,
        "in the masked border": report.border_share,
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
                frames[-1] = dataclasses.replace(result, drawn_m=result.drawn_m[::_KEEP_EVERY])
        progress(done, len(numbers))
    return frames, broken


def _statistics(source: Source, frames: Sequence[FrameEvidence]) -> dict[str, Any]:
    """Fields of the report that come from the frames that were read."""
    pixels, valid, positive, out_of_range = (
        sum(getattr(frame, name) for frame in frames)
        for name in ("pixels", "valid", "positive", "out_of_range")
    )
    focal = [(f.focal_px, f.fov_deg) for f in frames if f.focal_px is not None and f.fov_deg]
    return {
        "image_sizes": _sizes(frame.image_size for frame in frames),
        "depth_sizes": _sizes(frame.depth_size for frame in frames),
        "stored": source.stored,
        "stored_types": sorted({frame.stored_type for frame in frames}),
        "kind": depth_or_disparity(frames),
        "valid_share": valid / pixels if pixels else None,
        "no_reading_share": 1 - positive / pixels if pixels else None,
        "out_of_range_share": out_of_range / pixels if pixels else None,
        "border_share": (positive - out_of_range - valid) / pixels if pixels else None,
        "percentiles_m": _percentiles(drawn_depth(frames)),
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
    if source.options.format is not None:
        return "format given by the user"
    found = recognise(source.path).get(type(source)) if source.path.exists() else None
    return found or "recognised by its name"


def _focal_problems(source: Source) -> list[str]:
    problem = (
        "no frame has a focal length, so the data cannot be used for training or evaluation; "
        "pass focal_px= or camera=nyu"
    )
    return [] if any(frame.has_focal for frame in source.frames) else [problem]


def _overlap_problems(source: Source) -> list[str]:
    """Official test frames in the split `train`."""
    leaked = [(f.name, f) for f in official_test_frames(source) if f.split == "train"]
    found = official_findings("frame(s) of split 'train'", leaked)
    return [f"{finding}; remove them" for finding in found]


def _compare(source: Source, against: str, workers: int | None, progress: Progress) -> list[str]:
    test = open_samples([against])
    try:
        found = find_same_images(Samples([source]), test, workers=workers, progress=progress)
    except SPDError as error:
        return [f"the images cannot be compared with {against}: {error}"]
    return [f"{finding}; remove them before training" for finding in found]
