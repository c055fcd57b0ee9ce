"""The door for people: photos in, metres out, in the photo's own pixels.

p = spd.load("runs/rooms")
scene = p.encode("room.jpg")                    # once
scene.depth_at([(320, 240), (15.5, 200.25)])    # metres; (u, v), integers are pixel centres
scene.depth_map()                               # [H, W] metres
"""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from spd.checkpoint import default_device, find_checkpoint, load_checkpoint
from spd.config import PATCH, CameraConfig, ModelConfig
from spd.errors import CheckpointError, InputError, PointError
from spd.geometry import (
    Intrinsics,
    Size,
    allowed_scale,
    check_outside,
    check_points,
    focal_from_fov,
    resize_bilinear,
)
from spd.images import ImageLike, RGBImage, read_image, resample
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD

WIDEST_FOV_DEG = 170.0  # no lens that maps straight lines to straight lines sees more


@dataclasses.dataclass(frozen=True, slots=True)
class ImagePlan:
    """How a photo becomes the model's input and a point follows it.

    The photo is scaled uniformly by `scale` = focal_model / focal_photo, so that a pixel covers
    the angle it covered in training, and its right and bottom borders are repeated up to
    multiples of 14. Where size limits forbid that scale another is used and `depth_factor`
    corrects the answer: `depth * scale / wanted_scale`.
    """

    scale: float
    model_size: Size
    depth_factor: float
    focal_px: float
    focal_known: bool

    @classmethod
    def make(cls, size: Size, camera: CameraConfig, focal_px: float | None) -> "ImagePlan":
        """Plan for a photo of `size` = (height, width) pixels."""
        if focal_px is not None:
            _check_focal(focal_px, size)
        focal = focal_px if focal_px is not None else focal_from_fov(camera.fov_deg, size)
        wanted = camera.focal_px / focal
        scale = allowed_scale(size, wanted)
        rows, columns = (
            max(2, math.ceil(pixels * scale / PATCH - 1e-9)) * PATCH for pixels in size
        )
        return cls(scale, (rows, columns), scale / wanted, focal, focal_px is not None)


class Scene:
    """One encoded photo; ask it as often as you like. Nothing in it changes when asked."""

    def __init__(self, model: SPD, maps: FeatureMaps, size: Size, plan: ImagePlan) -> None:
        self._model = model
        self._maps = maps
        self.size = size
        self.plan = plan

    def depth_at(
        self, points: ArrayLike, *, outside: Literal["raise", "nan"] = "raise"
    ) -> Float[np.ndarray, " k"]:
        """Depth (camera z) in metres at `[K, 2]` points `(u, v)` of the photo.

        Raises:
            PointError: on another shape, or naming the first point that is not finite or outside
                the photo, unless `outside="nan"`.
        """
        asked = _as_points(points)
        check_outside(outside)
        inside: np.ndarray = np.ones(len(asked), dtype=bool)
        if outside == "raise":
            check_points(torch.from_numpy(asked), self.size)
        else:
            low, high = -0.5, np.array([self.size[1], self.size[0]]) - 0.5
            inside = np.all((asked >= low) & (asked <= high), axis=1)
        depth_m = np.full(len(asked), np.nan, dtype=np.float32)
        depth_m[inside] = self._ask(asked[inside])
        return depth_m

    def range_at(
        self, points: ArrayLike, intrinsics: Intrinsics | None = None
    ) -> Float[np.ndarray, " k"]:
        """Distance in metres along the ray to each point; "how far is that" means this.

        Args:
            points: as for `depth_at`.
            intrinsics: the photo's camera; by default its focal length with the principal point
                in the middle.

        Raises:
            InputError: if neither intrinsics nor the photo's focal length are known.
        """
        if intrinsics is None:
            if not self.plan.focal_known:
                raise InputError("range needs the photo's focal length; encode with focal_px=...")
            intrinsics = Intrinsics.centred(self.plan.focal_px, self.size)
        asked = _as_points(points)
        lengths = intrinsics.ray_lengths(torch.from_numpy(asked)).numpy()
        return (self.depth_at(asked) * lengths).astype(np.float32)

    def depth_map(self, *, fast: bool = False) -> Float[np.ndarray, "h w"]:
        """Depth in metres at every pixel: `depth_map()[v, u] == depth_at([(u, v)])[0]`.

        Args:
            fast: evaluate the dense grid and resize it bilinearly instead of asking every pixel;
                `docs/evaluation.md` says how far the two lie apart.
        """
        height, width = self.size
        if not fast:
            v, u = np.mgrid[:height, :width]
            return self.depth_at(np.stack([u.ravel(), v.ravel()], axis=1)).reshape(height, width)
        with torch.inference_mode():
            full = resize_bilinear(self._model.dense(self._maps), self._maps.image_size)
            rows, columns = (self._to_model(np.arange(pixels)) for pixels in (height, width))
            depth_m = _bilinear_lattice(full[0, 0], rows, columns)
        return depth_m.cpu().numpy().astype(np.float32) * np.float32(self.plan.depth_factor)

    def _ask(self, points: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            depth_m = self._model.query(self._maps, self._to_model(points)[None])[0]
        return depth_m.float().cpu().numpy() * np.float32(self.plan.depth_factor)

    def _to_model(self, points: np.ndarray) -> Tensor:
        """Coordinates of the photo in pixels of the model's input, by the scale alone."""
        moved = (points + 0.5) * self.plan.scale - 0.5
        return torch.from_numpy(moved).to(self._maps.l1.device, torch.float32)


class Predictor:
    """A loaded model that takes photos of any size."""

    def __init__(self, model: SPD, device: torch.device, source: str) -> None:
        self._model = model.to(device).eval()
        self.device = device
        self.source = source
        self._warned = False

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self._model.config

    def encode(self, image: ImageLike, *, focal_px: float | None = None) -> Scene:
        """Read a photo and pay everything that is paid once.

        Args:
            image: path, PIL image, or uint8 RGB array `[H, W, 3]`.
            focal_px: the photo's focal length in its own pixels. Metres depend on it; unknown, the
                training camera's field of view is assumed along the longer side, with a warning.

        Raises:
            InputError: if the image cannot be read or `focal_px` is not positive.
        """
        pixels = read_image(image)
        size: Size = (pixels.shape[0], pixels.shape[1])
        plan = ImagePlan.make(size, self.config.camera, focal_px)
        if focal_px is None and not self._warned:
            self._warned = True
            warnings.warn(
                f"focal length unknown: assuming {self.config.camera.fov_deg:g} degrees along the "
                "longer side; metres scale with it, so pass focal_px where you know it",
                stacklevel=2,
            )
        with torch.inference_mode():
            maps = self._model.encode(self._prepare(pixels, plan))
        return Scene(self._model, maps, size, plan)

    def _prepare(self, pixels: RGBImage, plan: ImagePlan) -> Tensor:
        resampled = resample(pixels, plan.scale, plan.model_size)
        tensor = torch.from_numpy(resampled.copy()).to(self.device).permute(2, 0, 1)
        return (tensor.to(self._model.dtype) / 255)[None]


def load(
    source: str | Path | None = None, *, device: str | torch.device | None = None
) -> Predictor:
    """A predictor from a checkpoint: a file, a directory, a training run, or a hub id.

    Args:
        source: where the weights are.
        device: by default CUDA or MPS where present, else the CPU.

    Raises:
        CheckpointError: if there is no usable checkpoint there.
    """
    if source is None:
        raise CheckpointError(
            "no trained model ships with this version; run `make run` and load runs/rooms_tiny"
        )
    folder = find_checkpoint(source)
    model, _ = load_checkpoint(folder)
    chosen = torch.device(device) if device is not None else default_device()
    return Predictor(model, chosen, str(source))


def _check_focal(focal_px: float, size: Size) -> None:
    if not (math.isfinite(focal_px) and focal_px > 0):
        raise InputError(f"focal_px must be a positive number of pixels, got {focal_px}")
    fov_deg = math.degrees(2 * math.atan(max(size) / 2 / focal_px))
    if fov_deg > WIDEST_FOV_DEG:
        raise InputError(
            f"focal_px {focal_px:g} over {max(size)} pixels is a field of view of {fov_deg:.0f} "
            "degrees; is it in pixels of this image, not in millimetres?"
        )


def _as_points(points: ArrayLike | Sequence[tuple[float, float]]) -> np.ndarray:
    try:
        asked = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        raise PointError("points must be numbers, [K, 2] of (u, v)") from None
    if asked.size == 0:
        return asked.reshape(0, 2)
    if asked.ndim != 2 or asked.shape[1] != 2:
        raise PointError(f"points must be [K, 2] of (u, v), got {asked.shape}")
    return asked


def _bilinear_lattice(depth_m: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """A map read at every crossing of fractional rows and columns, borders repeated."""

    def blend(values: Tensor, at: Tensor) -> Tensor:  # along the first axis
        last = values.shape[0] - 1
        at = at.clamp(0, last)
        below = at.floor().long()
        return torch.lerp(values[below], values[(below + 1).clamp(max=last)], (at - below)[:, None])

    return blend(blend(depth_m, rows).T, columns).T
