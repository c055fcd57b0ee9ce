"""Shared fixtures: a small model, small maps, one seed; the real frames where they are there."""

import collections
from pathlib import Path

from jaxtyping import install_import_hook

# Shapes in signatures are checked in every test, behind the doors that refuse wrong input with
# their own words. This must come before the modules are imported.
install_import_hook(
    ["spd.models.decoder", "spd.models.encoder_vits", "spd.losses"], "beartype.beartype"
)

import numpy as np
import pytest
import torch

from spd.config import EncoderConfig, ModelConfig
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.sample import RGBDSample
from spd.geometry import Intrinsics
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

SHARED_FRAMES = Path(__file__).parents[2] / "shared" / "data" / "frames"


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


def random_maps(
    dim: int, patches: tuple[int, int], *, batch: int = 1, dtype: torch.dtype = torch.float64
) -> FeatureMaps:
    """Feature maps of normal noise, as large as an image of h x w patches makes them."""
    h, w = patches
    s8, l2, l1 = (torch.randn(batch, dim, n * h, n * w, dtype=dtype) for n in (2, 2, 4))
    return FeatureMaps(s8, l2, l1, (14 * h, 14 * w))


def slanted_sample(name: str = "slanted", size: tuple[int, int] = (48, 64)) -> RGBDSample:
    """A coloured ramp whose depth grows with the row, and a camera of NYU's field of view."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows * 255 // size[0], columns * 255 // size[1], rows * 0 + 99], axis=-1)
    depth_m = (1.0 + 3.0 * rows / size[0]).astype(np.float32)
    camera = Intrinsics.centred(0.81 * size[1], size)
    return RGBDSample(image.astype(np.uint8), depth_m, np.ones(size, dtype=bool), camera, name)


def write_rgbd_folder(folder: Path) -> Path:
    """A folder of five slanted frames: three to train on, two to validate on."""
    entries = []
    for number in range(5):
        sample = slanted_sample(f"frame-{number}")
        write_frame(sample, folder)
        split = "train" if number < 3 else "val"
        entries.append(frame_entry(sample.name, sample.image_size, sample.intrinsics, split))
    write_index(entries, folder)
    return folder


@pytest.fixture
def rgbd_folder(tmp_path: Path) -> Path:
    """The folder that `write_rgbd_folder` writes."""
    return write_rgbd_folder(tmp_path / "frames")


@pytest.fixture
def shared_frames() -> Path:
    if not SHARED_FRAMES.is_dir():
        pytest.skip("the real RGB-D frames are research-licensed and not part of the repository")
    return SHARED_FRAMES
