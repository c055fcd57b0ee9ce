"""The cache of encoded photos: eviction by number and bytes, expiry by time."""

import asyncio
import functools

import numpy as np
import pytest

from helpers.small_service import RampScene, error_of, photo, posted, predictor, small_service
from spd.errors import SPDError
from spd.serve import app as app_module
from spd.serve import service as service_module
from spd.serve.cache import EncodedPhoto, SceneCache


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def encoded(side: int = 10) -> EncodedPhoto:
    """4 bytes a pixel of the map, 3 of the picture."""
    return EncodedPhoto(RampScene((side, side), None), np.zeros((side, side, 3), np.uint8), ())


@pytest.fixture
def clock():
    return Clock()


def test_the_least_recently_used_photo_is_evicted(clock):
    cache = SceneCache(2, 10**9, 60, clock)
    first, second = cache.put(encoded()), cache.put(encoded())
    cache.use(first)
    third = cache.put(encoded())
    assert (len(cache), cache.evicted) == (2, 1)
    with pytest.raises(SPDError, match="no image"):
        cache.use(second)
    cache.use(first)
    cache.use(third)


def test_peeking_does_not_count_as_a_use(clock):
    cache = SceneCache(2, 10**9, 60, clock)
    first, second = cache.put(encoded()), cache.put(encoded())
    cache.peek(first)
    cache.put(encoded())
    with pytest.raises(SPDError, match="no image"):
        cache.peek(first)
    assert cache.peek(second)[1] == 60


def test_photos_are_evicted_by_bytes(clock):
    cache = SceneCache(100, 2000, 60, clock)
    first, second = cache.put(encoded()), cache.put(encoded())
    assert cache.currsize == 1400
    third = cache.put(encoded())
    assert (len(cache), cache.currsize) == (2, 1400)
    with pytest.raises(SPDError, match="no image"):
        cache.use(first)
    cache.remove(third)
    assert cache.currsize == 700
    with pytest.raises(SPDError, match=r"cache holds at most 0\.002 MB"):
        cache.put(encoded(side=20))
    cache.use(second)  # nothing was evicted for a photo that never fits
    cache.clear()
    assert (len(cache), cache.currsize) == (0, 0)


def test_photos_that_are_not_queried_expire(clock):
    cache = SceneCache(100, 10**9, 60, clock)
    first, second = cache.put(encoded()), cache.put(encoded())
    clock.now = 59
    cache.use(first)
    clock.now = 60
    with pytest.raises(SPDError, match="expired"):
        cache.use(second)
    assert (len(cache), cache.expired) == (1, 1)
    assert cache.peek(first)[1] == 59
    clock.now = 119
    cache.expire()
    assert (len(cache), cache.currsize) == (0, 0)


def test_ids_cannot_be_guessed(clock):
    cache = SceneCache(1000, 10**9, 60, clock)
    ids = [cache.put(encoded()) for _ in range(200)]
    assert len(set(ids)) == 200
    assert min(map(len, ids)) >= 20


def test_the_size_of_a_real_scene_is_that_of_its_maps():
    scene = predictor().encode(photo(), focal_px=60)
    maps = scene._maps
    assert scene.nbytes == sum(m.nbytes for m in (maps.stride_8_map, maps.l2, maps.l1)) > 0
    whole = EncodedPhoto(scene, np.zeros((2, 2, 3), np.uint8), ())
    assert whole.nbytes == scene.nbytes + 12


def test_over_http_photos_are_evicted_and_expire(monkeypatch, clock):
    monkeypatch.setattr(app_module, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(service_module, "SceneCache", functools.partial(SceneCache, clock=clock))
    with small_service(keep_images=1) as client:
        first = posted(client)
        second = posted(client)
        assert error_of(client.get(f"/v1/images/{first}"))[:2] == (404, "unknown_image")
        assert client.get(f"/v1/images/{second}").status_code == 200
        metrics = client.get("/metrics").text
        assert "\nspd_images 1.0\n" in metrics
        assert "\nspd_images_evicted 1.0\n" in metrics
        cache = client.app.state.service.cache
        clock.now = 1e12

        async def swept():
            while len(cache):
                await asyncio.sleep(0.005)

        client.portal.call(swept)  # by the service's own task, without a request
        assert cache.expired == 1
    assert cache.currsize == 0
