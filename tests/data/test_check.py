"""`spd data check`: what a source is, and what speaks against it."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.fake_source import FakeSource
from helpers.samples import slanted_sample
from spd.cli import run
from spd.data import check
from spd.data.check import check_source, format_check
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.source import Frame
from spd.data.source_notes import source_notes
from spd.errors import DataError


def change_index(folder, **about) -> None:
    index = folder / "frames.json"
    entries = json.loads(index.read_text())
    for number, entry in enumerate(entries):
        entry.update({key: values[number] for key, values in about.items()})
    index.write_text(json.dumps(entries))


def test_a_folder_is_described_by_its_numbers(rgbd_folder):
    report = check_source(str(rgbd_folder))
    assert report.usable
    assert (report.format, report.recognised_by) == ("rgbd-folder", "contains frames.json")
    assert (report.frames, report.frames_read) == (5, 5)
    assert report.splits == {"train": 3, "val": 2}
    assert report.image_sizes == report.depth_sizes == {"48x64": 5}
    assert report.stored_types == ["uint16"]
    assert report.stored == "16-bit PNG, millimetres"
    # Depth is 1 m in the first of 48 rows and 1 + 3 * 47/48 m in the last.
    assert report.percentiles_m == {"1": 1.0, "50": pytest.approx(2.469, abs=0.04), "99": 3.938}
    assert (report.valid_share, report.no_reading_share) == (1.0, 0.0)
    # Focal length 0.81 of the width: a field of view of 2 atan(1 / 1.62).
    assert report.focal_px == [51.84]
    assert report.fov_deg == [63.37]
    assert (report.problems, report.notes, report.broken) == ([], [], [])


def test_the_text_contains_the_report(rgbd_folder):
    lines = format_check(check_source(f"{rgbd_folder}:val")).splitlines()
    assert lines[0] == f"{rgbd_folder}:val: rgbd-folder (contains frames.json)"
    assert lines[1] == "  frames        2 (val 2); all read"
    assert lines[-1] == "usable"
    assert any("51.8 px, horizontal field of view 63.4 degrees" in line for line in lines)


def test_options_on_the_command_line_reach_the_reader(rgbd_folder):
    assert (
        check_source(f"{rgbd_folder},format=rgbd-folder").recognised_by
        == "format given by the user"
    )
    with pytest.raises(DataError, match="does not accept unit="):
        check_source(f"{rgbd_folder},unit=metre")


def test_holes_and_other_sizes_are_reported(rgbd_folder):
    half = np.full((48, 64), 1500, np.uint16)
    half[:24] = 0
    Image.fromarray(half).save(rgbd_folder / "frame-0.depth.png")
    report = check_source(f"{rgbd_folder}:train")
    assert report.no_reading_share == pytest.approx(1 / 6)
    assert "16.7% holes" in format_check(report)


def test_readings_outside_the_range_and_in_the_border_are_reported(tmp_path):
    depth_mm = np.full((480, 640), 2000, np.uint16)
    depth_mm[100:148] = 12_000
    folder = tmp_path / "nyu"
    sample = slanted_sample("one", (480, 640))
    write_frame(sample, folder)
    Image.fromarray(depth_mm).save(folder / "one.depth.png")
    entry = frame_entry(sample.name, sample.image_size, sample.intrinsics, "train")
    write_index([{**entry, "dataset": "NYU"}], folder)
    report = check_source(str(folder))
    # Inside the border are 467 rows of 625, of which 48 are beyond 10 m, as are 48 of 640 in all.
    assert report.valid_share == (467 - 48) * 625 / (480 * 640)
    assert report.out_of_range_share == 0.1
    assert report.border_share == pytest.approx(0.9 - report.valid_share)
    assert (
        "  pixels        85.2% valid, 0.0% holes, 10.0% outside 1 mm to 10 m, "
        "4.8% in the masked border"
    ) in format_check(report).splitlines()


def test_shares_of_unused_readings_are_left_out_if_zero(rgbd_folder):
    lines = format_check(check_source(str(rgbd_folder))).splitlines()
    assert "  pixels        100.0% valid, 0.0% holes" in lines


def test_centimetres_read_as_millimetres_are_noted_and_no_problem(rgbd_folder):
    for number in range(5):
        path = rgbd_folder / f"frame-{number}.depth.png"
        metres = np.asarray(Image.open(path)) / 1000
        Image.fromarray((metres * 100).round().astype(np.uint16)).save(path)
    report = check_source(str(rgbd_folder))
    assert report.usable
    (note,) = report.notes
    assert note.startswith("99% of the depth is nearer than 0.39 m; is the unit correct?")
    assert "unit=100 for centimetres" in note


def test_truncated_frames_are_listed_and_make_a_source_not_usable(rgbd_folder):
    for name in ("frame-1.png", "frame-4.depth.png"):
        content = (rgbd_folder / name).read_bytes()
        (rgbd_folder / name).write_bytes(content[: len(content) // 2])
    report = check_source(str(rgbd_folder))
    assert not report.usable
    assert [name for name, _ in report.broken] == ["frame-1.png", "frame-4.png"]
    text = format_check(report)
    assert "frame-1.png is damaged or truncated" in text
    assert "frame-4.depth.png is not a readable PNG" in text
    assert text.endswith("not usable as it is")
    assert "and 1 more" not in text
    assert "  broken: 1 more" in format_check(report, most=1)


def test_full_reads_every_frame_and_the_default_a_few(rgbd_folder, monkeypatch):
    monkeypatch.setattr(check, "SAMPLED", 3)
    (rgbd_folder / "frame-1.png").write_bytes(b"")
    seen = []
    spread = check_source(str(rgbd_folder), progress=lambda *numbers: seen.append(numbers))
    assert (spread.frames_read, spread.usable) == (3, True)  # frames 0, 2 and 4
    assert seen == [(1, 3), (2, 3), (3, 3)]
    whole = check_source(str(rgbd_folder), full=True, workers=1)
    assert (whole.frames_read, whole.usable) == (5, False)


def test_eight_bit_depth_is_refused_by_name(rgbd_folder):
    for number in range(5):
        eight = Image.fromarray(np.full((48, 64), 77, np.uint8))
        eight.save(rgbd_folder / f"frame-{number}.depth.png")
    report = check_source(str(rgbd_folder))
    assert len(report.broken) == 5
    assert "because 8 bits are too coarse for metric depth" in report.broken[0][1]


def test_evidence_from_the_values_is_part_of_the_report(rgbd_folder):
    for number in range(5):
        far = Image.fromarray(np.full((48, 64), 30_000, np.uint16))
        far.save(rgbd_folder / f"frame-{number}.depth.png")
    report = check_source(str(rgbd_folder))
    assert "beyond 10 m" in report.problems[0]
    assert not report.usable
    assert any("5 of 5 frames have no valid depth" in note for note in report.notes)


def test_test_frames_in_training_data_are_a_problem(rgbd_folder):
    # Of the labelled frames 2, 3 and 4 are trained on, 0, 1 and 8 are tested on.
    change_index(rgbd_folder, dataset=["NYU"] * 5, official_number=[2, 3, 8, 0, 1])
    report = check_source(str(rgbd_folder))
    assert report.problems == [
        "1 frame(s) of split 'train' belong to NYU's official test set: frame-2.png; remove them"
    ]
    assert "2 frames are from NYU's official test set: use them for testing only" in report.notes
    change_index(rgbd_folder, official_number=[2, 3, 4, 0, 1])
    assert check_source(str(rgbd_folder)).usable


def test_counts_of_nyu_are_compared_with_the_published_sets(rgbd_folder):
    change_index(rgbd_folder, dataset=["NYU"] * 5)
    report = check_source(str(rgbd_folder))
    assert report.notes[0] == (
        "3 training frames: a subset of BTS's training list, which has 24,231 frames, or of "
        "NeWCRFs' and PixelFormer's training list, which has 36,253 frames, or of fast-depth's "
        "training set, which has 47,584 frames"
    )
    assert "5 frames have neither an official number nor a scene" in report.notes[1]
    change_index(rgbd_folder, official_number=[2, 3, 4, 5, 6])
    note = check_source(str(rgbd_folder)).notes[0]
    assert note == "3 training frames: a subset of the labelled training set, which has 795 frames"


@pytest.mark.parametrize(
    ("names", "count", "expected"),
    [
        (["train/kitchen_0004/00001"], 1, "fast-depth's training set, which has 47,584 frames"),
        (["train/kitchen_0004/00001"], 24_231, "a subset of fast-depth's training set"),
        (["train/kitchen_0004/00001"], 47_584, "fast-depth's training set, complete"),
        (["kitchen_0004/rgb_00001.jpg"], 24_231, "BTS's training list, complete"),
        (["kitchen_0004/rgb_00001.jpg"], 36_253, "PixelFormer's training list, complete"),
        (["kitchen_0004/rgb_00001.jpg"], 30_000, "a subset of NeWCRFs' and PixelFormer's"),
    ],
)
def test_the_published_set_is_told_by_the_names_of_the_files(names, count, expected):
    frames = [Frame(name, "train", "kitchen_0004") for name in names] * count
    source = FakeSource([], frames=frames, nyu=True)
    (note,) = [note for note in source_notes(source) if "training frames" in note]
    assert expected in note
    assert ("BTS" in note) == ("BTS" in expected)


def test_a_scene_in_two_splits_is_remarked(rgbd_folder):
    change_index(rgbd_folder, scene=["hall", "attic", "attic", "attic", "cellar"])
    report = check_source(str(rgbd_folder))
    assert report.scenes == 3
    assert report.notes == ["1 scene(s) are in both train and val, which spd train rejects: attic"]


def test_unknown_focal_lengths_are_counted_with_what_to_pass(rgbd_folder):
    change_index(rgbd_folder, intrinsics=[None] * 5)
    report = check_source(str(rgbd_folder))
    assert (report.without_focal_length, report.focal_px) == (5, [])
    assert "unknown; 5 frames have no focal length: pass focal_px=" in format_check(report)
    assert not report.usable
    assert report.problems[0].startswith("no frame has a focal length, so the data cannot be used")


@pytest.fixture
def pictures(tmp_path):
    """A folder of frames that look different, and one of which two are the same, as JPEG."""
    rng = np.random.default_rng(0)
    made = [Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)) for _ in range(5)]
    made = [picture.resize((64, 48), Image.Resampling.BICUBIC) for picture in made]
    for name, kept, ending in (("a", made[:4], "png"), ("b", made[2:], "jpg")):
        entries = []
        for number, picture in enumerate(kept):
            sample = slanted_sample(f"{name}{number}")
            write_frame(sample, tmp_path / name)
            picture.save(tmp_path / name / f"{name}{number}.{ending}")
            entry = frame_entry(sample.name, (48, 64), sample.intrinsics, "all")
            entries.append({**entry, "image": f"{name}{number}.{ending}"})
        write_index(entries, tmp_path / name)
    return tmp_path


def test_against_finds_the_same_images_under_other_names(pictures):
    report = check_source(str(pictures / "a"), str(pictures / "b"), workers=1)
    assert report.problems == [
        "2 training frame(s) show the same image as a test frame: a2.png = b0.jpg, a3.png = "
        "b1.jpg; remove them before training"
    ]
    assert check_source(str(pictures / "a"), workers=1).usable
    (pictures / "b" / "b1.jpg").write_bytes(b"")
    (problem,) = check_source(str(pictures / "a"), str(pictures / "b"), workers=1).problems
    assert problem.startswith(f"the images cannot be compared with {pictures / 'b'}: ")


def test_the_command_exits_with_0_or_2_and_prints_text_or_json(capsys, rgbd_folder, tmp_path):
    assert run(["data", "check", str(rgbd_folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith("usable\n")
    (rgbd_folder / "frame-3.png").write_bytes(b"")
    assert run(["data", "check", f"{rgbd_folder}:val", "--json", "--full", "--workers", "1"]) == 2
    printed = json.loads(capsys.readouterr().out)
    assert printed["usable"] is False
    assert printed["broken"] == [["frame-3.png", f"{rgbd_folder / 'frame-3.png'} is empty"]]
    assert run(["data", "check", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.strip() == f"spd: no file or folder {tmp_path / 'nowhere'}"
