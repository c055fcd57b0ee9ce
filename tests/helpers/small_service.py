"""Services to ask: over a small network, and over one that answers when a test lets it."""

import contextlib
import functools
import io
import threading
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from starlette.testclient import TestClient

from helpers import exports
from spd.predictors.torch_predictor import Predictor
from spd.scenes.photo_predictor import PhotoPredictor
from spd.scenes.scene import PhotoScene
from spd.serve.app import create_app
from spd.serve.config import ServeConfig
from spd.serve.service import ServedModel

JPEG = {"content-type": "image/jpeg"}


@functools.cache
def predictor() -> Predictor:
    """A small network whose answers differ from point to point."""
    return Predictor(exports.model(), torch.device("cpu"), "small")


def photo(height: int = 48, width: int = 64, seed: int = 0, form: str = "PNG") -> bytes:
    """A file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def small_app(token: str | None = None, network=None, **limits):
    """The application over a network, by default the small one."""
    model = ServedModel(predictor=network or predictor(), name="small", runtime="torch")
    return create_app(model, ServeConfig(**limits), token)


@contextlib.contextmanager
def small_service(token: str | None = None, network=None, **limits) -> Iterator[TestClient]:
    """A client of a service that runs; `client.app.state.service` is what it holds."""
    app = small_app(token, network, **limits)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def posted(client: TestClient, data: bytes | None = None, **camera) -> str:
    """Post a photo; its id."""
    answer = client.post("/v1/images", content=data or photo(), headers=JPEG, params=camera)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def error_of(answer) -> tuple[int, str, str]:
    """Status, kind and message of a refusal, which has nothing else in it."""
    body = answer.json()
    assert list(body) == ["error"], body
    assert sorted(body["error"]) == ["kind", "message"], body
    message = body["error"]["message"]
    assert message
    assert "\n" not in message
    return answer.status_code, body["error"]["kind"], message


class RampScene(PhotoScene):
    """One metre at column 0 and 1 cm more a column."""

    def depth_map(self, *, fast=False):
        return np.broadcast_to(1 + 0.01 * np.arange(self.size[1]), self.size).astype(np.float32)

    def _ask(self, points):
        return (1 + 0.01 * points[:, 0]).astype(np.float32)


class BlockingPredictor(PhotoPredictor):
    """A network that prepares its own input and answers when `go` is set."""

    device, source, config = "cpu", "held", None

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.encoded = 0

    def encode_many(self, photos):
        self.began.release()
        assert self.go.wait(30)
        self.encoded += len(photos)
        return [RampScene(photo.pixels.shape[:2], photo.focal) for photo in photos]


class FailingPredictor(BlockingPredictor):
    """A network that raises an error for every photo."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def encode_many(self, photos):
        raise self.error
