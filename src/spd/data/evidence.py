"""Checks of depth values: their unit, and whether they are metric depth at all.

Files seldom state what they hold. Metres read as millimetres, disparity, and 8 bits stretched to 16
train without an error and give a useless model, so a few frames are checked before a run.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from spd.data.depth_units import watch_stored
from spd.data.ray_length import frame_power, range_problem
from spd.data.sample import MAX_DEPTH_M, MIN_DEPTH_M, RGBDSample
from spd.data.source import Source
from spd.data.sources import Samples
from spd.data.straightness import straight_windows
from spd.data.turned import gain_as_stored, turned_problem
from spd.errors import DataError, listed
from spd.pixels import Size

DRAWN = 1024
"""Readings of each frame that percentiles are computed from."""
MAX_MEDIAN_M = 100.0
"""Largest plausible median: no depth camera reaches that far."""
MIN_MAXIMUM_M = 0.1
"""Smallest plausible maximum: no depth camera works that close."""
NEAR_M = 1.0
"""Distance that rooms and streets mostly exceed; depth that does not may be in another unit."""
MIN_WINDOWS = 30
"""Smallest number of windows that can decide between depth and disparity."""
DECISIVE_SHARE = 0.85
"""Share of windows that must agree; real frames gave 0.77 to 1 for their depth."""
MOSTLY = 0.8
"""Share of frames that must show a sign that single frames may show by chance."""
KINECT_NO_READING = 2047
"""Value of a hole in a Kinect's raw 11-bit disparity."""
KINECT_LARGEST = 1100
"""Upper end of the other values of a Kinect's raw disparity."""
NOTED_BEYOND = 0.1
"""Share of readings beyond the largest valid depth that is worth a note."""
_CEILING_ABOVE = 5  # how much more common it is than any other value
CEILING_SHARE = 0.02
"""Share of a frame's readings with exactly its largest value; 273 real frames gave up to 0.002."""
MIN_LEVELS = 32
"""Smallest number of different values that a conclusion can rest on."""


@dataclasses.dataclass(frozen=True, slots=True)
class FrameEvidence:
    """Statistics and signs of one frame."""

    name: str
    image_size: Size
    depth_size: Size
    focal_px: float | None
    fov_deg: float | None
    """Horizontal field of view in degrees."""
    stored_type: str
    """Type of the numbers in the file."""
    pixels: int
    valid: int
    positive: int
    out_of_range: int
    """Number of positive readings outside the range that is trained on and scored."""
    not_a_number: int
    negative: int
    infinite: int
    drawn_m: np.ndarray
    """Some of the positive readings in metres, valid or not."""
    for_depth: int
    """Number of windows that indicate depth."""
    for_disparity: int
    """Number of windows that indicate disparity."""
    stretched: bool
    """Whether the largest value is the largest of its type, with others close below it."""
    kinect_disparity: bool
    """Whether the values look like a Kinect's raw 11-bit disparity."""
    eight_bit: bool
    """Whether every value is one of 256 even steps."""
    max_depth_m: float = MAX_DEPTH_M
    """Largest depth that is trained on and scored."""
    orientation: int = 1
    """EXIF orientation that the image was turned by; 1: as stored."""
    gain_as_stored: float | None = None
    """Gain in fit of the depth if its image were not turned (`spd.data.turned`); None: unknown."""
    ray_power: float | None = None
    """About 0 for camera z and 1 for ray length (`spd.data.ray_length`); None: unknown."""


def evidence_of(sample: RGBDSample, stored: np.ndarray | None = None) -> FrameEvidence:
    """Evidence from one sample; its depth in the type of the file, where known, is `stored`."""
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
        out_of_range=int(((positive_m <= MIN_DEPTH_M) | (positive_m > sample.max_depth_m)).sum()),
        not_a_number=int(np.isnan(values).sum()),
        negative=int((values < 0).sum()),
        infinite=int(np.isinf(values).sum()),
        drawn_m=positive_m[:: max(1, positive_m.size // DRAWN)].copy(),
        for_depth=for_depth,
        for_disparity=for_disparity,
        stretched=_is_stretched(levels),
        kinect_disparity=_is_kinect_disparity(values, levels),
        eight_bit=_is_eight_bit(levels, np.unique(positive_m)),
        max_depth_m=sample.max_depth_m,
        orientation=sample.orientation,
        gain_as_stored=gain_as_stored(sample),
        ray_power=frame_power(sample.depth_m, camera, sample.image_size),
    )


def read_evidence(source: Source, number: int) -> FrameEvidence:
    """Read a frame and return its evidence.

    Raises:
        DataError: if it cannot be read.
    """
    with watch_stored() as stored:
        sample = source[number]
    same = [values for values in stored if values.shape == sample.depth_size]
    return evidence_of(sample, same[-1] if same else None)


def evenly_spread(total: int, count: int) -> list[int]:
    """Up to `count` of the numbers below `total`, evenly spread, with the first and the last."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int)).tolist()


def preflight(samples: Samples, count: int = 16) -> list[str]:
    """Check a few frames of every source before a run.

    Returns:
        Remarks on the unit, each behind the name of its source.

    Raises:
        DataError: on the first source whose values cannot be metric depth, with what to do.
    """
    found = []
    for source, own in samples.of_sources:
        chosen = (samples.places[own[n]][1] for n in evenly_spread(len(own), count))
        frames = [read_evidence(source, number) for number in chosen]
        for problem in problems(frames):
            raise DataError(f"{source.path}: {problem}")
        found += [f"{source.path}: {note}" for note in _distance_notes(frames)]
    return found


def problems(frames: Sequence[FrameEvidence]) -> list[str]:
    """The first reason why these frames cannot be metric depth, with what to do; [] without any.

    Only clear evidence counts; small frames, or rooms full of curved things, decide nothing.
    """
    if not frames:
        return []
    found = [
        _kind_problem(frames),
        _unit_problem(frames),
        _reading_problem(frames),
        turned_problem([(f.orientation, f.gain_as_stored) for f in frames]),
        range_problem([f.ray_power for f in frames]),
    ]
    return [problem for problem in found if problem is not None][:1]


def notes(frames: Sequence[FrameEvidence]) -> list[str]:
    """Remarks on these frames that are no reason to refuse them."""
    signs = {"NaN": "not_a_number", "negative": "negative", "infinite": "infinite"}
    counts = {kind: sum(getattr(f, name) for f in frames) for kind, name in signs.items()}
    found = [
        f"{n:,} depth value(s) are {what} and are treated as holes"
        for what, n in counts.items()
        if n
    ]
    empty = [f.name for f in frames if f.valid == 0]
    if empty:
        found.append(
            f"{len(empty)} of {len(frames)} frames have no valid depth and are skipped: "
            + listed(empty)
        )
    return found if problems(frames) else found + _distance_notes(frames)


def depth_or_disparity(frames: Sequence[FrameEvidence]) -> str:
    """`depth`, `disparity` or `undecided`, from the windows on planes."""
    depth, disparity = sum(f.for_depth for f in frames), sum(f.for_disparity for f in frames)
    share = depth / max(depth + disparity, 1)
    if depth + disparity < MIN_WINDOWS or 1 - DECISIVE_SHARE < share < DECISIVE_SHARE:
        return "undecided"
    return "depth" if share > 0.5 else "disparity"


def _kind_problem(frames: Sequence[FrameEvidence]) -> str | None:
    def mostly(sign: str) -> bool:
        return len(frames) > 1 and np.mean([getattr(f, sign) for f in frames]) >= MOSTLY

    if mostly("kinect_disparity"):
        return (
            "depth is raw Kinect disparity (2047 marks holes), not millimetres; convert it to "
            "depth with the sensor's calibration"
        )
    if mostly("eight_bit"):
        return "depth has only 256 evenly spaced values (8 bits); use the original 16-bit depth"
    if depth_or_disparity(frames) == "disparity":
        agree = sum(f.for_disparity for f in frames)
        return (
            f"values look like disparity, not depth: in {agree} of "
            f"{agree + sum(f.for_depth for f in frames)} windows on planes, the values themselves "
            "vary linearly across the image; convert them to camera z in metres first"
        )
    if mostly("stretched"):
        return (
            "in nearly every frame, the largest value is the maximum of the data type: each frame "
            "was rescaled to the full range, so its metric scale is lost; use the original depth"
        )
    return None


def drawn_depth(frames: Sequence[FrameEvidence]) -> np.ndarray:
    """Some positive readings of all frames in metres."""
    return np.concatenate([np.zeros(0, np.float32), *(f.drawn_m for f in frames)])


def _unit_problem(frames: Sequence[FrameEvidence]) -> str | None:
    drawn_m = drawn_depth(frames)
    if not drawn_m.size:
        return None
    median_m, largest_m = float(np.median(drawn_m)), float(drawn_m.max())
    cap_m = max(f.max_depth_m for f in frames)
    if median_m > max(MAX_MEDIAN_M, cap_m):
        return (
            f"half of the depth is beyond {median_m:,.0f} m: millimetres were read as metres; "
            "pass unit=millimetre"
        )
    if largest_m < MIN_MAXIMUM_M:
        return (
            f"all depth is below {largest_m:.2g} m: metres were read as millimetres; "
            "pass unit=metre"
        )
    beyond = float((drawn_m > cap_m).mean())
    if beyond > 0.5:
        return (
            f"{beyond:.0%} of the depth is beyond {cap_m:g} m and would be ignored in training; is "
            "the unit correct? if not, pass unit=, such as unit=5000 for TUM's 5000 units per "
            f"metre; if it is, pass {_larger_cap(drawn_m)} to train and score up to there"
        )
    return None


def _larger_cap(drawn_m: np.ndarray) -> str:
    """The option with a cap that nearly all depth is below, rounded up to ten metres."""
    return f"max_depth_m={10 * math.ceil(float(np.percentile(drawn_m, 99)) / 10)}"


def _distance_notes(frames: Sequence[FrameEvidence]) -> list[str]:
    """Remark on very near depth, which may be centimetres, and on depth beyond the cap."""
    drawn_m = drawn_depth(frames)
    if not drawn_m.size:
        return []
    ceiling = _ceiling_note(frames)
    if ceiling is not None:
        return [ceiling]
    cap_m = max(f.max_depth_m for f in frames)
    beyond = float((drawn_m > cap_m).mean())
    if beyond > NOTED_BEYOND:
        return [
            f"{beyond:.0%} of the depth is beyond {cap_m:g} m and is not used; "
            f"{_larger_cap(drawn_m)} uses it"
        ]
    far_m = float(np.percentile(drawn_m, 99))
    if far_m >= NEAR_M:
        return []
    return [
        f"99% of the depth is nearer than {far_m:.2g} m; is the unit correct? if not, pass "
        "unit=metre or the number of stored units per metre, such as unit=100 for centimetres"
    ]


def _ceiling_note(frames: Sequence[FrameEvidence]) -> str | None:
    """Remark on one largest value that many readings have, as holes or clipped depth do."""
    shares: dict[float, list[float]] = {}
    for frame in frames:
        levels_m, counts = np.unique(frame.drawn_m, return_counts=True)
        # Of a few coarse levels every one is common, the largest too.
        if levels_m.size < MIN_LEVELS or counts[-1] < _CEILING_ABOVE * counts[:-1].max():
            continue
        share = float(counts[-1] / counts.sum())
        if share >= CEILING_SHARE:
            shares.setdefault(float(levels_m[-1]), []).append(share)
    largest_m, found = max(shares.items(), key=lambda item: len(item[1]), default=(0.0, []))
    if len(found) < max(2, len(frames) / 2):
        return None
    return (
        f"{np.mean(found):.0%} of the readings of {len(found)} frames are exactly {largest_m:g} m, "
        "and none is larger; if that value marks holes or depth that was cut off, store 0 instead"
    )


def _reading_problem(frames: Sequence[FrameEvidence]) -> str | None:
    if any(f.valid for f in frames):
        return None
    negative = sum(f.negative for f in frames) / sum(f.pixels for f in frames)
    if negative > 0.5:
        return f"{negative:.0%} of the depth is negative; camera z must be positive"
    return (
        f"none of {len(frames)} frames has depth between 1 mm and "
        f"{max(f.max_depth_m for f in frames):g} m; are these the correct files, and is the unit "
        "(unit=) correct?"
    )


def _is_stretched(levels: np.ndarray) -> bool:
    if levels.size < MIN_LEVELS:
        return False
    whole = np.issubdtype(levels.dtype, np.integer)
    full = np.iinfo(levels.dtype).max if whole and levels.dtype.itemsize < 4 else 65535
    limit = full if whole else 1.0
    # A value far above all others would mark holes instead.
    return bool(levels[-1] == limit and levels[-2] > 0.95 * limit)


def _is_kinect_disparity(values: np.ndarray, levels: np.ndarray) -> bool:
    if levels.size < MIN_LEVELS or levels[-1] != KINECT_NO_READING:
        return False
    return bool(levels[-2] < KINECT_LARGEST and np.mean(values == KINECT_NO_READING) > 0.005)


def _is_eight_bit(levels: np.ndarray, levels_m: np.ndarray) -> bool:
    if not MIN_LEVELS <= levels.size <= 256:
        return False
    whole = np.issubdtype(levels.dtype, np.integer)
    if whole and not all((levels % step).any() for step in (256, 257)):
        return True
    steps_m = levels_m * (255 / MAX_DEPTH_M)  # published 8-bit copies store 10 m as 255
    return bool(np.abs(steps_m - steps_m.round()).max() < 0.02)
