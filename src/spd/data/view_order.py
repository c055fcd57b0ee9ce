"""Order of the frames in training and size of their views, determined by the seed alone."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from spd.config import PATCH, CameraConfig
from spd.data.sample import RGBDSample
from spd.data.sources import Samples
from spd.data.views import frame_camera
from spd.recipes import TrainConfig

_SMALLEST_PX = 2 * PATCH


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Frames with views of one size, which may therefore share a step."""

    frames: Sequence[int]
    """Sample numbers of the frames."""
    camera: CameraConfig
    """Training camera, with the size of their views as its crop."""


def groups_of(
    samples: Sequence[RGBDSample], camera: CameraConfig, config: TrainConfig
) -> list[Group]:
    """Groups of frames: all in one with the camera's own crop, or one per source.

    With `views="sources"` the crop is the first frame of the source at the training focal length,
    cut to multiples of 14 pixels: a wide lens gives a large view, a long one a small one.

    Raises:
        DataError: if that frame cannot be read or has no intrinsics.
    """
    if config.views == "crop":
        return [Group(range(len(samples)), camera)]
    if isinstance(samples, Samples):
        parts: list[Sequence[int]] = [own for _, own in samples.of_sources]
    else:
        parts = [range(len(samples))]
    return [Group(part, _camera_of(samples[part[0]], camera)) for part in parts]


def _camera_of(sample: RGBDSample, camera: CameraConfig) -> CameraConfig:
    scale = camera.focal_px / frame_camera(sample).focal_px
    patches = (int(pixels * scale / PATCH + 1e-6) for pixels in sample.image_size)
    height, width = (max(_SMALLEST_PX, count * PATCH) for count in patches)
    return camera.model_copy(update={"crop_height_px": height, "crop_width_px": width})


class ViewOrder:
    """Random order of the frames, new in every epoch; all images of a step are of one group.

    If the frames of a group do not fill whole steps, each epoch leaves out others. A group with
    fewer frames than a step repeats them.
    """

    def __init__(self, groups: Sequence[Group], batch_size: int, seed: int) -> None:
        self.groups = groups
        self._batch_size = batch_size
        self._seed = seed
        self._epoch: tuple[int, np.ndarray] | None = None
        self._alone = len(groups) == 1

    def __getitem__(self, number: int) -> tuple[int, CameraConfig]:
        """Sample number and camera of the n-th view."""
        if self._alone:  # steps may cross epochs, so no frame is left out
            epoch, place = divmod(number, len(self.groups[0].frames))
            return int(self._order(epoch)[place]), self.groups[0].camera
        step, place = divmod(number, self._batch_size)
        epoch, step = divmod(step, sum(self._steps(group) for group in self.groups))
        group, *frames = self._order(epoch)[step].tolist()
        return frames[place], self.groups[group].camera

    def _steps(self, group: Group) -> int:
        return max(1, len(group.frames) // self._batch_size)

    def _order(self, epoch: int) -> np.ndarray:
        """Frames of one group in order; for several `[steps, 1 + batch]`: group and frames."""
        if self._epoch is None or self._epoch[0] != epoch:
            rng = np.random.default_rng([self._seed, 0, epoch])
            self._epoch = epoch, self._shuffled(rng)
        return self._epoch[1]

    def _shuffled(self, rng: np.random.Generator) -> np.ndarray:
        if self._alone:
            frames = np.asarray(self.groups[0].frames)
            return frames[rng.permutation(len(frames))]
        rows = []
        for number, group in enumerate(self.groups):
            shape = self._steps(group), self._batch_size
            frames = np.resize(rng.permutation(np.asarray(group.frames)), shape)
            rows.append(np.column_stack([np.full(shape[0], number), frames]))
        return rng.permutation(np.concatenate(rows))
