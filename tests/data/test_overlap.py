"""Test frames in training data: by number, by scene, by file, by sight."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.fake_source import FakeSource
from spd.data import nyu_dataset as nyu
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.overlap import (
    SAME_IMAGE_BITS,
    dhash,
    find_overlap,
    find_same_images,
    official_test_frames,
    refuse_overlap,
)
from spd.data.source import Frame
from spd.data.sources import Samples, open_samples
from spd.errors import DataError


def source(*frames: Frame, nyu: bool = True, path: str = "data", images=None) -> FakeSource:
    depths = [np.full((48, 64), 2000, np.uint16)] * len(frames)
    return FakeSource(depths, frames=frames, nyu=nyu, path=path, images=images)


def found(train, test=None) -> list[str]:
    return find_overlap(
        Samples([train]), None if test is None else Samples([test]), compare_images=False
    )


def picture(seed: int) -> np.ndarray:
    """480x640, smooth, unlike those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC))


def as_jpeg(image: np.ndarray, quality: int, scale: float = 1.0) -> np.ndarray:
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    buffer = io.BytesIO()
    Image.fromarray(image).resize(size).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def bits_between(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.bitwise_count(dhash(a) ^ dhash(b)).sum())


def test_official_numbers_tell_test_frames_from_training_frames():
    # 0 and 45 are of the official test set, 2 and 47 are not (splits.mat).
    frames = [Frame(f"f{n}", official_number=n) for n in (0, 2, 45, 47)]
    assert found(source(*frames)) == [
        "2 training frame(s) belong to NYU's official test set: f0, f45"
    ]
    assert found(source(*frames[1::2])) == []


def test_scenes_outside_nyus_training_set_are_found():
    frames = [Frame("a", scene="kitchen_0028b"), Frame("b", scene="kitchen_0004")]
    assert found(source(*frames)) == [
        "1 training frame(s) come from scenes outside NYU's training set (kitchen_0004): b"
    ]


def test_an_official_number_takes_precedence_over_the_scene():
    frame = Frame("a", scene="kitchen_0004", official_number=2)
    assert found(source(frame)) == []
    assert official_test_frames(source(frame)) == []


def test_other_data_sets_may_have_such_numbers_and_scenes():
    frames = [Frame("a", scene="kitchen_0004"), Frame("b", official_number=0)]
    assert found(source(*frames, nyu=False)) == []


def test_the_same_scene_in_training_and_validation_is_found_in_any_data_set():
    train = source(Frame("a", scene="attic"), Frame("b", scene="hall"), nyu=False)
    test = source(Frame("c", scene="hall"), Frame("d"), nyu=False, path="other")
    assert found(train, test) == [
        "1 training frame(s) come from 1 scene(s) of the test data (hall): b"
    ]


def test_the_same_file_in_training_and_validation_is_found(rgbd_folder):
    train, val = open_samples([str(rgbd_folder)]), open_samples([f"{rgbd_folder}:val"])
    assert find_overlap(train, val, compare_images=False) == [
        "2 training frame(s) are also test frames: frame-3.png, frame-4.png"
    ]
    assert find_overlap(open_samples([f"{rgbd_folder}:train"]), val, compare_images=False) == []


def test_frames_of_one_name_in_two_folders_are_two_frames(tmp_path):
    a, b = (source(Frame("a"), path=str(tmp_path / name)) for name in "xy")
    assert found(a, b) == []


def test_training_is_refused_in_one_line_with_names_and_number():
    test = sorted(nyu.official_test_frames())[:5]
    train = Samples([source(*[Frame(f"f{n}", official_number=n) for n in test])])
    with pytest.raises(DataError) as caught:
        refuse_overlap(train, None)
    assert str(caught.value) == (
        "5 training frame(s) belong to NYU's official test set: f0, f1, f8, ...; remove them, "
        "or select the training split (SOURCE:train)"
    )
    clean = Samples([source(Frame("f2", official_number=2))])
    refuse_overlap(clean, None)
    refuse_overlap(clean, train)  # to validate on test frames is right


def test_refusing_reads_no_frame():
    train = source(Frame("a", scene="x"), nyu=False)
    refuse_overlap(Samples([train]), Samples([source(Frame("b", scene="y"), path="z")]))
    assert train.reads == 0


@pytest.mark.parametrize(("quality", "scale"), [(75, 1.0), (30, 1.0), (75, 0.5), (90, 0.25)])
def test_a_frame_has_the_same_hash_after_jpeg_and_resizing(quality, scale):
    bits = [bits_between(p, as_jpeg(p, quality, scale)) for p in map(picture, range(12))]
    assert max(bits) <= SAME_IMAGE_BITS


def test_different_pictures_are_far_beyond_the_threshold():
    pictures = [picture(seed) for seed in range(20)]
    bits = [bits_between(a, b) for n, a in enumerate(pictures) for b in pictures[:n]]
    assert min(bits) > 3 * SAME_IMAGE_BITS


def test_real_frames_keep_their_hash_and_other_scenes_have_another(shared_frames):
    folder = RGBDFolder(shared_frames)
    firsts = {frame.scene: n for n, frame in reversed(list(enumerate(folder.frames)))}
    images = [folder[n].image for n in firsts.values()]
    assert len(images) >= 10
    again = [bits_between(image, as_jpeg(image, 75, 0.5)) for image in images]
    assert max(again) <= SAME_IMAGE_BITS
    others = [bits_between(a, b) for n, a in enumerate(images) for b in images[:n]]
    assert min(others) > 3 * SAME_IMAGE_BITS


def test_brightness_and_the_colour_of_the_border_change_nothing_much():
    image = picture(0)
    white, black = image.copy(), image.copy()
    for framed, grey in ((white, 255), (black, 0)):
        framed[:7], framed[474:], framed[:, :7], framed[:, 632:] = grey, grey, grey, grey
    assert bits_between(white, black) == 0
    darker = (image * 0.8).astype(np.uint8)
    assert bits_between(image, darker) <= SAME_IMAGE_BITS


def test_a_uniform_image_has_no_hash():
    assert dhash(np.full((48, 64, 3), 200, np.uint8)) is None


def test_the_same_images_are_found_under_other_names_and_read_as_they_are_counted():
    pictures = [picture(seed) for seed in range(4)]
    train = source(*[Frame(f"a{n}") for n in range(4)], nyu=False, images=pictures)
    again = [np.full((480, 640, 3), 9, np.uint8), as_jpeg(pictures[2], 60, 0.5)]
    test = source(Frame("blank"), Frame("b"), nyu=False, path="other", images=again)
    for one in (train, test):
        one.depths = [np.full((480, 640), 2000, np.uint16)] * len(one.depths)
    seen = []
    same = find_same_images(
        Samples([train]), Samples([test]), progress=lambda done, total: seen.append((done, total))
    )
    assert same == ["1 training frame(s) show the same image as a test frame: a2 = b"]
    assert seen == [(n, 6) for n in range(1, 7)]
    assert find_same_images(Samples([train]), Samples([test]), workers=1) == same
    train.images[2] = picture(9)
    assert find_overlap(Samples([train]), Samples([test]), compare_images=True) == []


def test_an_unreadable_frame_is_named_when_images_are_compared():
    train = FakeSource([None], nyu=False)
    with pytest.raises(DataError, match="frame-0 is truncated"):
        find_same_images(Samples([train]), Samples([FakeSource([None])]))
