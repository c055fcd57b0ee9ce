"""Recipes: a model and the way it is trained, as typed Python functions or read from a file.

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

from spd.config import Frozen, Int, LocalPathName, ModelConfig
from spd.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=Frozen)
SILOG_LAMBDA = {"specification": 0.5, "bts": 0.85}  # 0.85 is AdaBins' too


class TrainConfig(Frozen):
    """The optimisation; the defaults are the specification's section 7."""

    steps: Int = Field(237_920, gt=0)
    """Optimiser steps of the whole run (the specification: 10 epochs of 47,584 in pairs)."""
    batch_size: Int = Field(2, gt=0)
    """Images in an optimiser step, over all processes and accumulated parts together."""
    accumulate: Int = Field(1, gt=0)
    """Parts a step's images are computed in, one after the other, to save memory."""
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
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Autocast type of the forward pass; weights and optimiser stay float32. `float16` scales the
    loss, for GPUs without bfloat16."""
    silog: Literal["specification", "bts"] = "specification"
    """Preset of SILog's variance weight lambda: see `SILOG_LAMBDA`."""
    objective: Literal["dense", "query", "mix"] = "dense"
    """`dense`: the stride-4 map resized to the image; `query`: drawn readings; `mix`: both."""
    dense_weight: float = Field(0.5, gt=0, lt=1)
    """Share of the dense loss under `mix`."""
    points_per_image: Int = Field(1024, gt=0)
    """Points drawn from each image for the `query` loss."""
    beside: tuple[LocalPathName, ...] = ()
    """Other local paths that learn from the same maps, their `query` losses added to the model's
    own, so that the maps favour none of them. They are kept for resuming, not in the model."""
    beside_points: Int = Field(4, gt=0)
    """How many of an image's points each of them is asked: few, because `conv` costs so much."""
    encoder_weights: str | None = None
    """What the encoder starts from: DINOv2, Depth Anything V2 or an SPD, as a hub id, a directory,
    a run or a file (docs/encoder_weights.md); none is random."""
    start_from: str | None = None
    """A whole SPD that the run starts from, to train on: a run, a directory, a hub id or
    `shipped`. Only its weights are taken; rates and schedule begin anew."""
    encoder_frozen: bool = False
    """Leave the encoder as it was loaded and train the rest alone."""
    checkpoint_encoder: bool = False
    """Recompute the encoder's activations in the backward pass: less memory, more time."""
    compile: bool = False
    """Compile the forward and backward pass with torch.compile; the first step takes minutes."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of an average of the weights, which is then what is evaluated and saved; 0: none."""
    augment: bool = True
    """BTS's random rotation, flip and photometric changes on training images."""
    views: Literal["crop", "sources"] = "crop"
    """`crop`: windows of the model's crop size. `sources`: a step's images are of one source and as
    large as its frames at the training focal length, so that wide lenses and long ones are learnt
    from as they will be asked."""
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
    tracker: Literal["tensorboard", "wandb", "trackio", "none"] = "tensorboard"
    """Where curves are shown; `log.jsonl` in the run's folder is written whatever it is."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warmup_steps >= self.steps:
            raise ValueError(
                f"warmup_steps {self.warmup_steps} must be less than steps {self.steps}"
            )
        if self.start_from is not None and self.encoder_weights is not None:
            raise ValueError(
                "start_from and encoder_weights both say where the encoder starts; set one to null"
            )
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch_size {self.batch_size} is not divisible by accumulate {self.accumulate}"
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
    """The recipe of that name, or the one that a `.toml` or `.json` file holds.

    A file has the keys of :class:`Recipe`; what it leaves out keeps its default, and its `name`
    is the file's.

    Raises:
        ConfigError: if there is no such recipe or file, or the file has an unknown key or a wrong
            value.
    """
    if name in RECIPES:
        return RECIPES[name]()
    path = Path(name)
    if path.suffix not in (".toml", ".json"):
        known = ", ".join(sorted(RECIPES))
        raise ConfigError(f"no recipe {name!r}; take {known}, or a .toml or .json file")
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot read recipe {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from None
    try:
        return Recipe.from_dict({"name": path.stem} | data if isinstance(data, dict) else data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def override(config: ConfigT, assignments: Sequence[str]) -> ConfigT:
    """Apply `key=value` or `section.key=value`; values are JSON, bare words are strings.

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
        value = _parse_value(text.strip())
        if isinstance(node[last], list) and not isinstance(value, list):
            example = json.dumps(node[last], separators=(",", ":"))
            raise ConfigError(
                f"{assignment!r}: {path.strip()} is a list, as JSON; quoted for the shell it is "
                f"'{path.strip()}={example}'"
            )
        node[last] = value
    return config.from_dict(data)


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
