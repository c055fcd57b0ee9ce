"""Checking, converting and comparing a miniature of every format."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.frames import miniature_frames
from helpers.write_general import write_image_folders, write_table
from helpers.write_nyu import write_bts, write_h5
from helpers.writers import WITHOUT_CAMERA, WRITERS
from spd.config import CameraConfig
from spd.data.check import check_source
from spd.data.convert import convert
from spd.data.evidence import preflight
from spd.data.formats import open_source
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.overlap import find_overlap, refuse_overlap
from spd.data.sources import open_samples
from spd.data.transforms import training_view
from spd.errors import DataError
from spd.recipes import Recipe, TrainConfig
from spd.train import Trainer
from spd.training.runs import Run

FRAMES = miniature_frames()
TRAIN, TEST = FRAMES[0], FRAMES[5]
FEW = [FRAMES[n] for n in (0, 2, 4, 5)]
FILES = ("bts", "image-depth-folders", "table")
"""Formats whose images are files."""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Name of a source in each format, with two training and two test frames."""
    texts = {}
    for name, write in WRITERS.items():
        path = write(tmp_path_factory.mktemp(name) / "data", FEW)
        texts[name] = f"{path},camera=nyu" if name in WITHOUT_CAMERA else str(path)
    return texts


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_converts_to_a_folder_that_reads_the_same(written, name, tmp_path):
    source = open_source(written[name])
    done = convert(written[name], tmp_path / "new", workers=1)
    folder = RGBDFolder(tmp_path / "new")
    assert len(folder) == done.written == len(source)
    for number, (old, new) in enumerate(zip(source, folder, strict=True)):
        assert np.array_equal(old.image, new.image)
        assert np.array_equal(old.depth_m, new.depth_m)  # the miniatures are whole millimetres
        assert np.array_equal(old.valid, new.valid)
        assert old.intrinsics == new.intrinsics
        frame = dataclasses.replace(source.frames[number], name=folder.frames[number].name)
        assert frame == folder.frames[number]
    assert folder.is_nyu == source.is_nyu


@pytest.mark.parametrize("name", FILES)
def test_photos_are_copied_unchanged(written, name, tmp_path):
    convert(written[name], tmp_path / "new", workers=1)
    copies = [path.read_bytes() for path in (tmp_path / "new").rglob("*.jpg")]
    assert {frame.jpeg for frame in FEW} == set(copies)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_recognised_described_and_usable(written, name):
    report = check_source(written[name])
    assert report.format == ("nyu-h5" if name == "tars" else name)
    assert report.recognised_by
    assert report.usable, report.problems
    assert set(report.splits) in ({"train", "test"}, {"train", "val"})
    assert report.image_sizes == {"480x640": report.frames}
    assert report.focal_px == [pytest.approx(519.16, abs=0.01)]  # sqrt(518.8579 * 519.46961)
    holes = 1 - np.mean([(frame.depth_mm > 0).mean() for frame in FEW])
    assert report.no_reading_share == pytest.approx(holes, abs=0.02)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_passes_the_checks_before_training(written, name):
    samples = open_samples([f"{written[name].split(',')[0]}:train"])
    preflight(samples)
    refuse_overlap(samples, None)


def test_a_test_scene_among_training_frames_is_refused(tmp_path):
    leak = dataclasses.replace(TEST, split="train")
    write_h5(tmp_path / "h5", [TRAIN, leak])
    report = check_source(f"{tmp_path / 'h5'}:train")
    assert not report.usable
    assert "from scenes outside NYU's training set (bathroom_0009)" in report.problems[0]
    with pytest.raises(DataError, match=r"scenes outside NYU's training set \(bathroom_0009\)"):
        refuse_overlap(open_samples([f"{tmp_path / 'h5'}:train"]), None)
    write_bts(tmp_path / "bts", [TRAIN, leak])
    with pytest.raises(DataError, match=r"1 training frame\(s\) belong to NYU's official test set"):
        refuse_overlap(open_samples([f"{tmp_path / 'bts' / 'official_splits' / 'train'}"]), None)


def test_a_test_frame_without_number_is_found_by_its_image(written, tmp_path):
    leak = dataclasses.replace(TEST, split="train")
    folders = write_image_folders(tmp_path / "mixed", [TRAIN, FRAMES[2], leak])
    train, test = open_samples([f"{folders}:train"]), open_samples([f"{written['bts']}:test"])
    assert find_overlap(train, test, compare_images=False) == []
    (found,) = find_overlap(train, test, compare_images=True)
    assert found.startswith("1 training frame(s) show the same image as a test frame: ")
    assert f"{TEST.number:05d}" in found


def test_disparity_is_refused_before_training(tmp_path):
    rows, columns = np.mgrid[:480, :640]
    slanted = 0.2 + rows / 480 * 0.6 + columns / 640 * 0.1
    disparity = dataclasses.replace(TRAIN, depth_mm=(5000 * slanted).astype(np.uint16))
    path = write_table(tmp_path / "mine", [disparity])
    with pytest.raises(DataError, match=rf"^{path}: values look like disparity"):
        preflight(open_samples([str(path)]))


def test_eight_bit_depth_of_folders_is_refused(tmp_path):
    folders = write_image_folders(tmp_path / "mine", [TRAIN, TEST])
    for path in (folders / "depth").rglob("*.png"):
        Image.fromarray((TRAIN.depth_mm // 40).astype(np.uint8)).save(path)
    with pytest.raises(DataError, match="8-bit"):
        preflight(open_samples([f"{folders},camera=nyu"]))


def training_tensors(text: str) -> dict[bytes, list[np.ndarray]]:
    """Training input of every training frame, by the frame's pixels."""
    camera = CameraConfig(focal_px=181.6, crop_height_px=168, crop_width_px=224)
    found = {}
    for sample in open_samples([text]):
        view = training_view(sample, camera, 64, np.random.default_rng(5), augment=True)
        arrays = [getattr(view, field.name) for field in dataclasses.fields(view)]
        found[sample.image.tobytes()] = [a for a in arrays if isinstance(a, np.ndarray)]
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_training_tensors(written, name):
    reference = training_tensors(f"{written['nyu-labelled-mat']}:train")
    path, *options = written[name].split(",")
    if name == "table":  # whose cameras are columns, and which does not say that it is NYU
        options = ["border=nyu"]
    given = training_tensors(",".join([f"{path}:train", *options]))
    assert given.keys() == reference.keys()
    assert len(given) == 2
    for pixels, arrays in given.items():
        assert len(arrays) == len(reference[pixels]) == 6
        for one, other in zip(arrays, reference[pixels], strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_can_be_trained_on(written, name, small_config, tmp_path):
    path, *options = written[name].split(",")
    samples = open_samples([",".join([f"{path}:train", *options])], metric_only=True)
    settings = TrainConfig(
        steps=2, warmup_steps=1, precision="float32", points_per_image=16, tracker="none"
    )
    recipe = Recipe(name="form", model=small_config, train=settings)
    run = Run.create(tmp_path / "run", recipe, (written[name],))
    result = Trainer(run, torch.device("cpu")).fit(samples)
    assert (result.steps, result.images_without_reading) == (2, 0)
    assert np.isfinite(result.last_loss)
