"""Checks of depth values: unit, depth or disparity, and lost precision."""

import dataclasses

import numpy as np
import pytest

from helpers.fake_source import FakeSource, corner_room
from spd.data import evidence
from spd.data.evidence import (
    depth_or_disparity,
    evenly_spread,
    evidence_of,
    notes,
    preflight,
    problems,
    read_evidence,
)
from spd.data.formats.rgbd_folder import RGBDFolder
from spd.data.rooms import render_room
from spd.data.sample import RGBDSample, valid_depth
from spd.data.sources import Samples, open_samples
from spd.data.straightness import straight_windows
from spd.errors import DataError

ROOMS = [corner_room(yaw) for yaw in (20, 50, 130, 340)]


def millimetres(depth_m: np.ndarray) -> np.ndarray:
    return (depth_m * 1000).round().astype(np.uint16)


def looked_at(*stored: np.ndarray, **settings):
    source = FakeSource(stored, **settings)
    return [read_evidence(source, n) for n in range(len(source))]


def only_problem(*stored: np.ndarray, **settings) -> str:
    (found,) = problems(looked_at(*stored, **settings))
    assert "\n" not in found
    return found


def test_a_slanted_plane_is_straight_in_inverse_depth_and_its_disparity_in_itself():
    rows, columns = np.mgrid[:240, :320]
    inverse = 0.2 + rows / 240 * 0.6 + columns / 320 * 0.1
    depth, disparity = straight_windows(1 / inverse)
    assert depth > 50
    assert disparity == 0
    assert straight_windows(inverse) == (0, depth)


def test_rooms_are_depth_and_their_inverse_is_refused_as_disparity():
    assert depth_or_disparity(looked_at(*map(millimetres, ROOMS))) == "depth"
    assert problems(looked_at(*map(millimetres, ROOMS))) == []
    found = only_problem(*[millimetres(2 / room) for room in ROOMS])
    assert "look like disparity, not depth" in found
    assert "convert them to camera z" in found


def test_disparity_with_any_scale_and_offset_is_seen():
    stretched = [((1 / room - 0.15) * 2.7).astype(np.float32) for room in ROOMS]
    assert depth_or_disparity(looked_at(*stretched)) == "disparity"


def test_rendered_rooms_with_furniture_are_depth():
    frames = [evidence_of(render_room(seed, size=(126, 168)).sample(str(seed))) for seed in (0, 4)]
    assert depth_or_disparity(frames) == "depth"
    assert problems(frames) == []


def test_a_wall_seen_from_the_front_a_ball_and_a_small_frame_decide_nothing():
    rows, columns = np.mgrid[-120:120, -160:160] / 120
    ball = 3 - np.sqrt(np.maximum(0, 1.9 - (rows**2 + columns**2) / 4))
    for depth_m in (np.full((240, 320), 2.0), ball, ROOMS[0][::8, ::8]):
        frames = looked_at(*[millimetres(depth_m)] * 4)
        assert depth_or_disparity(frames) == "undecided"
        assert problems(frames) == []


def test_holes_do_not_hide_planes():
    holes = np.random.default_rng(0).random((240, 320)) < 0.3
    stored = [np.where(holes, 0, millimetres(room)) for room in ROOMS]
    assert depth_or_disparity(looked_at(*stored)) == "depth"


def real_frames(shared_frames):
    """Two of every scene."""
    folder = RGBDFolder(shared_frames)
    scenes: dict = {}
    for number, frame in enumerate(folder.frames):
        scenes.setdefault(frame.scene, []).append(number)
    return [[folder[n] for n in numbers[:2]] for numbers in scenes.values()]


def test_real_frames_are_depth_and_their_inverse_is_disparity(shared_frames):
    scenes = real_frames(shared_frames)
    assert len(scenes) >= 10
    says = [depth_or_disparity([evidence_of(sample) for sample in scene]) for scene in scenes]
    assert "disparity" not in says
    assert says.count("depth") >= 4
    whole = [evidence_of(sample) for scene in scenes for sample in scene]
    assert problems(whole) == []
    inverse = []
    for sample in (sample for scene in scenes for sample in scene):
        with np.errstate(divide="ignore"):
            of_it = np.where(sample.depth_m > 0, 2 / sample.depth_m, 0).astype(np.float32)
        turned = RGBDSample(sample.image, of_it, valid_depth(of_it), None, sample.name)
        inverse.append(evidence_of(turned))
    assert depth_or_disparity(inverse) == "disparity"
    assert "disparity" in problems(inverse)[0]


def test_millimetres_read_as_metres_suggest_unit_millimetre():
    found = only_problem(*[millimetres(room).astype(np.float32) for room in ROOMS])
    assert "beyond 3," in found  # half of the readings of these rooms are beyond 3 m
    assert found.endswith("pass unit=millimetre")
    whole = [millimetres(room) for room in ROOMS]
    assert only_problem(*whole, unit="metre").endswith("pass unit=millimetre")


def test_metres_read_as_millimetres_suggest_unit_metre():
    found = only_problem(*[room.astype(np.float32) for room in ROOMS], unit="millimetre")
    # The farthest corner of these rooms is about 6.3 m away.
    assert "all depth is below 0.00" in found
    assert found.endswith("pass unit=metre")


def test_another_scale_that_puts_most_beyond_ten_metres_is_a_problem():
    stored = [(room * 5000).round().astype(np.uint16) for room in ROOMS]
    found = only_problem(*stored)
    assert "beyond 10 m" in found
    assert "unit=5000" in found
    assert problems(looked_at(*stored, unit=5000.0)) == []


def test_raw_kinect_disparity_is_recognised_by_the_value_2047():
    raw = [np.where(room > 4, 2047, 1090 - 350 / room).astype(np.uint16) for room in ROOMS]
    for stored in raw:
        stored[:, :10] = 2047  # the part that the projector does not reach
    assert "raw Kinect disparity (2047" in only_problem(*raw)


def test_depth_stretched_frame_by_frame_is_refused_and_a_mark_for_holes_is_not():
    rows, columns = np.mgrid[:240, :320]
    waves = 4 + np.sin(rows / 8) + np.sin(columns / 9)  # no plane in them decides anything
    curved = [millimetres(waves + n) for n in range(4)]
    stretched = [(c / c.max() * 65535).astype(np.uint16) for c in curved]
    assert "each frame was rescaled" in only_problem(*stretched)
    floats = [(c / c.max()).astype(np.float32) for c in curved]
    assert "each frame was rescaled" in only_problem(*floats)
    marked = [c.copy() for c in curved]
    for c in marked:
        c[:20] = 65535
    assert problems(looked_at(*marked)) == []


@pytest.mark.parametrize("step", [256, 257])
def test_eight_bits_in_sixteen_are_refused(step):
    eight = [(room * 25.5).astype(np.uint16) * step for room in ROOMS]
    assert "256 evenly spaced values (8 bits)" in only_problem(*eight)


def test_eight_bits_as_metres_are_refused():
    eight = [((room * 25.5).astype(np.uint8) * (10 / 255)).astype(np.float32) for room in ROOMS]
    assert "256 evenly spaced values (8 bits)" in only_problem(*eight)


def test_nan_negative_and_infinite_depth_is_counted_and_no_problem():
    stored = [room.astype(np.float32) for room in ROOMS]
    stored[0][:2] = np.nan
    stored[1][0, :5] = -1
    stored[2][0, 0] = np.inf
    frames = looked_at(*stored)
    assert problems(frames) == []
    assert notes(frames) == [
        "640 depth value(s) are NaN and are treated as holes",
        "5 depth value(s) are negative and are treated as holes",
        "1 depth value(s) are infinite and are treated as holes",
    ]


def test_frames_without_a_reading_are_counted_and_a_source_of_them_is_refused():
    nothing = np.zeros((240, 320), np.uint16)
    frames = looked_at(millimetres(ROOMS[0]), nothing, nothing)
    assert problems(frames) == []
    assert notes(frames) == ["2 of 3 frames have no valid depth and are skipped: frame-1, frame-2"]
    assert "none of 2 frames has depth" in only_problem(nothing, nothing)
    negative = [-room.astype(np.float32) for room in ROOMS]
    assert "100% of the depth is negative" in only_problem(*negative)


def test_numbers_are_spread_from_the_first_to_the_last():
    assert evenly_spread(10, 4) == [0, 3, 6, 9]
    assert evenly_spread(3, 32) == [0, 1, 2]
    assert evenly_spread(1, 4) == [0]
    assert evenly_spread(0, 4) == []


def test_preflight_names_the_source_and_reads_only_a_few_frames():
    good = FakeSource([millimetres(ROOMS[n % 4]) for n in range(20)], path="good")
    bad = FakeSource([room.astype(np.float32) * 1000 for room in ROOMS], path="bad.mat")
    preflight(Samples([good]), count=5)
    assert good.reads == 5
    with pytest.raises(DataError, match=r"^bad\.mat: .* pass unit=millimetre$"):
        preflight(Samples([good, bad]), count=5)


def test_preflight_remarks_on_depth_nearer_than_a_metre():
    metre_rooms = [millimetres(room) for room in ROOMS]
    near = FakeSource([(room / 10).astype(np.uint16) for room in metre_rooms], path="cm")
    (note,) = preflight(Samples([FakeSource(metre_rooms, path="good"), near]))
    # The farthest corners of these rooms are about 6 m away.
    assert note.startswith("cm: 99% of the depth is nearer than 0.")
    assert "unit=100" in note


@pytest.mark.parametrize(("far_m", "noted"), [(0.99, True), (1.0, False)])
def test_the_remark_on_near_depth_ends_at_one_metre(far_m, noted):
    frames = looked_at(np.full((48, 64), far_m, np.float32))
    assert any(note.startswith("99% of the depth is nearer") for note in notes(frames)) == noted


def test_no_note_is_added_to_a_problem_of_the_unit():
    frames = looked_at(*[room.astype(np.float32) for room in ROOMS], unit="millimetre")
    assert problems(frames)
    assert not any("nearer than" in note for note in notes(frames))


def test_preflight_accepts_folders_and_raises_for_unreadable_frames(rgbd_folder):
    preflight(open_samples([f"{rgbd_folder}:train", f"{rgbd_folder}:val"]))
    (rgbd_folder / "frame-2.depth.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="is not a readable PNG"):
        preflight(open_samples([f"{rgbd_folder}:train"]))


def test_few_windows_decide_nothing():
    one = looked_at(*map(millimetres, ROOMS))[0]

    def says(depth: int, disparity: int) -> str:
        frame = dataclasses.replace(one, for_depth=depth, for_disparity=disparity)
        return depth_or_disparity([frame])

    assert evidence.MIN_WINDOWS == 30
    assert says(0, 29) == "undecided"
    assert says(0, 30) == "disparity"
    assert says(15, 85) == "disparity"
    assert says(16, 84) == "undecided"
    assert says(85, 15) == "depth"


def test_depth_beyond_the_cap_says_how_to_raise_it():
    far = [(room * 12).astype(np.float32) for room in ROOMS]
    found = only_problem(*far)
    assert "of the depth is beyond 10 m" in found
    assert "pass max_depth_m=" in found
    raised = [
        dataclasses.replace(frame, max_depth_m=80.0, valid=frame.positive)
        for frame in looked_at(*far)
    ]
    assert problems(raised) == []
    assert notes(raised) == []


def test_a_tenth_beyond_the_cap_is_a_note():
    half = [
        np.where(np.arange(320) < 80, 12 + room / 10, room).astype(np.float32) for room in ROOMS
    ]
    (note,) = notes(looked_at(*half))
    assert note == "25% of the depth is beyond 10 m and is not used; max_depth_m=20 uses it"


@pytest.mark.parametrize("mark_m", [10.0, 65.535, 6.5])
def test_one_largest_value_of_many_readings_is_told(mark_m):
    marked = [np.where(np.arange(320) < 80, mark_m, room * 0.6) for room in ROOMS]
    (note,) = notes(looked_at(*map(millimetres, marked)))
    assert note == (
        f"25% of the readings of 4 frames are exactly {mark_m:g} m, and none is larger; if that "
        "value marks holes or depth that was cut off, store 0 instead"
    )
    assert notes(looked_at(millimetres(marked[0]), *map(millimetres, ROOMS[1:]))) == []
