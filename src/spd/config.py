"""Typed, frozen configurations that refuse unknown keys.

A recipe is a function returning a :class:`Recipe`; `key=value` overrides go through
:func:`override`, which rejects keys that do not exist and values of another type.
Importing this module imports neither torch nor transformers.
"""

import difflib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field, model_validator

from spd.errors import ConfigError

Int = Annotated[int, pydantic.Strict()]  # no booleans, no "64", no 64.0
SILOG_LAMBDA = {"specification": 0.5, "bts": 0.85}  # 0.85 is AdaBins' too
PATCH = 14  # DINOv2's patch size; the encoder has no other.


class Frozen(pydantic.BaseModel):
    """Base of all configurations: immutable, strict about types, closed to unknown keys."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except pydantic.ValidationError as error:
            raise ConfigError(_one_line(type(self).__name__, error)) from None

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build from plain JSON data.

        Raises:
            ConfigError: on unknown keys, wrong types or contradictory values.
        """
        if not isinstance(data, dict):
            raise ConfigError(f"{cls.__name__}: expected a JSON object, got {type(data).__name__}")
        return cls(**data)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `from_dict` gives back an equal configuration."""
        return self.model_dump(mode="json")


class EncoderConfig(Frozen):
    """DINOv2 vision transformer (specification, section 3); the defaults are ViT-S/14."""

    hidden_size: Int = Field(384, gt=0)
    """Channels of every token."""
    layers: Int = Field(12, gt=0)
    """Transformer blocks."""
    heads: Int = Field(6, gt=0)
    """Attention heads in every block."""
    mlp_ratio: Int = Field(4, gt=0)
    """Hidden width of a block's MLP, in multiples of `hidden_size`."""
    taps: tuple[int, int, int, int] = (2, 5, 8, 11)
    """Blocks, counted from 0, whose outputs feed the neck."""
    position_size_px: Int = Field(518, gt=0)
    """Side of the square image that the stored position table is laid out for."""

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
            raise ValueError(f"taps {self.taps} must increase and start at 0 or later")
        if self.taps[-1] >= self.layers:
            raise ValueError(f"tap {self.taps[-1]} does not exist in {self.layers} blocks")
        return self


class CameraConfig(Frozen):
    """The camera the model was trained for; metres hold only at its pixels per radian."""

    focal_px: float = Field(389.1, gt=0)
    """Focal length in pixels of the images the model sees (NYU at 0.75 scale: 389.1)."""
    fov_deg: float = Field(63.3, gt=0, lt=180)
    """Field of view along the longer side, assumed where a photo's focal length is unknown."""
    crop_height_px: Int = Field(350, ge=2 * PATCH, multiple_of=PATCH)
    """Rows of the training crop."""
    crop_width_px: Int = Field(476, ge=2 * PATCH, multiple_of=PATCH)
    """Columns of the training crop."""

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) of the training crop in pixels."""
        return self.crop_height_px, self.crop_width_px


class ModelConfig(Frozen):
    """Everything that decides the model's shape; the defaults are SPD v15.2 at full size."""

    encoder: EncoderConfig = EncoderConfig()
    """The image encoder."""
    dim: Int = Field(64, gt=0)
    """D, the channels of the decoder."""
    heads: Int = Field(4, gt=0)
    """Attention heads of each local stage."""
    ffn_ratio: Int = Field(4, gt=0)
    """Hidden width of each stage's feed-forward network, in multiples of `dim`."""
    head_width: Int = Field(128, gt=0)
    """Hidden width of the depth head."""
    window: Int = Field(5, gt=0)
    """Side, in cells, of the neighbourhood a query reads from each map."""
    local_path: Literal["cross_attention", "conv", "bilinear_mlp"] = "cross_attention"
    """v15.2 (`cross_attention`), v15.1 (`conv`), or the `bilinear_mlp` baseline."""
    initial_depth_m: float = Field(2.5, gt=0)
    """What an untrained model answers, in metres."""
    camera: CameraConfig = CameraConfig()
    """The training camera; travels with the weights."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not divisible by heads {self.heads}")
        if self.window % 2 == 0:
            raise ValueError(f"window {self.window} must be odd, so that it has a centre")
        return self

    @classmethod
    def tiny(cls) -> "ModelConfig":
        """The same structure on a small encoder at 168x224, for tests, examples and CPUs."""
        return cls(
            encoder=EncoderConfig(
                hidden_size=96, layers=4, heads=3, taps=(0, 1, 2, 3), position_size_px=224
            ),
            camera=_nyu_camera(scale=0.35, crop_height_px=168, crop_width_px=224),
        )

    @classmethod
    def small(cls) -> "ModelConfig":
        """Between `tiny` and the full size: trains from scratch in an hour on a CPU."""
        return cls(
            encoder=EncoderConfig(
                hidden_size=128, layers=8, heads=4, taps=(1, 3, 5, 7), position_size_px=224
            ),
            camera=_nyu_camera(scale=0.35, crop_height_px=168, crop_width_px=224),
        )


def _nyu_camera(scale: float, crop_height_px: int, crop_width_px: int) -> CameraConfig:
    """NYU's colour camera (518.8579 px at 640x480) with the image resized by `scale`."""
    return CameraConfig(
        focal_px=round(518.8579 * scale, 1),
        crop_height_px=crop_height_px,
        crop_width_px=crop_width_px,
    )


class TrainConfig(Frozen):
    """The optimisation; the defaults are the specification's section 7."""

    steps: Int = Field(237_920, gt=0)
    """Optimiser steps of the whole run (the specification: 10 epochs of 47,584 in pairs)."""
    batch_size: Int = Field(2, gt=0)
    """Images in a step."""
    encoder_lr: float = Field(5e-6, ge=0)
    """Peak learning rate of the encoder."""
    decoder_lr: float = Field(1e-4, ge=0)
    """Peak learning rate of neck, global path and local path."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decoupled weight decay."""
    warmup_steps: Int = Field(500, ge=0)
    """Steps of the linear warm-up."""
    warmup_start: float = Field(0.01, gt=0, le=1)
    """Factor the warm-up starts from."""
    final_lr: float = Field(1e-6, ge=0)
    """Where the cosine ends (torch's eta_min), for every group."""
    clip_norm: float = Field(1.0, gt=0)
    """Largest allowed norm of the gradient."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Autocast type of the forward pass; weights and optimiser stay float32."""
    silog: Literal["specification", "bts"] = "specification"
    """Preset of SILog's variance weight lambda: see `SILOG_LAMBDA`."""
    objective: Literal["dense", "query"] = "dense"
    """`dense`: the stride-4 map resized to the image; `query`: drawn native pixels."""
    points_per_image: Int = Field(1024, gt=0)
    """Points drawn from each image under the `query` objective."""
    encoder_weights: str | None = None
    """DINOv2 to start the encoder from: a hub id or a local directory; none is random."""
    augment: bool = True
    """Random flips and photometric changes on training images."""
    workers: Int = Field(0, ge=0)
    """Loader processes; 0 loads in the training process."""
    seed: Int = 0
    """Seed of weights, order, crops and points."""
    evaluate_every: Int = Field(5000, gt=0)
    """Steps between evaluations on the validation set."""
    save_every: Int = Field(1000, gt=0)
    """Steps between checkpoints."""
    keep_last: Int = Field(2, gt=0)
    """Checkpoints kept besides the best one."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps {self.warmup_steps} must be less than steps {self.steps}"
            )
        return self


class Recipe(Frozen):
    """A named model and the way it is trained."""

    name: str
    """What `spd train --recipe` calls it."""
    model: ModelConfig = ModelConfig()
    """The model."""
    train: TrainConfig = TrainConfig()
    """The optimisation."""


def nyu_v15_2() -> Recipe:
    """The specification's own recipe: ViT-S at 350x476 on NYU Depth V2 (section 7)."""
    return Recipe(name="nyu_v15_2", train=TrainConfig(encoder_weights="facebook/dinov2-small"))


def rooms_tiny() -> Recipe:
    """Tiny model from a random encoder, minutes on two CPU cores."""
    return Recipe(
        name="rooms_tiny",
        model=ModelConfig.tiny(),
        train=_from_scratch(steps=1200, batch_size=8, points_per_image=128, evaluate_every=600),
    )


def rooms_small() -> Recipe:
    """Small model from a random encoder, about an hour on two CPU cores."""
    return Recipe(
        name="rooms_small",
        model=ModelConfig.small(),
        train=_from_scratch(steps=12_000, batch_size=8, points_per_image=256, evaluate_every=2000),
    )


def _from_scratch(
    steps: int, batch_size: int, points_per_image: int, evaluate_every: int
) -> TrainConfig:
    """Rates that move a random encoder (5e-6 cannot), and queries instead of dense maps."""
    return TrainConfig(
        steps=steps,
        batch_size=batch_size,
        encoder_lr=5e-4,
        decoder_lr=1e-3,
        warmup_steps=min(100, steps // 10),
        precision="float32",
        silog="bts",
        objective="query",
        points_per_image=points_per_image,
        evaluate_every=evaluate_every,
        save_every=500,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "nyu_v15_2": nyu_v15_2,
    "rooms_tiny": rooms_tiny,
    "rooms_small": rooms_small,
}


def recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        ConfigError: if there is none; the message lists those there are.
    """
    if name not in RECIPES:
        raise ConfigError(f"no recipe {name!r}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()


def override(config: Recipe, assignments: Sequence[str]) -> Recipe:
    """Apply `section.key=value` assignments; values are JSON, bare words are strings.

    Raises:
        ConfigError: if an assignment has no `=`, names no existing key, or has a wrong type.
    """
    data = config.to_dict()
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"override {assignment!r} has no '='; write for example train.steps=100"
            )
        *parents, last = path.strip().split(".")
        node: Any = data
        for key in parents:
            node = node.get(key) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            raise ConfigError(f"no configuration key {path.strip()!r}; {_suggestion(path, data)}")
        node[last] = _parse_value(text.strip())
    return Recipe.from_dict(data)


def _parse_value(text: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value


def _suggestion(path: str, data: dict[str, Any]) -> str:
    """The keys nearest to a mistyped one, or the names of the sections."""
    known = list(_paths(data))
    near = difflib.get_close_matches(path.strip(), known, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known keys are {', '.join(known)}"


def _paths(data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _one_line(name: str, error: pydantic.ValidationError) -> str:
    """All of pydantic's complaints in one line, each with the key it is about."""
    parts = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"])
        nested = item["type"] == "missing" or isinstance(item["input"], dict)
        given = f" (got {item['input']!r})" if key and not nested else ""
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message, given = "unknown key", ""
        parts.append(f"{key}: {message}{given}" if key else message)
    return f"{name}: " + "; ".join(parts)
