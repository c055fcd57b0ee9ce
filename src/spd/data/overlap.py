"""Whether training data holds what a model is tested on: by number, by scene, by sight.

NYU Depth V2 goes round in many forms, some with splits of their own. Where a form keeps official
numbers or scene names they decide; where it keeps neither, fingerprints of the images do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import UInt64
from PIL import Image

from spd.data import nyu_dataset as nyu
from spd.data.evidence import listed
from spd.data.parallel import map_frames
from spd.data.source import Source
from spd.data.sources import Samples
from spd.errors import DataError, SPDError
from spd.photos.reading import RGBImage

MARGIN = 0.04
"""Of every side, left out of a fingerprint: NYU's border is white or black, by the form."""
SAME_IMAGE_BITS = 24
"""Of 256 that may differ. Real frames after JPEG at a quarter of their size differed by up to 18,
frames of different scenes by at least 96, neighbours in a video by 6 to 32."""
LEAST_CONTRAST = 4.0
"""Grey levels of deviation below which an image shows too little to be told from others."""
_BLOCK = 4096

Progress = Callable[[int, int], None]


def fingerprint(image: RGBImage) -> UInt64[np.ndarray, "4"] | None:
    """256 bits: where the image, reduced to 16x17 greys, grows darker to the right.

    Robust to compression, resizing and brightness. None where the image shows nothing.
    """
    height, width = image.shape[:2]
    rows, columns = round(height * MARGIN), round(width * MARGIN)
    inside = image[rows : height - rows, columns : width - columns]
    grey = Image.fromarray(inside).convert("L").resize((17, 16), Image.Resampling.BOX)
    levels = np.asarray(grey, dtype=np.int16)
    if levels.std() < LEAST_CONTRAST:
        return None
    bits = np.packbits(levels[:, 1:] < levels[:, :-1])
    return np.frombuffer(bits.tobytes(), dtype=np.uint64)


def find_overlap(
    train: Samples,
    test: Samples | None,
    *,
    fingerprints: bool,
    workers: int | None = 1,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """What training data holds of a test set, one line a finding; [] if nothing.

    Args:
        train: what is trained on.
        test: what is tested on; None looks for NYU's official test set alone.
        fingerprints: compare the images of all frames of both as well, which reads them.
        workers: processes that read them; None: one per core.
        progress: told (frames read, frames in all).

    Raises:
        DataError: if a frame whose fingerprint is asked for cannot be read.
    """
    found = [_official(train), _official_scenes(train)]
    if test is not None:
        found += [_same_frames(train, test), _same_scenes(train, test)]
        if fingerprints:
            found.append(find_same_images(train, test, workers=workers, progress=progress))
    return [finding for finding in found if finding is not None]


def refuse_overlap(train: Samples, validation: Samples | None) -> None:
    """Refuse to train on what is tested on; reads no image.

    Raises:
        DataError: naming some of the frames and their number.
    """
    for finding in find_overlap(train, validation, fingerprints=False):
        raise DataError(f"{finding}; leave them out, or choose the split (SOURCE:train)")


def official_test_names(source: Source) -> list[str]:
    """Frames that are known to be of NYU's official test set, by number or else by scene."""
    if not source.is_nyu:
        return []
    test = nyu.official_test_frames()
    return [
        frame.name
        for frame in source.frames
        if (
            frame.official_number in test
            if frame.official_number is not None
            else frame.scene is not None and nyu.is_test_scene(frame.scene)
        )
    ]


def _official(train: Samples) -> str | None:
    test = nyu.official_test_frames()
    names = [
        name
        for name, (source, n) in zip(train.names, train.places, strict=True)
        if source.is_nyu and source.frames[n].official_number in test
    ]
    if not names:
        return None
    return f"{len(names)} training frame(s) are of NYU's official test set: {listed(names)}"


def _official_scenes(train: Samples) -> str | None:
    names, scenes = [], set()
    for name, (source, n) in zip(train.names, train.places, strict=True):
        frame = source.frames[n]
        if not source.is_nyu or frame.official_number is not None or frame.scene is None:
            continue  # the number says it better than the scene
        if nyu.is_test_scene(frame.scene):
            names.append(name)
            scenes.add(frame.scene)
    if not names:
        return None
    return (
        f"{len(names)} training frame(s) are of scenes that NYU does not train on "
        f"({listed(sorted(scenes))}): {listed(names)}"
    )


def _same_frames(train: Samples, test: Samples) -> str | None:
    tested = {_identity(*place) for place in test.places}
    names = [
        name
        for name, place in zip(train.names, train.places, strict=True)
        if _identity(*place) in tested
    ]
    if not names:
        return None
    return f"{len(names)} training frame(s) are tested on as well: {listed(names)}"


def _identity(source: Source, number: int) -> tuple[str, str]:
    return str(source.path.resolve()), source.frames[number].name


def _same_scenes(train: Samples, test: Samples) -> str | None:
    names = _scenes(train)
    both = sorted(names.keys() & _scenes(test).keys())
    if not both:
        return None
    frames = [name for scene in both for name in names[scene]]
    return (
        f"{len(frames)} training frame(s) are of {len(both)} scene(s) that are tested on "
        f"({listed(both)}): {listed(frames)}"
    )


def _scenes(samples: Samples) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    for name, frame in zip(samples.names, samples.frames, strict=True):
        if frame.scene is not None:
            names[frame.scene].append(name)
    return names


def find_same_images(
    train: Samples,
    test: Samples,
    *,
    workers: int | None = 1,
    progress: Progress = lambda done, total: None,
) -> str | None:
    """Which frames show the same by their fingerprints, or None; arguments and errors as above."""
    total = len(train) + len(test)
    tested, test_names = _fingerprints(test, workers, lambda done: progress(done, total))
    trained, names = _fingerprints(train, workers, lambda done: progress(len(test) + done, total))
    pairs = list(_near(trained, tested))
    if not pairs:
        return None
    shown = [f"{names[a]} = {test_names[b]}" for a, b in pairs]
    return f"{len(pairs)} training frame(s) show what is tested on: {listed(shown)}"


def _fingerprints(
    samples: Samples, workers: int | None, progress: Callable[[int], None]
) -> tuple[UInt64[np.ndarray, "n 4"], list[str]]:
    """Of all frames that show enough, with their names."""
    found, names, done = [], [], 0
    for source in samples.sources:
        mine = [
            (number, name)
            for (owner, number), name in zip(samples.places, samples.names, strict=True)
            if owner is source
        ]
        results = map_frames(source, [n for n, _ in mine], _read_fingerprint, workers)
        for (_, name), result in zip(mine, results, strict=True):
            if isinstance(result, SPDError):
                raise result
            done += 1
            progress(done)
            if result is not None:
                found.append(result)
                names.append(name)
    return np.array(found, dtype=np.uint64).reshape(-1, 4), names


def _read_fingerprint(source: Source, number: int) -> UInt64[np.ndarray, "4"] | None:
    return fingerprint(source[number].image)


def _near(
    trained: UInt64[np.ndarray, "n 4"], tested: UInt64[np.ndarray, "m 4"]
) -> Iterator[tuple[int, int]]:
    """Every row of `trained` that a row of `tested` is near to, with the nearest."""
    if not len(tested):
        return
    for start in range(0, len(trained), _BLOCK):
        block = trained[start : start + _BLOCK]
        nearest = np.full(len(block), 257)
        which = np.zeros(len(block), dtype=int)
        for number, other in enumerate(tested):
            bits = np.bitwise_count(block ^ other).sum(axis=1, dtype=int)
            closer = bits < nearest
            nearest[closer], which[closer] = bits[closer], number
        for row in np.flatnonzero(nearest <= SAME_IMAGE_BITS):
            yield start + int(row), int(which[row])
