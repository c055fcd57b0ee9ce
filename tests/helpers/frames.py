"""A few small frames that tests write in every format.

The images are decoded JPEG, and the bytes of the JPEG are kept, so that formats with JPEG files and
formats with arrays hold the same pixels. Depth is whole millimetres for the same reason.
"""

import dataclasses
import io

import numpy as np
from PIL import Image


@dataclasses.dataclass(frozen=True, slots=True)
class MiniatureFrame:
    """One frame of NYU's size."""

    jpeg: bytes
    image: np.ndarray
    """uint8 [480, 640, 3], `jpeg` decoded."""
    depth_mm: np.ndarray
    """uint16 [480, 640]; 0 is a hole."""
    split: str
    scene: str
    """Scene of NYU's raw video, such as kitchen_0028b."""
    number: int
    """Index among the 1,449 labelled frames, from 0."""

    @property
    def depth_m(self) -> np.ndarray:
        """float32 [480, 640] metres."""
        return self.depth_mm.astype(np.float32) / np.float32(1000)

    @property
    def filled_m(self) -> np.ndarray:
        """`depth_m` with its holes filled in."""
        return np.where(self.depth_mm == 0, np.float32(2.5), self.depth_m)

    @property
    def scene_type(self) -> str:
        """`kitchen` of kitchen_0028b."""
        return self.scene.rpartition("_")[0]


# Numbers of each split are truly of that split, and training scenes are truly training scenes.
_PLACES = (
    ("train", "kitchen_0028b", 2),
    ("train", "kitchen_0028b", 3),
    ("train", "bedroom_0004", 47),
    ("train", "office_0003", 18),
    ("test", "kitchen_0004", 0),
    ("test", "bathroom_0009", 45),
)


def miniature_frames() -> list[MiniatureFrame]:
    """Four frames to train on and two to test on: smooth colours, a slanted floor, holes."""
    return [_frame(seed, *place) for seed, place in enumerate(_PLACES)]


def _frame(seed: int, split: str, scene: str, number: int) -> MiniatureFrame:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).save(
        buffer, "JPEG", quality=90
    )
    image = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    rows, columns = np.mgrid[:480, :640]
    # A plane: its inverse depth is affine in the pixel, as perspective makes it.
    inverse = 1 / (1.5 + 0.3 * seed) - rows / 480 * 0.1 - columns / 640 * 0.05
    depth_mm = (1000 / inverse).round().astype(np.uint16)
    holes = generator.random((24, 32)) < 0.1
    depth_mm[np.kron(holes, np.ones((20, 20), dtype=bool))] = 0
    return MiniatureFrame(buffer.getvalue(), image, depth_mm, split, scene, number)
