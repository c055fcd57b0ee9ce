"""What the list of a source's frames says before one is read: whose numbers, whose scenes."""

from spd.data import nyu_dataset as nyu
from spd.data.evidence import listed
from spd.data.overlap import official_test_names
from spd.data.source import Source


def source_notes(source: Source) -> list[str]:
    """What is worth knowing and no reason to refuse it."""
    return source.notes + _left_out(source) + _nyu_notes(source) + _scene_notes(source)


def _nyu_notes(source: Source) -> list[str]:
    if not source.is_nyu:
        return []
    found = [_count_note(source)]
    training = {frame.name for frame in source.frames if frame.split == "train"}
    test = [name for name in official_test_names(source) if name not in training]
    if test:
        whole = "" if len(test) != nyu.TEST_FRAMES else ", all there are"
        found.append(f"{len(test)} frames are of NYU's official test set{whole}: to test on alone")
    told = sum(f.official_number is not None or f.scene is not None for f in source.frames)
    if told < len(source):
        found.append(
            f"{len(source) - told:,} frames have neither official number nor scene; whether they "
            "are test frames shows only --against a test set"
        )
    return found


def _left_out(source: Source) -> list[str]:
    """Images that a form found and that have no depth map."""
    left = [str(name) for name in getattr(source, "left_over", ())]
    return [f"{len(left)} image(s) without depth are left out: {listed(left)}"] if left else []


def _count_note(source: Source) -> str:
    """How the training frames compare with the sizes that NYU's training sets are known by."""
    training = [f for f in source.frames if f.split not in ("test", "val")]
    known = {
        nyu.LABELLED_FRAMES - nyu.TEST_FRAMES: "the labelled training set",
        nyu.BTS_TRAINING_FRAMES: "BTS's training list",
        nyu.FAST_DEPTH_TRAINING_FRAMES: "fast-depth's training set",
    }
    count = len(training)
    if count in known:
        return f"{count:,} training frames: all of {known[count]}"
    numbered = any(frame.official_number is not None for frame in training)
    larger = [size for size in known if size > count and (numbered or size > min(known))]
    if not count or not larger:
        return f"{count:,} training frames"
    return (
        f"{count:,} training frames, fewer than the {larger[0]:,} of {known[larger[0]]}: a subset"
    )


def _scene_notes(source: Source) -> list[str]:
    scenes: dict[str, set[str]] = {}
    for frame in source.frames:
        if frame.scene is not None and frame.split is not None:
            scenes.setdefault(frame.split, set()).add(frame.scene)
    return [
        f"{len(both)} scene(s) are in train and in {split}, which training refuses: "
        + listed(sorted(both))
        for split, held in scenes.items()
        if split != "train" and (both := held & scenes.get("train", set()))
    ]
