"""Finding test frames in training data: by official number, by scene, or by image (dHash).

NYU Depth V2 has many packagings, some with splits of their own. Official numbers or scene names
decide where the packaging keeps them; otherwise perceptual hashes of the images do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt64
from PIL import Image

from spd.data import nyu_dataset as nyu
from spd.data.parallel import Progress, map_frames
from spd.data.source import Frame, Source
from spd.data.sources import Samples
from spd.errors import DataError, SPDError, listed
from spd.photos.reading import RGBImage

MARGIN = 0.04
"""Share cut from every side before hashing: NYU's border is white or black, by the packaging."""
SAME_IMAGE_BITS = 24
"""Largest Hamming distance, of 256 bits, of the same image. Real frames after JPEG at a quarter of
their size differed by up to 18, frames of different scenes by at least 96, neighbours in a video by
6 to 32."""
MIN_CONTRAST = 4.0
"""Smallest standard deviation, in grey levels, of an image that can be told from others."""
_BLOCK = 4096


def dhash(image: RGBImage) -> UInt64[np.ndarray, "4"] | None:
    """Difference hash (dHash) of 256 bits: where 16x17 grey levels decrease to the right.

    Robust to compression, resizing and brightness. None for an image with too little contrast.
    """
    height, width = image.shape[:2]
    rows, columns = round(height * MARGIN), round(width * MARGIN)
    inside = image[rows : height - rows, columns : width - columns]
    grey = Image.fromarray(inside).convert("L").resize((17, 16), Image.Resampling.BOX)
    levels = np.asarray(grey, dtype=np.int16)
    if levels.std() < MIN_CONTRAST:
        return None
    bits = np.packbits(levels[:, 1:] < levels[:, :-1])
    return np.frombuffer(bits.tobytes(), dtype=np.uint64)


def find_overlap(
    train: Samples,
    test: Samples | None,
    *,
    compare_images: bool,
    workers: int | None = 1,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """Find test frames in training data; one line per finding, [] without any.

    Without test data, only NYU's official test set is looked for. With `compare_images`, the
    images of all frames are read and compared as well.

    Raises:
        DataError: if an image cannot be read.
    """
    official = [
        (name, source.frames[n])
        for name, (source, n) in zip(train.names, train.places, strict=True)
        if _is_official_test(source, source.frames[n])
    ]
    found = official_findings("training frame(s)", official)
    if test is not None:
        found += [*_same_frames(train, test), *_same_scenes(train, test)]
        if compare_images:
            found += find_same_images(train, test, workers=workers, progress=progress)
    return found


def refuse_overlap(train: Samples, validation: Samples | None) -> None:
    """Refuse training data with test frames; reads no image.

    Raises:
        DataError: with the number of test frames and the first of them.
    """
    for finding in find_overlap(train, validation, compare_images=False):
        raise DataError(f"{finding}; remove them, or select the training split (SOURCE:train)")


def official_test_frames(source: Source) -> list[Frame]:
    """Frames known to belong to NYU's official test set, by number or else by scene."""
    return [frame for frame in source.frames if _is_official_test(source, frame)]


def _is_official_test(source: Source, frame: Frame) -> bool:
    if not source.is_nyu:
        return False
    if frame.official_number is not None:  # more certain than the scene
        return frame.official_number in nyu.official_test_frames()
    return frame.scene is not None and nyu.is_test_scene(frame.scene)


def official_findings(what: str, frames: Sequence[tuple[str, Frame]]) -> list[str]:
    """Describe frames of NYU's official test set, given by name; `what` is the plural noun."""
    numbered = [name for name, frame in frames if frame.official_number is not None]
    others = [(name, str(frame.scene)) for name, frame in frames if frame.official_number is None]
    found = []
    if numbered:
        found.append(
            f"{len(numbered)} {what} belong to NYU's official test set: {listed(numbered)}"
        )
    if others:
        scenes = sorted({scene for _, scene in others})
        found.append(
            f"{len(others)} {what} come from scenes outside NYU's training set ({listed(scenes)}): "
            + listed([name for name, _ in others])
        )
    return found


def _same_frames(train: Samples, test: Samples) -> list[str]:
    tested = {_identity(*place) for place in test.places}
    places = zip(train.names, train.places, strict=True)
    names = [name for name, place in places if _identity(*place) in tested]
    found = f"{len(names)} training frame(s) are also test frames: {listed(names)}"
    return [found] if names else []


def _identity(source: Source, number: int) -> tuple[str, str]:
    return str(source.path.resolve()), source.frames[number].name


def _same_scenes(train: Samples, test: Samples) -> list[str]:
    names: dict[str, list[str]] = defaultdict(list)
    for name, frame in zip(train.names, train.frames, strict=True):
        if frame.scene is not None:
            names[frame.scene].append(name)
    both = sorted(names.keys() & {frame.scene for frame in test.frames})
    if not both:
        return []
    frames = [name for scene in both for name in names[scene]]
    return [
        f"{len(frames)} training frame(s) come from {len(both)} scene(s) of the test data "
        f"({listed(both)}): {listed(frames)}"
    ]


def find_same_images(
    train: Samples,
    test: Samples,
    *,
    workers: int | None = 1,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """Find training images that equal a test image by dHash; see :func:`find_overlap`."""
    total = len(train) + len(test)
    test_hashes, test_names = _hashes(test, workers, lambda done: progress(done, total))
    hashes, names = _hashes(train, workers, lambda done: progress(len(test) + done, total))
    pairs = [f"{names[a]} = {test_names[b]}" for a, b in _near(hashes, test_hashes)]
    return (
        [f"{len(pairs)} training frame(s) show the same image as a test frame: {listed(pairs)}"]
        if pairs
        else []
    )


def _hashes(
    samples: Samples, workers: int | None, progress: Callable[[int], None]
) -> tuple[UInt64[np.ndarray, "n 4"], list[str]]:
    """Hashes of all frames with enough contrast, and their names."""
    found, names, done = [], [], 0
    for source, own in samples.of_sources:
        results = map_frames(source, [samples.places[n][1] for n in own], _read_hash, workers)
        for number, result in zip(own, results, strict=True):
            if isinstance(result, SPDError):
                raise result
            done += 1
            progress(done)
            if result is not None:
                found.append(result)
                names.append(samples.names[number])
    return np.array(found, dtype=np.uint64).reshape(-1, 4), names


def _read_hash(source: Source, number: int) -> UInt64[np.ndarray, "4"] | None:
    return dhash(source[number].image)


def _near(
    hashes: UInt64[np.ndarray, "n 4"], test_hashes: UInt64[np.ndarray, "m 4"]
) -> Iterator[tuple[int, int]]:
    """Index of every hash within `SAME_IMAGE_BITS` of a test hash, and of the nearest test hash."""
    if not len(test_hashes):
        return
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK]
        nearest = np.full(len(block), 257)
        which = np.zeros(len(block), dtype=int)
        for number, other in enumerate(test_hashes):
            bits = np.bitwise_count(block ^ other).sum(axis=1, dtype=int)
            closer = bits < nearest
            nearest[closer], which[closer] = bits[closer], number
        for row in np.flatnonzero(nearest <= SAME_IMAGE_BITS):
            yield start + int(row), int(which[row])
