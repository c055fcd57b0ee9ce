"""Shared fixtures: a small model, small maps, one seed; the real frames where they are there."""

import collections
import signal
from pathlib import Path

from jaxtyping import install_import_hook

# Shapes in signatures are checked in every test, behind the doors that refuse wrong input with
# their own words. This must come before the modules are imported.
install_import_hook(
    ["spd.models.decoder", "spd.models.encoder_vits", "spd.losses"], "beartype.beartype"
)

import pytest
import torch

from helpers.paths import SHARED_FRAMES
from helpers.samples import write_rgbd_folder
from spd.config import EncoderConfig, ModelConfig
from spd.models.spd import SPD


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(ids: list[str]) -> None:
    """Refuse two tests of one name: pytest-xdist runs only one of them, and says nothing."""
    counts = collections.Counter(ids)
    if twice := [name for name, count in counts.items() if count > 1]:
        pytest.exit(f"{counts[twice[0]]} tests are called {twice[0]}", returncode=1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def small_config() -> ModelConfig:
    """Sizes that differ from each other, so that no swapped axis passes by luck."""
    tiny = ModelConfig.tiny()
    encoder = EncoderConfig(
        hidden_size=22, layers=5, heads=2, taps=(0, 1, 3, 4), position_size_px=42
    )
    camera = tiny.camera.model_copy(update={"crop_height_px": 42, "crop_width_px": 70})
    return ModelConfig(encoder=encoder, dim=12, heads=4, head_width=17, camera=camera)


@pytest.fixture
def small_model(small_config: ModelConfig) -> SPD:
    return SPD(small_config)


@pytest.fixture
def rgbd_folder(tmp_path: Path) -> Path:
    """The folder that `write_rgbd_folder` writes."""
    return write_rgbd_folder(tmp_path / "frames")


@pytest.fixture
def shared_frames() -> Path:
    if not SHARED_FRAMES.is_dir():
        pytest.skip("the real RGB-D frames are research-licensed and not part of the repository")
    return SHARED_FRAMES


@pytest.fixture
def usual_signals():
    """Handle signals as in a terminal: under nohup and in the background, some are ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
