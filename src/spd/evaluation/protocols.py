"""Evaluation protocols by name: how predictions are compared with truth.

Tables in papers differ in crop, cap, averaging and alignment, so their numbers are not comparable.
Each combination has a name here, and every table prints all of its settings.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spd.config import CameraConfig
from spd.errors import ConfigError, InputError
from spd.evaluation.metrics import Floats, Mask
from spd.evaluation.metrics.accuracy import MAX_DEPTH_M, MIN_DEPTH_M, SILog, clamp_prediction
from spd.evaluation.metrics.alignment import Alignment, Kind

View = Literal["whole", "crop"]
"""The network sees the whole photo, or the training camera's crop at its centre."""
Box = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""
Size = tuple[int, int]

EIGEN_CROP: Box = (45, 471, 41, 601)
EIGEN_FRAME: Size = (480, 640)
_SILOG_WORDS: dict[SILog, str] = {
    "bts": "silog 100 sqrt(mean d^2 - (mean d)^2)",
    "dav2": "silog sqrt(mean d^2 - 0.5 (mean d)^2)",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings of one comparison."""

    name: str
    """Its name on the command line and in files."""
    crop: Literal["none", "eigen"] = "none"
    """`eigen`: score only rows 45..471 and columns 41..601 of NYU's 480x640 frames."""
    min_m: float = MIN_DEPTH_M
    """Metres that truth must exceed; nearer predictions are clamped to it."""
    max_m: float = MAX_DEPTH_M
    """Metres beyond which truth is not scored."""
    max_counts: bool = True
    """Whether truth of exactly `max_m` is scored."""
    clamp_far: bool = True
    """Whether predictions beyond `max_m` are clamped to it."""
    ground_truth: Literal["as stored", "raw"] = "as stored"
    """`raw`: the sensor's readings only; depth with filled holes is refused."""
    averaging: Literal["per image", "pooled pixels"] = "per image"
    """Whether every image or every pixel has the same weight."""
    alignment: Alignment = "none"
    """The fit of each image to its truth before scoring (`spd.evaluation.metrics.alignment`)."""
    flip: bool = False
    """Whether predictions are averaged with those of the mirrored photo."""
    silog: SILog = "bts"
    """The formula of silog."""

    def words(self, view: View = "whole", config: dict[str, Any] | None = None) -> str:
        """All settings in one sentence, as printed above every table.

        Args:
            view: the part of the photo that the network saw.
            config: the model's configuration; its camera determines the crop.
        """
        parts = [
            f"{self.name}: {self._pixels(view, config or {})}",
            f"{self.min_m:g} < d {'<=' if self.max_counts else '<'} {self.max_m:g} m",
            "raw ground truth" if self.ground_truth == "raw" else "ground truth as stored",
            "per image then mean" if self.averaging == "per image" else "all pixels pooled",
            _alignment_words(self.alignment),
            "mean with the mirrored photo" if self.flip else "no flip",
            f"predictions clamped to {self.min_m:g}..{self.max_m:g} m"
            if self.clamp_far
            else f"predictions clamped to {self.min_m:g} m and more",
            _SILOG_WORDS[self.silog],
        ]
        return ", ".join(parts)

    def _pixels(self, view: View, config: dict[str, Any]) -> str:
        pixels = "native pixels"
        if self.crop == "eigen":
            pixels += " in rows 45..471, columns 41..601 of 480x640 (Eigen crop)"
        if view == "crop":
            camera = camera_of(config)
            height, width = camera.crop_size
            pixels += (
                f" inside the middle crop of {height}x{width} at focal length "
                f"{camera.focal_px:g} px"
            )
        return pixels

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    def capped(self, max_m: float) -> "Protocol":
        """Copy of this protocol with another largest depth, in metres."""
        return dataclasses.replace(self, max_m=max_m)

    def clamp(self, predicted_m: npt.ArrayLike) -> Floats:
        """Predictions as they are scored."""
        return clamp_prediction(predicted_m, above=self.clamp_far, max_m=self.max_m)

    def scored(
        self,
        truth_m: npt.NDArray[np.floating[Any]],
        pixel_index: npt.NDArray[np.int64],
        depth_size: Size,
    ) -> Mask:
        """The mask `[N]` of the readings that are scored: inside the range and the crop.

        Args:
            truth_m: `[N]` metres.
            pixel_index: `[N]` their pixels in the depth map, counted row by row.
            depth_size: (height, width) of the map.
        """
        counts = truth_m > self.min_m
        counts &= truth_m <= self.max_m if self.max_counts else truth_m < self.max_m
        if self.crop == "none":
            return counts
        top, bottom, left, right = EIGEN_CROP
        row, column = np.divmod(pixel_index, depth_size[1])
        return counts & (row >= top) & (row < bottom) & (column >= left) & (column < right)

    def check_frame(self, name: str, depth_size: Size, seen: Box) -> None:
        """Refuse a frame that does not contain this protocol's crop.

        Args:
            name: of the frame.
            depth_size: (height, width) of its depth.
            seen: the part of it that the network saw.

        Raises:
            InputError: names the protocol that would apply.
        """
        if self.crop == "none":
            return
        top, bottom, left, right = EIGEN_CROP
        other = next(p for p in PROTOCOLS if p.crop == "none" and p.alignment == self.alignment)
        if depth_size != EIGEN_FRAME:
            raise InputError(
                f"protocol {self.name} scores rows {top}..{bottom}, columns {left}..{right} of "
                f"480x640 depth, but {name} has {depth_size[0]}x{depth_size[1]}; use protocol "
                f"{other.name}"
            )
        if seen[0] > top or seen[1] < bottom or seen[2] > left or seen[3] < right:
            raise InputError(
                f"protocol {self.name} scores rows {top}..{bottom}, columns {left}..{right}, but "
                f"the model's crop of {name} shows rows {seen[0]}..{seen[1]}, columns "
                f"{seen[2]}..{seen[3]}; use protocol {other.name}, or spd evaluate with --view "
                "whole"
            )

    def check_kind(self, kind: Kind) -> None:
        """Refuse a model whose predictions this alignment does not turn into metres.

        Raises:
            InputError: names the protocols that would apply.
        """
        if kind == "metric":
            return
        sufficient = ["median", "least squares", "least squares in inverse depth"]
        if kind == "relative-disparity":
            sufficient = sufficient[2:]
        if self.alignment in sufficient:
            return
        names = [p.name for p in PROTOCOLS if p.alignment in sufficient and p.crop == self.crop]
        raise InputError(
            f"the model predicts {kind.replace('-', ' ')}, which has no scale in metres, so "
            f"protocol {self.name} ({_alignment_words(self.alignment)}) cannot score it; use "
            f"{' or '.join(names or ['native-lsq-disparity'])}"
        )


def _alignment_words(alignment: Alignment) -> str:
    if alignment == "none":
        return "no alignment"
    if alignment == "median":
        return "each image scaled to its true median"
    space = "inverse depth" if "inverse" in alignment else "depth"
    return f"each image fitted to its truth by scale and shift in {space}"


def _bts(name: str, **changes: Any) -> Protocol:
    return Protocol(name=name, crop="eigen", max_counts=False, ground_truth="raw", **changes)


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(name="native"),
    Protocol(name="native-median", alignment="median"),
    Protocol(name="native-lsq", alignment="least squares"),
    Protocol(name="native-lsq-disparity", alignment="least squares in inverse depth"),
    _bts("bts"),
    _bts("bts-flip", flip=True),
    _bts("bts-pooled", averaging="pooled pixels"),
    _bts("bts-median", alignment="median"),
    _bts("bts-lsq", alignment="least squares"),
    _bts("bts-lsq-disparity", alignment="least squares in inverse depth"),
    Protocol(name="dav2", clamp_far=False, ground_truth="raw", silog="dav2"),
)
"""All protocols; `bts` is the default for NYU's 480x640 frames and `native` for other data."""

PROTOCOL_NAMES: tuple[str, ...] = tuple(protocol.name for protocol in PROTOCOLS)


def protocol_named(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ConfigError: if it does not exist; names all protocols.
    """
    for protocol in PROTOCOLS:
        if protocol.name == name:
            return protocol
    raise ConfigError(f"unknown protocol {name!r}; choose from {', '.join(PROTOCOL_NAMES)}")


def protocols_named(names: Sequence[str]) -> tuple[Protocol, ...]:
    """Protocols in the given order, without repetition; a name may be a comma-separated list.

    Raises:
        ConfigError: if one does not exist.
    """
    words = [word.strip() for name in names for word in name.split(",")]
    return tuple(protocol_named(word) for word in dict.fromkeys(words))


def camera_of(config: dict[str, Any]) -> CameraConfig:
    """The training camera of a model's configuration.

    Raises:
        InputError: if the model has none.
    """
    if "camera" not in config:
        raise InputError("no training camera is stored in the model; use --view whole")
    return CameraConfig.from_dict(config["camera"])
