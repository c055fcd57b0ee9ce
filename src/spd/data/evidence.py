"""What the values of a source say about themselves: their unit, and whether they are depth at all.

Files seldom say what they hold. Metres read as millimetres, disparity, and 8 bits stretched to 16
train without an error and give a model that is wrong everywhere, so a few frames are looked at
before a run.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from spd.data.depth_units import watch_stored
from spd.data.sample import MAX_DEPTH_M, MIN_DEPTH_M, RGBDSample
from spd.data.source import Source
from spd.data.sources import Samples
from spd.data.straightness import straight_windows
from spd.errors import DataError
from spd.geometry import Size

DRAWN = 1024
"""Readings kept of each frame, for percentiles."""
FARTHEST_MEDIAN_M = 100.0
"""Beyond it half of a data set cannot be metres: no depth camera sees so far."""
NEAREST_MAXIMUM_M = 0.1
"""No depth camera sees so near."""
NEAR_M = 1.0
"""Of rooms and streets hardly all depth is nearer; another unit has it so."""
MIN_WINDOWS = 30
DECISIVE_SHARE = 0.85
"""Of telling windows that must agree; real frames gave 0.77 to 1 for their depth."""
MOSTLY = 0.8
"""Share of frames that must show a sign that single frames may show by chance."""
KINECT_NO_READING = 2047
KINECT_LARGEST = 1100
"""Raw 11-bit disparity of a Kinect ends here; 2047 marks its holes."""
MIN_LEVELS = 32


@dataclasses.dataclass(frozen=True, slots=True)
class FrameEvidence:
    """What one frame says."""

    name: str
    image_size: Size
    depth_size: Size
    focal_px: float | None
    fov_deg: float | None
    """Horizontal."""
    stored_type: str
    """Type of the numbers in the file."""
    pixels: int
    valid: int
    positive: int
    out_of_range: int
    """Positive readings that are not within what is trained on and scored."""
    not_a_number: int
    negative: int
    infinite: int
    drawn_m: np.ndarray
    """Some of its positive readings, valid or not."""
    for_depth: int
    """Windows that are straight as depth is on planes."""
    for_disparity: int
    stretched: bool
    """The largest value is the largest there is, and others are close below it."""
    kinect_disparity: bool
    """Looks like a Kinect's raw 11 bits."""
    eight_bit: bool
    """Every value is one of 256 even steps."""


def evidence_of(sample: RGBDSample, stored: np.ndarray | None = None) -> FrameEvidence:
    """What a sample says.

    Args:
        sample: the frame.
        stored: its depth as it was in the file; None: not known, so metres serve.
    """
    values = sample.depth_m if stored is None else stored
    finite = np.isfinite(values)
    positive_m = sample.depth_m[np.isfinite(sample.depth_m) & (sample.depth_m > 0)]
    for_depth, for_disparity = straight_windows(sample.depth_m)
    camera = sample.intrinsics
    width = sample.image_size[1]
    levels = np.unique(values[finite & (values > 0)])
    return FrameEvidence(
        name=sample.name,
        image_size=sample.image_size,
        depth_size=sample.depth_size,
        focal_px=camera.focal_px if camera else None,
        fov_deg=2 * math.degrees(math.atan(width / 2 / camera.fx)) if camera else None,
        stored_type=str(values.dtype),
        pixels=values.size,
        valid=int(sample.valid.sum()),
        positive=positive_m.size,
        out_of_range=int(((positive_m <= MIN_DEPTH_M) | (positive_m > MAX_DEPTH_M)).sum()),
        not_a_number=int(np.isnan(values).sum()),
        negative=int((values < 0).sum()),
        infinite=int(np.isinf(values).sum()),
        drawn_m=positive_m[:: max(1, positive_m.size // DRAWN)].copy(),
        for_depth=for_depth,
        for_disparity=for_disparity,
        stretched=_is_stretched(levels),
        kinect_disparity=_is_kinect_disparity(values, levels),
        eight_bit=_is_eight_bit(levels, np.unique(positive_m)),
    )


def read_evidence(source: Source, number: int) -> FrameEvidence:
    """What the frame of that number says, read from disk.

    Raises:
        DataError: if it cannot be read.
    """
    with watch_stored() as stored:
        sample = source[number]
    same = [values for values in stored if values.shape == sample.depth_size]
    return evidence_of(sample, same[-1] if same else None)


def spread(total: int, count: int) -> list[int]:
    """Up to `count` of the numbers below `total`, evenly spread, the first and last among them."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist()


def preflight(samples: Samples, count: int = 16) -> list[str]:
    """Look at a few frames of every source before a run.

    Returns:
        What a person should know of their unit, behind the name of the source.

    Raises:
        DataError: on the first source that cannot be what it is read as, saying what to do.
    """
    found = []
    for source in samples.sources:
        numbers = [number for owner, number in samples.places if owner is source]
        frames = [read_evidence(source, numbers[n]) for n in spread(len(numbers), count)]
        for problem in problems(frames):
            raise DataError(f"{source.path}: {problem}")
        note = _nearness_note(frames)
        found += [f"{source.path}: {note}"] if note else []
    return found


def problems(frames: Sequence[FrameEvidence]) -> list[str]:
    """Why these frames cannot be metric depth as they are read, with what to do; [] if they can.

    Only what is decisive counts: small frames, or rooms full of curved things, decide nothing.
    """
    if not frames:
        return []
    kinds = [_kind_problem(frames), _unit_problem(frames), _reading_problem(frames)]
    return [problem for problem in kinds if problem is not None][:1]


def notes(frames: Sequence[FrameEvidence]) -> list[str]:
    """What else is worth knowing of these frames."""
    found = []
    for count, what in (
        (sum(f.not_a_number for f in frames), "NaN"),
        (sum(f.negative for f in frames), "negative"),
        (sum(f.infinite for f in frames), "infinite"),
    ):
        if count:
            found.append(f"{count:,} value(s) are {what} and count as no reading")
    empty = [f.name for f in frames if f.valid == 0]
    if empty:
        found.append(
            f"{len(empty)} of {len(frames)} frames have no valid reading and are skipped: "
            + listed(empty)
        )
    near = _nearness_note(frames)
    return [*found, near] if near and not problems(frames) else found


def planes_say(frames: Sequence[FrameEvidence]) -> str:
    """`depth`, `disparity` or `undecided`, by what is straight on planes."""
    depth, disparity = (sum(getattr(f, kind) for f in frames) for kind in _KINDS)
    if depth + disparity < MIN_WINDOWS:
        return "undecided"
    share = depth / (depth + disparity)
    if 1 - DECISIVE_SHARE < share < DECISIVE_SHARE:
        return "undecided"
    return "depth" if share > 0.5 else "disparity"


_KINDS = ("for_depth", "for_disparity")


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few names."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _kind_problem(frames: Sequence[FrameEvidence]) -> str | None:
    def mostly(sign: str) -> bool:
        return len(frames) > 1 and np.mean([getattr(f, sign) for f in frames]) >= MOSTLY

    if mostly("kinect_disparity"):
        return (
            "depth is a Kinect's raw disparity (2047 marks its holes), not millimetres; convert "
            "it with the sensor's calibration"
        )
    if mostly("eight_bit"):
        return "depth has 256 even steps, 8-bit in disguise, which has lost its metres; get 16-bit"
    if planes_say(frames) == "disparity":
        agree, against = (sum(getattr(f, kind) for f in frames) for kind in reversed(_KINDS))
        return (
            f"values look like disparity, not depth: {agree} of {agree + against} plane windows "
            "are straight in the value itself; convert to camera z in metres first"
        )
    if mostly("stretched"):
        return (
            "the largest value of nearly every frame is the largest its type can hold: stretched "
            "frame by frame, which has lost the metres; get the depth as it was measured"
        )
    return None


def _unit_problem(frames: Sequence[FrameEvidence]) -> str | None:
    drawn_m = np.concatenate([f.drawn_m for f in frames])
    if not drawn_m.size:
        return None
    median_m, largest_m = float(np.median(drawn_m)), float(drawn_m.max())
    if median_m > FARTHEST_MEDIAN_M:
        return (
            f"half of the depth is beyond {median_m:,.0f} m: millimetres read as metres; "
            "say unit=millimetre"
        )
    if largest_m < NEAREST_MAXIMUM_M:
        return f"no depth is beyond {largest_m:.2g} m: metres read as millimetres; say unit=metre"
    beyond = float((drawn_m > MAX_DEPTH_M).mean())
    if beyond > 0.5:
        return (
            f"{beyond:.0%} of the depth is beyond {MAX_DEPTH_M:g} m, where nothing is trained on; "
            "is the unit right? say unit=, such as unit=5000 for TUM's 5000 a metre"
        )
    return None


def _nearness_note(frames: Sequence[FrameEvidence]) -> str | None:
    """Centimetres read as millimetres give a room of the size of a shoe box, which may be one."""
    drawn_m = np.concatenate([np.zeros(0, np.float32), *(f.drawn_m for f in frames)])
    if not drawn_m.size:
        return None
    far_m = float(np.percentile(drawn_m, 99))
    if far_m >= NEAR_M:
        return None
    return (
        f"99% of the depth is nearer than {far_m:.2g} m; is the unit right? if not, state it "
        "behind the source: unit=metre, or how many make a metre, such as unit=100 for centimetres"
    )


def _reading_problem(frames: Sequence[FrameEvidence]) -> str | None:
    if any(f.valid for f in frames):
        return None
    negative = sum(f.negative for f in frames) / sum(f.pixels for f in frames)
    if negative > 0.5:
        return f"{negative:.0%} of the depth is negative; camera z grows away from the camera"
    return (
        f"none of {len(frames)} frames has a reading between 1 mm and {MAX_DEPTH_M:g} m; "
        "are these the right files, and is the unit right (unit=)?"
    )


def _is_stretched(levels: np.ndarray) -> bool:
    if levels.size < MIN_LEVELS:
        return False
    whole = np.issubdtype(levels.dtype, np.integer)
    full = np.iinfo(levels.dtype).max if whole and levels.dtype.itemsize < 4 else 65535
    limit = full if whole else 1.0
    # A value far above all others would be a mark for holes instead.
    return bool(levels[-1] == limit and levels[-2] > 0.95 * limit)


def _is_kinect_disparity(values: np.ndarray, levels: np.ndarray) -> bool:
    if levels.size < MIN_LEVELS or levels[-1] != KINECT_NO_READING:
        return False
    return bool(levels[-2] < KINECT_LARGEST and np.mean(values == KINECT_NO_READING) > 0.005)


def _is_eight_bit(levels: np.ndarray, levels_m: np.ndarray) -> bool:
    if not MIN_LEVELS <= levels.size <= 256:
        return False
    if np.issubdtype(levels.dtype, np.integer) and any(
        not (levels % step).any() for step in (256, 257)
    ):
        return True
    steps_m = levels_m * (255 / MAX_DEPTH_M)  # as the copies go round: 255 is 10 m
    return bool(np.abs(steps_m - steps_m.round()).max() < 0.02)
