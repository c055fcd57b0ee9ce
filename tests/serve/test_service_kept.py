"""What is kept of photos: so many, so many bytes, so long."""

import asyncio

import numpy as np
import pytest

from helpers.small_service import RampScene, error_of, photo, posted, predictor, small_service
from spd.errors import SPDError
from spd.serve import app as app_module
from spd.serve.cache import Kept, SceneCache


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def kept(side: int = 10) -> Kept:
    """4 bytes a pixel of the map, 3 of the picture."""
    return Kept(RampScene((side, side), None), np.zeros((side, side, 3), np.uint8), ())


@pytest.fixture
def clock():
    return Clock()


def test_the_longest_unasked_goes_first(clock):
    cache = SceneCache(2, 10**9, 60, clock)
    first, second = cache.put(kept()), cache.put(kept())
    cache.ask(first)
    third = cache.put(kept())
    assert (len(cache), cache.evicted) == (2, 1)
    with pytest.raises(SPDError, match="no image"):
        cache.ask(second)
    cache.ask(first)
    cache.ask(third)


def test_looking_does_not_keep(clock):
    cache = SceneCache(2, 10**9, 60, clock)
    first, second = cache.put(kept()), cache.put(kept())
    cache.look(first)
    cache.put(kept())
    with pytest.raises(SPDError, match="no image"):
        cache.look(first)
    assert cache.look(second)[1] == 60


def test_bytes_are_counted(clock):
    cache = SceneCache(100, 2000, 60, clock)
    first, second = cache.put(kept()), cache.put(kept())
    assert cache.nbytes == 1400
    third = cache.put(kept())
    assert (len(cache), cache.nbytes) == (2, 1400)
    with pytest.raises(SPDError, match="no image"):
        cache.ask(first)
    cache.remove(third)
    assert cache.nbytes == 700
    with pytest.raises(SPDError, match=r"keeps 0\.002 MB of all photos"):
        cache.put(kept(side=20))
    cache.ask(second)  # nothing was let go of for what never fits
    cache.clear()
    assert (len(cache), cache.nbytes) == (0, 0)


def test_what_nobody_asks_expires(clock):
    cache = SceneCache(100, 10**9, 60, clock)
    first, second = cache.put(kept()), cache.put(kept())
    clock.now = 59
    cache.ask(first)
    clock.now = 60
    with pytest.raises(SPDError, match="expired"):
        cache.ask(second)
    assert (len(cache), cache.expired) == (1, 1)
    assert cache.look(first)[1] == 59
    clock.now = 119
    cache.forget_expired()
    assert (len(cache), cache.nbytes) == (0, 0)


def test_ids_cannot_be_guessed(clock):
    cache = SceneCache(1000, 10**9, 60, clock)
    ids = [cache.put(kept()) for _ in range(200)]
    assert len(set(ids)) == 200
    assert min(map(len, ids)) >= 20


def test_a_real_scenes_maps_are_counted():
    scene = predictor().encode(photo(), focal_px=60)
    maps = scene._maps
    assert scene.nbytes == sum(m.nbytes for m in (maps.stride_8_map, maps.l2, maps.l1)) > 0
    whole = Kept(scene, np.zeros((2, 2, 3), np.uint8), ())
    assert whole.nbytes == scene.nbytes + 12


def test_over_http_a_photo_makes_room_and_is_swept_away(monkeypatch):
    monkeypatch.setattr(app_module, "SWEEP_SECONDS", 0.01)
    with small_service(keep_images=1) as client:
        first = posted(client)
        second = posted(client)
        assert error_of(client.get(f"/v1/images/{first}"))[:2] == (404, "unknown_image")
        assert client.get(f"/v1/images/{second}").status_code == 200
        metrics = client.get("/metrics").text
        assert "\nspd_images 1.0\n" in metrics
        assert "\nspd_images_evicted 1.0\n" in metrics
        cache = client.app.state.service.cache
        clock = Clock()
        clock.now = 1e12
        cache._clock = clock

        async def swept():
            while len(cache):
                await asyncio.sleep(0.005)

        client.portal.call(swept)  # by the service's own task, unasked
        assert cache.expired == 1
    assert cache.nbytes == 0
