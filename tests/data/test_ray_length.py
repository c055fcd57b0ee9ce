"""Camera z and ray length: told apart on planes, converted by the camera, refused when mixed up."""

import numpy as np
import pytest

from helpers.fake_source import FakeSource, corner_room
from helpers.paths import SHARED_FRAMES
from spd.data.evidence import problems, read_evidence
from spd.data.formats import open_source
from spd.data.ray_length import frame_power, range_problem, ray_length_map, z_of_range
from spd.data.rooms import render_room
from spd.errors import DataError
from spd.pixels import Intrinsics

SIZE = (240, 320)
CAMERA = Intrinsics.centred(0.81 * 320, SIZE)
ROOMS = [corner_room(yaw) for yaw in (20, 50, 130, 220, 340)]
LENGTHS = ray_length_map(CAMERA, SIZE, SIZE)


def noisy(depth_m: np.ndarray, share: float) -> np.ndarray:
    return depth_m * (1 + share * np.random.default_rng(0).normal(size=depth_m.shape))


def found(maps, **settings) -> list[str]:
    source = FakeSource([depth_m.astype(np.float32) for depth_m in maps], **settings)
    return problems([read_evidence(source, n) for n in range(len(source))])


def test_z_of_a_range_is_exact_also_at_another_resolution():
    z_m = np.linspace(1, 5, 60 * 80).reshape(60, 80)
    camera = Intrinsics(250.0, 260.0, 150.0, 130.0)
    u, v = np.meshgrid(np.arange(80) * 4 + 1.5, np.arange(60) * 4 + 1.5)
    range_m = z_m * np.sqrt(((u - 150) / 250) ** 2 + ((v - 130) / 260) ** 2 + 1)
    got = z_of_range(range_m, camera, SIZE, "x")
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, z_m, rtol=1e-6)
    with pytest.raises(DataError, match=r"x: depth=range needs the camera.*pass focal_px="):
        z_of_range(range_m, None, SIZE, "x")


@pytest.mark.parametrize("noise", [0, 0.002, 0.01])
def test_power_is_0_for_z_and_1_for_range_at_any_noise(noise):
    room = noisy(ROOMS[1], noise)
    for power, map_m in enumerate((room, room * LENGTHS)):
        assert frame_power(map_m, CAMERA, SIZE) == pytest.approx(power, abs=0.2 if noise else 0.01)


@pytest.mark.parametrize("unit", ["float metres", "millimetres", "holes", "noise", "quantised"])
def test_ray_length_is_a_problem_and_z_is_none(unit):
    change = {
        "float metres": lambda d: d,
        "millimetres": lambda d: (d * 1000).round() / 1000,
        "holes": lambda d: np.where(np.random.default_rng(1).random(d.shape) < 0.2, 0, d),
        "noise": lambda d: noisy(d, 0.008),
        "quantised": lambda d: (d * 50).round() / 50,
    }[unit]
    (problem,) = found([change(room * LENGTHS) for room in ROOMS])
    assert "depth looks like the distance along each ray, not camera z" in problem
    assert "5 of 5 frames; pass depth=range" in problem
    assert found([change(room) for room in ROOMS]) == []


def test_z_that_was_divided_by_the_rays_is_told():
    (problem,) = found([room / LENGTHS for room in ROOMS])
    assert "camera z that was divided by the length of the ray" in problem
    assert "remove depth=range" in problem


def test_curved_few_and_frontal_things_decide_nothing():
    v, u = np.mgrid[:240, :320]
    curved = (
        1 + 3 * v / 239,  # linear in the row: not a plane
        2 + u / 100 + np.sin(v / 30),
    )
    for map_m in (*curved, np.full((12, 16), 2.0)):
        assert frame_power(map_m, CAMERA, SIZE) is None
    assert frame_power(ROOMS[0], None, SIZE) is None
    assert range_problem([1.0, 1.0, 1.0, None]) is None
    assert range_problem([1.0, 1.0, 0.1, 1.0, 0.0]) is None
    assert range_problem([3.0, 2.5, 2.0, 2.2]) is None


@pytest.mark.slow
def test_rendered_rooms_are_z():
    powers: list[list] = [[], []]
    for seed in range(6):
        sample = render_room(seed, size=(126, 168)).sample(str(seed))
        camera, size = sample.intrinsics, sample.image_size
        lengths = ray_length_map(camera, size, size)
        powers[0].append(frame_power(sample.depth_m, camera, size))
        powers[1].append(frame_power(sample.depth_m * lengths, camera, size))
    assert range_problem(powers[0]) is None
    assert "distance along each ray" in str(range_problem(powers[1]))


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_FRAMES.is_dir(), reason="needs the real frames")
def test_real_frames_are_z_and_their_ranges_are_noticed():
    source = open_source(str(SHARED_FRAMES))
    folders: dict[str, list] = {}
    for number, frame in enumerate(source.frames):
        folders.setdefault(frame.name.split("/")[0], []).append(number)
    noticed = []
    for name, numbers in folders.items():
        chosen = numbers[:: max(1, len(numbers) // 16)][:16]
        samples = [source[n] for n in chosen]
        powers = []
        for of_range in (False, True):
            powers.append([])
            for sample in samples:
                depth_m, camera = sample.depth_m, sample.intrinsics
                if of_range and camera is not None:
                    depth_m = depth_m * ray_length_map(camera, sample.image_size, sample.depth_size)
                powers[-1].append(frame_power(depth_m, camera, sample.image_size))
        assert range_problem(powers[0]) is None, name
        noticed += [name] if range_problem(powers[1]) else []
    assert len(noticed) >= 4
