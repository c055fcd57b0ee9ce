"""Pairing images and depth maps by their names, where only one pairing is possible.

A word such as `rgb` or `depth` gives the content of a file or folder; the rest of its name
identifies the frame.
"""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from spd.data.formats.timestamps import FURTHEST_PAIR_US, nearest, timestamp_us
from spd.errors import DataError, listed

Role = Literal["image", "depth", "other"]
ROLES: dict[Role, tuple[str, ...]] = {
    "other": (
        *("mask", "masks", "vis", "viz", "valid", "validity", "conf", "confidence", "normal"),
        *("normals", "label", "labels", "seg", "instance", "semantic", "semantics", "disparity"),
        *("disp", "pose", "poses", "colored", "coloured"),
    ),
    "depth": ("depth", "depths", "depthmap", "depthmaps"),
    "image": (
        *("rgb", "color", "colors", "colour", "colours", "image", "images", "img", "imgs"),
        *("photo", "photos", "picture", "pictures", "left"),
    ),
}
"""Words in names of files and folders; if a name has several, the first in this list counts."""
NEUTRAL = ("frame", "frames", "map", "maps")
"""Words that may stand before a number in one name of a pair and be missing in the other."""
DESCRIPTIONS = frozenset(
    (
        *NEUTRAL,
        *("raw", "sync", "filled", "inpainted", "dense", "sparse", "refined", "gt", "ground"),
        *("truth", "groundtruth", "input", "inputs", "output", "target", "targets", "png", "jpg"),
        *("jpeg", "npy", "npz", "tiff", "tif", "exr", "uint", "float", "bit", "mm", "m", "metres"),
        *("meters", "metric", "linear", "camera", "cam", "data", "files", "folder", "dir"),
        *("undistorted", "rectified", "sensor", "kinect", "realsense", "zed", "iphone", "ipad"),
        *("webcam", "lidar", "tof", "stereo", "ir", "resized", "scaled", "cropped", "small"),
        *("large", "full", "half", "low", "high", "lowres", "highres", "res", "resolution"),
        *("rendered", "synthetic", "original", "orig", "clean", "cleaned", "denoised", "processed"),
        *("corrected", "final", "predicted", "estimated", "annotated", "hdr", "bgr", "srgb"),
        *("video", "stream", "view", "z", "to", "in", "of", "from", "and"),
    )
)
"""Words that tell how a folder's files were made, and not which recording they belong to."""
ALIGNMENT = ("aligned", "registered", "warped", "projected", "reprojected")
"""Words of depth that was brought to the view of another camera."""
MAX_UNPAIRED_SHARE = 0.05
"""Largest share of images without a depth map near in time; above it, pairing is refused."""

_WORDS = {word: role for role, words in ROLES.items() for word in words}
_PLACES = {word: place for place, word in enumerate(_WORDS)}
_WORD = re.compile(rf"(?<![^\W\d_])(?:{'|'.join(_WORDS)})(?![^\W\d_])", re.IGNORECASE)


def role_of(name: str) -> tuple[Role | None, str]:
    """Content of a file or folder according to its name, and the rest of the name.

    `frame-01.depth` gives `("depth", "frame-01")`, and `0001` gives `(None, "0001")`.
    """
    found = min(_WORD.finditer(name), key=lambda match: _PLACES[match[0].lower()], default=None)
    if found is None:
        return None, name
    role = _WORDS[found[0].lower()]
    before, after = name[: found.start()].rstrip("._- "), name[found.end() :].lstrip("._- ")
    return role, f"{before}_{after}" if before and after else before + after


def sides(names: Iterable[str]) -> list[tuple[list[str], list[str]]]:
    """Names of images and the names of depth maps with the same rest, grouped by rest.

    Without any, the only image and the only depth map of all names are a pair, unless their rests
    name different recordings (`kitchen_rgb`, `office_depth`). What leaves a doubt stays together,
    for the caller to refuse: several images or depth maps of one rest, and depth beside the same
    depth aligned to another view.
    """
    held: dict[Role | None, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in names:
        role, rest = role_of(name)
        held[role][rest.lower()].append(name)
    images, depths = held["image"], held["depth"]
    both = [(images[rest], depths[rest]) for rest in images if rest in depths]
    if not both and sum(map(len, images.values())) == sum(map(len, depths.values())) == 1:
        both = [(next(iter(images.values())), next(iter(depths.values())))]
        both = [] if _recordings_differ(both[0][0][0], both[0][1][0]) else both
    if len(both) == 1:
        used, known = both[0]
        aligned = [n for n in itertools.chain(*depths.values()) if n not in known and _aligned(n)]
        both = [(used, known if any(map(_aligned, known)) else [*known, *aligned])]
    return both


def _recordings_differ(image: str, depth: str) -> bool:
    """Whether both names say which recording they are from, and say different ones."""
    pairs = zip(_recording(image), _recording(depth), strict=True)
    return any(first and second and first != second for first, second in pairs)


def _recording(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Words, and numbers, that tell a recording or a camera from another one."""
    text = re.sub(r"\d+[-_ ]?bit|(?:uint|float)\d+|\d+x\d+", "", name.lower())
    numbers = frozenset(int(number) for number in re.findall(r"\d+", text))
    words = (w for w in re.findall(r"[^\W\d_]+", text) if w not in DESCRIPTIONS)
    kept = (w for w in words if w not in ALIGNMENT and (w == "left" or w not in _WORDS))
    return frozenset(kept), frozenset(map(str, numbers))


def _aligned(name: str) -> bool:
    return any(word in ALIGNMENT for word in re.findall(r"[^\W\d_]+", name.lower()))


def pair(
    where: str, images: Sequence[str], depths: Sequence[str], advice: Callable[[str, str], str]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of stems, and the stems of the images that are left over.

    Stems are compared first, then rests (`rgb_1`, `depth_1`), then numbers (`1`, `frame_0001`).
    Each comparison must pair all files; otherwise images are paired with the nearest depth in time.

    Args:
        where: the source, for messages.
        images: paths of images below the source, without the extension.
        depths: paths of depth maps, likewise.
        advice: returns text on how to list the pairs, with these two files as the example.

    Raises:
        DataError: if some file has no partner, or more than one pairing is possible.
    """
    for key in (str, _rest, _number):
        left, right = _by_key(images, key), _by_key(depths, key)
        if left is not None and right is not None and left.keys() == right.keys():
            return [(left[at], right[at]) for at in left], []
    if all(_time(stem) >= 0 for stem in (*images, *depths)):
        return _pair_in_time(where, images, depths, advice)
    raise DataError(
        f"{where} has {_unpaired(images, depths)}; both files of a pair must have the same name, "
        "apart from the file extension and words such as rgb and depth. Add the missing files, "
        f"remove the unpaired ones, or {advice(*_example(images, depths))}"
    )


def _unpaired(images: Sequence[str], depths: Sequence[str]) -> str:
    """Files without a partner: by the rests of their names, or by their names if rests agree."""
    key = str if {*map(_rest, images)} == {*map(_rest, depths)} else _rest
    keys = {*map(key, images)}, {*map(key, depths)}
    alone = (
        ("image(s) without depth", [stem for stem in images if key(stem) not in keys[1]]),
        ("depth map(s) without image", [stem for stem in depths if key(stem) not in keys[0]]),
    )
    return " and ".join(f"{len(s)} {what}: {listed(sorted(s), 5)}" for what, s in alone if s)


def _example(images: Sequence[str], depths: Sequence[str]) -> tuple[str, str]:
    """An image and its depth map, or else the first two."""
    by_rest = {_rest(depth): depth for depth in reversed(depths)}
    image = next((image for image in images if _rest(image) in by_rest), images[0])
    return image, by_rest.get(_rest(image), next(iter(depths), ""))


def _by_key(stems: Sequence[str], key: Callable[[str], str | None]) -> dict[str, str] | None:
    """Stems by key; None if one has no key, or two have the same."""
    found = {at: stem for stem in stems if (at := key(stem)) is not None}
    return found if len(found) == len(stems) else None


def _rest(stem: str) -> str:
    """The path without the word for its content; capitals do not count."""
    folder, slash, name = stem.rpartition("/")
    return f"{folder}{slash}{role_of(name)[1]}".lower()


def _number(stem: str) -> str | None:
    """The path with the number at its end, without leading zeros and neutral words before it.

    The sign of a number counts, and so do the zeros of a decimal fraction: -1 is not 1, and 1.05
    is not 1.5.
    """
    match = re.fullmatch(r"(.*/)?([^/]*?)([._\- ]*)(\d+)", _rest(stem))
    if match is None:
        return None
    before, between = "" if match[2] in NEUTRAL else match[2], match[3]
    is_word = bool(match[2]) and not before[-1:].isdecimal()
    place = "" if is_word else between.replace(" ", "_")
    digits = match[4] if place == "." else str(int(match[4]))
    return f"{match[1] or ''}{before}{place}#{digits}"


def _pair_in_time(
    where: str, images: Sequence[str], depths: Sequence[str], advice: Callable[[str, str], str]
) -> tuple[list[tuple[str, str]], list[str]]:
    by_folder: dict[str, dict[int, str]] = defaultdict(dict)
    for stem in sorted(depths, key=_time):
        by_folder[_folder(stem)][_time(stem)] = stem
    times_us = {folder: list(by_time) for folder, by_time in by_folder.items()}
    nearest_to: dict[str, tuple[float, str]] = {}  # one image for each depth map, the nearest
    gaps: dict[str, float] = {}
    for stem in images:
        place = nearest(_time(stem), times_us.get(_folder(stem), ()))
        gap_us = math.inf if place is None else abs(place - _time(stem))
        if place is not None and gap_us <= FURTHEST_PAIR_US:
            depth = by_folder[_folder(stem)][place]
            nearest_to[depth] = min(nearest_to.get(depth, (math.inf, "")), (gap_us, stem))
        else:
            gaps[stem] = gap_us
    depth_of = {stem: depth for depth, (_, stem) in nearest_to.items()}
    pairs = [(stem, depth_of[stem]) for stem in images if stem in depth_of]
    if not pairs or len(gaps) > MAX_UNPAIRED_SHARE * len(images):
        worst = max(gaps, key=lambda stem: gaps[stem])
        raise DataError(
            f"{where}: {len(gaps)} of {len(images)} images have no depth map within "
            f"{FURTHEST_PAIR_US / 1e6:g} s; the largest gap is {gaps[worst] / 1e6:g} s, at "
            f"{worst}. Check that both folders come from the same recording, or "
            f"{advice(images[0], depths[0])}"
        )
    return pairs, [stem for stem in images if stem not in depth_of]


def _folder(stem: str) -> str:
    return stem.rpartition("/")[0]


def _time(stem: str) -> int:
    """Time in microseconds; -1 for a name that is not a time."""
    time_us = timestamp_us(_rest(stem).rpartition("/")[2])
    return -1 if time_us is None else time_us
