"""The real service with the model that ships, on a port of its own, for a browser to visit."""

import contextlib
import dataclasses
import functools
import io
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

import spd

uvicorn = pytest.importorskip("uvicorn", reason="the page comes from the service (spd[serve])")

FOCAL_PX = 260.0
"""Of `photo_bytes`, where a test gives one."""


@functools.cache
def predictor() -> Any:
    return spd.load(device="cpu", runtime="torch")


@functools.cache
def pixels(height: int = 240, width: int = 320) -> np.ndarray:
    """A picture that is different everywhere, `[H, W, 3]`."""
    rough = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


def encoded(form: str = "PNG", picture: np.ndarray | None = None, **options: Any) -> bytes:
    """A picture as a file."""
    data = io.BytesIO()
    Image.fromarray(pixels() if picture is None else picture).save(data, form, **options)
    return data.getvalue()


@functools.cache
def scene(data: bytes, focal_px: float | None = FOCAL_PX) -> Any:
    """What Python says of the same file."""
    return predictor().encode(data, focal_px=focal_px)


@dataclasses.dataclass(frozen=True)
class RunningService:
    """A service that runs."""

    address: str
    service: Any


@contextlib.contextmanager
def serving(token: str | None = None, **limits: Any) -> Iterator[RunningService]:
    """The service in a thread, until the block ends."""
    from spd.serve.app import create_app
    from spd.serve.config import ServeConfig
    from spd.serve.server import bind, url_of
    from spd.serve.service import ServedModel

    model = ServedModel(predictor=predictor(), name="shipped", runtime="torch")
    app = create_app(model, ServeConfig(**limits), token)
    bound = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield RunningService(url_of(bound), app.state.service)
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
