"""One room from one place through several lenses."""

import numpy as np
import pytest

pytest.importorskip("embreex", reason="rooms need it")

from spd.data.rooms import render_room
from spd.data.rooms.render import NYU_FOCAL_SHARE

SIZE = (61, 83)
USUAL_PX = NYU_FOCAL_SHARE * SIZE[1]


@pytest.mark.parametrize("times", [0.7, 1.4])
def test_another_lens_at_the_same_place_sees_the_same_scene_at_its_own_scale(times):
    usual = render_room(7, size=SIZE)
    other = render_room(7, size=SIZE, focal_px=times * USUAL_PX, chosen_at_px=USUAL_PX)
    assert other.intrinsics.fx == pytest.approx(times * usual.intrinsics.fx)

    middle = (np.array(SIZE[::-1]) - 1) / 2
    smaller = np.random.default_rng(0).uniform(-0.7, 0.7, (500, 2)) * middle
    in_usual, in_other = (smaller, smaller * times) if times < 1 else (smaller / times, smaller)
    depth_m = usual.depth_at(in_usual + middle)
    np.testing.assert_allclose(other.depth_at(in_other + middle), depth_m, rtol=1e-9)


def test_by_default_every_lens_takes_the_view_that_is_best_through_it():
    seeds = range(7, 17)
    own = [render_room(seed, size=SIZE, focal_px=2 * USUAL_PX).camera for seed in seeds]
    usual = [render_room(seed, size=SIZE).camera for seed in seeds]
    kept = [
        render_room(seed, size=SIZE, focal_px=2 * USUAL_PX, chosen_at_px=USUAL_PX).camera
        for seed in seeds
    ]
    assert all(np.array_equal(a.axes, b.axes) for a, b in zip(usual, kept, strict=True))
    assert not all(np.array_equal(a.axes, b.axes) for a, b in zip(usual, own, strict=True))
