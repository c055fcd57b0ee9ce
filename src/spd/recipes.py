"""Recipes: a model and its training, as typed Python functions or a file, and overrides.

Both `recipe` and `override` reject unknown keys and values of a wrong type. Importing this module
imports neither torch nor transformers.
"""

import difflib
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from spd.config import Bool, Float, Frozen, Int, LocalPathName, ModelConfig
from spd.errors import ConfigError
from spd.files import parse_json, read_json, read_text

ConfigT = TypeVar("ConfigT", bound=Frozen)
SILOG_LAMBDA = {"specification": 0.5, "bts": 0.85}  # AdaBins uses 0.85 too


class TrainConfig(Frozen):
    """Training settings; the defaults are those of the specification, section 7."""

    steps: Int = Field(237_920, gt=0, le=10**9)
    """Optimiser steps of the whole run; the default is 10 epochs of 47,584 images in pairs."""
    batch_size: Int = Field(2, gt=0, le=2**16)
    """Images of an optimiser step, over all processes and accumulated parts together."""
    accumulate: Int = Field(1, gt=0, le=2**16)
    """Consecutive parts that a process computes its images of a step in, to save memory."""
    encoder_lr: Float = Field(5e-6, ge=0, le=1e3)
    """Peak learning rate of the encoder."""
    decoder_lr: Float = Field(1e-4, ge=0, le=1e3)
    """Peak learning rate of neck, global path and local path."""
    weight_decay: Float = Field(0.01, ge=0, le=1e3)
    """AdamW's decoupled weight decay."""
    warmup_steps: Int = Field(500, ge=0, le=10**9)
    """Steps of the linear warm-up; in a run that is not longer, a tenth of its steps."""
    warmup_start: Float = Field(0.01, gt=0, le=1)
    """Factor on the peak learning rates at the first warm-up step."""
    final_lr: Float = Field(1e-6, ge=0, le=1e3)
    """Learning rate at the end of the cosine (torch's `eta_min`), for encoder and decoder."""
    clip_norm: Float = Field(1.0, gt=0)
    """Largest norm of the gradient; a longer one is scaled down."""
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Autocast type of the forward pass; weights and optimiser stay float32. `float16`, for GPUs
    without bfloat16, also scales the loss."""
    silog: Literal["specification", "bts"] = "specification"
    """Preset of SILog's variance weight lambda: 0.5 (`specification`) or 0.85 (`bts`)."""
    objective: Literal["dense", "query", "mix"] = "dense"
    """Loss: `dense` on the resized stride-4 map, `query` on drawn readings, or `mix` of both."""
    dense_weight: Float = Field(0.5, gt=0, lt=1)
    """Share of the dense loss under `mix`."""
    points_per_image: Int = Field(1024, gt=0, le=10**7)
    """Points drawn from each image for the `query` loss."""
    beside: tuple[LocalPathName, ...] = ()
    """Further local paths trained on the same maps, so that the maps favour none. Their `query`
    losses are added to the model's own. Checkpoints keep them for resuming, not in the model."""
    beside_points: Int = Field(4, gt=0, le=10**7)
    """Points of each image for every `beside` path; few, because `conv` is expensive."""
    encoder_weights: str | None = None
    """Initial weights of the encoder: DINOv2, Depth Anything V2 or an SPD, as a hub id, a
    directory, a run or a file (docs/encoder_weights.md); null is random."""
    start_from: str | None = None
    """SPD to initialise the whole model from: a run, a directory, a hub id or `shipped`. Only its
    weights are used; optimiser and schedule start fresh."""
    encoder_frozen: Bool = False
    """Whether to keep the encoder fixed and train only the rest."""
    checkpoint_encoder: Bool = False
    """Whether to recompute the encoder's activations in the backward pass, to save memory."""
    compile: Bool = False
    """Whether to compile the model with torch.compile; the first step then takes minutes."""
    ema_decay: Float = Field(0.0, ge=0, lt=1)
    """Decay of the moving average of the weights, which is evaluated and saved; 0: off."""
    augment: Bool = True
    """Whether to apply BTS's random rotation, flip and photometric changes to training images."""
    views: Literal["crop", "sources"] = "crop"
    """Training views. `crop`: windows of the model's crop size. `sources`: whole frames at the
    training focal length, all images of a step from one source, so that wide and long lenses are
    trained at the sizes they have in use."""
    workers: Int = Field(0, ge=0, le=1024)
    """Data loader processes; 0 loads in the training process."""
    seed: Int = Field(0, ge=0, lt=2**32)
    """Seed of initial weights, order of images, crops and points."""
    evaluate_every: Int = Field(5000, gt=0, le=10**9)
    """Steps between evaluations on the validation set."""
    save_every: Int = Field(1000, gt=0, le=10**9)
    """Steps between checkpoints."""
    keep_last: Int = Field(2, gt=0, le=10**6)
    """Latest checkpoints to keep besides the best one."""
    tracker: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"
    """Tracker for curves; `log.jsonl` in the run's folder is always written."""

    @property
    def warmup(self) -> int:
        """Steps of the warm-up in this run: `warmup_steps`, or a tenth of a run that is too short.

        The cosine then still has most of the run, so that a short trial ends at low rates.
        """
        return self.warmup_steps if self.warmup_steps < self.steps else self.steps // 10

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.start_from is not None and self.encoder_weights is not None:
            raise ValueError(
                "start_from and encoder_weights both initialise the encoder; set one to null"
            )
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} is not divisible by accumulate {self.accumulate}"
            )
        return self


class Recipe(Frozen):
    """A model and its training."""

    name: str
    """Name for `spd train --recipe`."""
    model: ModelConfig = ModelConfig()
    """Model configuration."""
    train: TrainConfig = TrainConfig()
    """Training settings."""


def nyu_v15_2() -> Recipe:
    """ViT-S at 350x476 on NYU Depth V2, as in the specification (section 7)."""
    return Recipe(name="nyu_v15_2", train=TrainConfig(encoder_weights="facebook/dinov2-small"))


def rooms_tiny() -> Recipe:
    """Tiny model with a random encoder; takes minutes on two CPU cores."""
    return Recipe(
        name="rooms_tiny",
        model=ModelConfig.tiny(),
        train=_from_scratch(steps=1200, points_per_image=128, evaluate_every=600),
    )


def rooms_small() -> Recipe:
    """Small model with a random encoder; takes about an hour on two CPU cores."""
    return Recipe(
        name="rooms_small",
        model=ModelConfig.small(),
        train=_from_scratch(steps=12_000, points_per_image=256, evaluate_every=2000),
    )


def _from_scratch(steps: int, points_per_image: int, evaluate_every: int) -> TrainConfig:
    """Learning rates that train a random encoder (5e-6 cannot), and the `query` objective."""
    return TrainConfig(
        steps=steps,
        batch_size=8,
        encoder_lr=5e-4,
        decoder_lr=1e-3,
        warmup_steps=100,
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
    """Look up a recipe by its name, or read it from a `.toml` or `.json` file.

    A file has the keys of :class:`Recipe`; missing keys take their defaults, and a missing `name`
    is the file's.

    Raises:
        ConfigError: if the recipe or file does not exist, or the file has an unknown key or a
            wrong value.
    """
    if name in RECIPES:
        return RECIPES[name]()
    path = Path(name)
    if path.suffix not in (".toml", ".json"):
        known = ", ".join(sorted(RECIPES))
        raise ConfigError(f"unknown recipe {name!r}; expected {known}, or a .toml or .json file")
    try:
        data = read_json(path) if path.suffix == ".json" else tomllib.loads(read_text(path))
    except OSError as error:
        raise ConfigError(f"cannot read recipe {path}: {error.strerror or error}") from None
    except RecursionError:
        raise ConfigError(f"{path} is not valid TOML: nested too deeply") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from None
    try:
        return Recipe.from_dict({"name": path.stem} | data if isinstance(data, dict) else data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def override(config: ConfigT, assignments: Sequence[str]) -> ConfigT:
    """Apply `key=value` or `section.key=value` assignments; returns a new configuration.

    Values are JSON; a bare word is a string.

    Raises:
        ConfigError: if an assignment has no `=`, an unknown key, or a value of the wrong type.
    """
    data = config.to_dict()
    for assignment in assignments:
        path, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise ConfigError(
                f"override {assignment!r} has no '='; expected KEY=VALUE, for example "
                "train.steps=100"
            )
        *parents, last = path.split(".")
        node: Any = data
        for key in parents:
            node = node.get(key) if isinstance(node, dict) else None
        if not isinstance(node, dict) or last not in node:
            raise ConfigError(f"unknown configuration key {path!r}; {_suggestion(path, data)}")
        value = _parse_value(text)
        if isinstance(node[last], list) and not isinstance(value, list):
            example = json.dumps(node[last] or ["..."], separators=(",", ":"))
            raise ConfigError(
                f"{path} is a list, got {text!r}; write JSON, quoted for the shell: "
                f"'{path}={example}'"
            )
        node[last] = value
    return config.from_dict(data)


def _parse_value(text: str) -> Any:
    try:
        value = parse_json(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value


def _suggestion(path: str, data: dict[str, Any]) -> str:
    """Suggest the keys most similar to a mistyped one, or else list all keys."""
    known = list(_paths(data))
    near = difflib.get_close_matches(path, known, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known keys are {', '.join(known)}"


def _paths(data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
