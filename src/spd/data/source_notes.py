"""Remarks on a source from the list of its frames, before any is read."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from spd.data import nyu_dataset as nyu
from spd.data.overlap import official_test_frames
from spd.data.source import Frame, Source
from spd.errors import listed


def source_notes(source: Source) -> list[str]:
    """Remarks that the user should know and that are no reason to refuse the source."""
    return source.notes + _left_out(source) + _nyu_notes(source) + _scene_notes(source)


def _nyu_notes(source: Source) -> list[str]:
    if not source.is_nyu:
        return []
    found = [_count_note(source)]
    test = [frame for frame in official_test_frames(source) if frame.split != "train"]
    if test:
        whole = "" if len(test) != nyu.TEST_FRAMES else " (the complete set)"
        found.append(
            f"{len(test)} frames are from NYU's official test set{whole}: use them for testing only"
        )
    known = sum(f.official_number is not None or f.scene is not None for f in source.frames)
    if known < len(source):
        found.append(
            f"{len(source) - known:,} frames have neither an official number nor a scene; to find "
            "out whether they are test frames, pass a test set with --against"
        )
    return found


def _left_out(source: Source) -> list[str]:
    """Remark on images without a depth map."""
    left = [str(name) for name in getattr(source, "left_over", ())]
    return [f"{len(left)} image(s) without a depth map are skipped: {listed(left)}"] if left else []


def _count_note(source: Source) -> str:
    """Number of training frames, compared with the published training sets of NYU."""
    training = [f for f in source.frames if f.split not in ("test", "val")]
    count, known = len(training), _published(source, training)
    if count in known:
        return f"{count:,} training frames: {known[count]}, complete"
    larger = sorted(size for size in known if size > count)
    if not count or not larger:
        return f"{count:,} training frames"
    sets = ", or of ".join(f"{known[size]}, which has {size:,} frames" for size in larger)
    return f"{count:,} training frames: a subset of {sets}"


def _published(source: Source, training: Sequence[Frame]) -> dict[int, str]:
    """Sizes and names of the published training sets that these frames may be from.

    The names of their files tell: `rgb_00045` is BTS's, a bare number in a scene fast-depth's.
    """
    labelled = {nyu.LABELLED_FRAMES - nyu.TEST_FRAMES: "the labelled training set"}
    bts = {nyu.BTS_TRAINING_FRAMES: "BTS's training list"}
    dense = {nyu.DENSE_LIST_FRAMES: "NeWCRFs' and PixelFormer's training list"}
    fast_depth = {nyu.FAST_DEPTH_TRAINING_FRAMES: "fast-depth's training set"}
    if any(frame.official_number is not None for frame in training):
        return labelled
    if source.format == "nyu-h5":
        return fast_depth
    stems = [PurePosixPath(frame.name).stem.partition(".")[0] for frame in training]
    if all(stem.startswith("rgb_") for stem in stems):
        return dense if any("two depth maps" in note for note in source.notes) else bts | dense
    if all(stem.isdecimal() and f.scene for stem, f in zip(stems, training, strict=True)):
        return fast_depth
    return bts | dense | fast_depth


def _scene_notes(source: Source) -> list[str]:
    scenes: dict[str, set[str]] = {}
    for frame in source.frames:
        if frame.scene is not None and frame.split is not None:
            scenes.setdefault(frame.split, set()).add(frame.scene)
    return [
        f"{len(both)} scene(s) are in both train and {split}, which spd train rejects: "
        + listed(sorted(both))
        for split, held in scenes.items()
        if split != "train" and (both := held & scenes.get("train", set()))
    ]
