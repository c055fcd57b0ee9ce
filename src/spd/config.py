"""Typed, frozen configurations that refuse unknown keys.

Those of the model are here, those of training in `spd.recipes`. Importing this module imports
neither torch nor transformers.
"""

import reprlib
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field, model_validator

from spd.errors import ConfigError, shortened

Int = Annotated[int, pydantic.Strict()]  # no booleans, no "64", no 64.0
Float = Annotated[float, pydantic.Strict()]  # no booleans, no "0.5"; whole numbers are allowed
Bool = Annotated[bool, pydantic.Strict()]  # no "yes", no 1
LocalPathName = Literal["cross_attention", "conv", "bilinear_mlp"]
PATCH = 14  # DINOv2's patch size; the encoder has no other.
_MOST_ERRORS = 8


class Frozen(pydantic.BaseModel):
    """Base of all configurations: immutable, with strict types and without unknown keys."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except pydantic.ValidationError as error:
            raise ConfigError(_one_line(type(self).__name__, error)) from None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build a configuration from plain JSON data.

        Raises:
            ConfigError: on unknown keys, wrong types or contradictory values.
        """
        if not isinstance(data, dict):
            raise ConfigError(f"{cls.__name__}: expected a JSON object, got {type(data).__name__}")
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON data, which `from_dict` reads back."""
        return self.model_dump(mode="json")


class EncoderConfig(Frozen):
    """DINOv2 vision transformer (specification, section 3); the defaults are ViT-S/14."""

    hidden_size: Int = Field(384, gt=0, le=8192)
    """Channels of a token."""
    layers: Int = Field(12, gt=0, le=256)
    """Transformer blocks."""
    heads: Int = Field(6, gt=0, le=256)
    """Attention heads of a block."""
    mlp_ratio: Int = Field(4, gt=0, le=32)
    """Hidden width of a block's MLP, in multiples of `hidden_size`."""
    taps: tuple[Int, Int, Int, Int] = (2, 5, 8, 11)
    """Blocks, counted from 0, whose outputs feed the neck."""
    position_size_px: Int = Field(518, gt=0, le=300 * PATCH)
    """Side in pixels of the square image for which position embeddings are stored."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not divisible by heads {self.heads}"
            )
        if self.position_size_px % PATCH:
            raise ValueError(
                f"position_size_px {self.position_size_px} is not a multiple of {PATCH}"
            )
        if list(self.taps) != sorted(set(self.taps)) or self.taps[0] < 0:
            raise ValueError(
                f"taps must be in increasing order, starting at 0 or above, got {self.taps}"
            )
        if self.taps[-1] >= self.layers:
            raise ValueError(
                f"tap {self.taps[-1]} does not exist: blocks are 0 to {self.layers - 1}"
            )
        return self


class CameraConfig(Frozen):
    """The camera that the model is trained for; depth is metric only at its pixels per radian."""

    focal_px: Float = Field(389.1, ge=1, le=100_000)
    """Focal length in pixels of the model's input (NYU at 0.75 scale: 389.1)."""
    fov_deg: Float = Field(63.3, ge=0.1, le=179)
    """Field of view in degrees along the longer side, assumed if the focal length is unknown."""
    crop_height_px: Int = Field(350, ge=2 * PATCH, le=1000 * PATCH, multiple_of=PATCH)
    """Rows of the training crop in pixels."""
    crop_width_px: Int = Field(476, ge=2 * PATCH, le=1000 * PATCH, multiple_of=PATCH)
    """Columns of the training crop in pixels."""

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) of the training crop in pixels."""
        return self.crop_height_px, self.crop_width_px


class ModelConfig(Frozen):
    """The model and its training camera; the defaults are SPD v15.2 at full size."""

    encoder: EncoderConfig = EncoderConfig()
    """The image encoder."""
    dim: Int = Field(64, gt=0, le=4096)
    """Channels of the decoder, D."""
    heads: Int = Field(4, gt=0, le=256)
    """Attention heads of each local stage."""
    ffn_ratio: Int = Field(4, gt=0, le=32)
    """Hidden width of each stage's feed-forward network, in multiples of `dim`."""
    head_width: Int = Field(128, gt=0, le=8192)
    """Hidden width of the depth head."""
    window: Int = Field(5, gt=0, le=31)
    """Side, in cells, of the neighbourhood a query reads from each map."""
    local_path: LocalPathName = "cross_attention"
    """v15.2 (`cross_attention`), v15.1 (`conv`), or the `bilinear_mlp` baseline."""
    initial_depth_m: Float = Field(2.5, gt=0, le=10_000)
    """Depth in metres that an untrained model predicts."""
    camera: CameraConfig = CameraConfig()
    """The training camera; checkpoints store it with the weights."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not divisible by heads {self.heads}")
        if self.window % 2 == 0:
            raise ValueError(f"window must be odd, so that it has a centre cell, got {self.window}")
        return self

    @classmethod
    def tiny(cls) -> "ModelConfig":
        """A configuration with a small encoder at 168x224, for tests, examples and CPUs."""
        return cls(
            encoder=EncoderConfig(
                hidden_size=96, layers=4, heads=3, taps=(0, 1, 2, 3), position_size_px=224
            ),
            camera=_small_camera(),
        )

    @classmethod
    def small(cls) -> "ModelConfig":
        """A configuration between `tiny` and full size; an hour of training on a CPU."""
        return cls(
            encoder=EncoderConfig(
                hidden_size=128, layers=8, heads=4, taps=(1, 3, 5, 7), position_size_px=224
            ),
            camera=_small_camera(),
        )


def _small_camera() -> CameraConfig:
    """NYU's colour camera (518.8579 px at 640x480), for images resized by 0.35."""
    return CameraConfig(focal_px=181.6, crop_height_px=168, crop_width_px=224)


def _one_line(name: str, error: pydantic.ValidationError) -> str:
    """The first errors of pydantic in one line, each with its key; long values are shortened."""
    parts = []
    items = error.errors(include_url=False)
    for item in items[:_MOST_ERRORS]:
        key = ".".join(shortened(str(part)) for part in item["loc"])
        nested = item["type"] == "missing" or isinstance(item["input"], dict)
        given = f" (got {reprlib.repr(item['input'])})" if key and not nested else ""
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message, given = "unknown key", ""
        parts.append(f"{key}: {message}{given}" if key else message)
    if len(items) > _MOST_ERRORS:
        parts.append(f"and {len(items) - _MOST_ERRORS} more")
    return f"{name}: " + "; ".join(parts)
