"""Recipes: a model and the way it is trained, as typed Python functions.

`key=value` overrides go through :func:`override`, which rejects keys that do not exist and values
of another type. Importing this module imports neither torch nor transformers.
"""

import difflib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from spd.config import Frozen, Int, LocalPathName, ModelConfig
from spd.errors import ConfigError

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


def rooms_trunk() -> Recipe:
    """The maps on which the experiment compares the local paths; the shipped model begins here."""
    return Recipe(
        name="rooms_trunk",
        model=ModelConfig.small(),
        train=_from_scratch(
            steps=12_000,
            batch_size=8,
            points_per_image=64,
            evaluate_every=1000,
            beside=("conv", "bilinear_mlp"),
            beside_points=4,
            ema_decay=0.999,
            workers=1,
        ),
    )


def rooms_longer() -> Recipe:
    """Goes on from the trunk (`start_from`) with nothing beside it: two hours on two cores."""
    return _going_on(rooms_trunk(), "rooms_longer", steps=20_000, beside=(), seed=1)


def rooms_lenses() -> Recipe:
    """Goes on from `rooms_longer` on rooms seen through several lenses."""
    return _going_on(rooms_longer(), "rooms_lenses", steps=16_000, seed=2, views="sources")


def rooms_shipped() -> Recipe:
    """The shipped model: a last, slower stage on more lenses, again with all local paths.

    They learn beside each other so that the experiment can compare them on these maps.
    """
    return _going_on(
        rooms_lenses(),
        "rooms_shipped",
        steps=9000,
        seed=3,
        beside=rooms_trunk().train.beside,
        encoder_lr=3e-4,
        decoder_lr=7e-4,
    )


def _going_on(stage: Recipe, name: str, **changes: Any) -> Recipe:
    train = stage.train.model_copy(update=changes)
    return stage.model_copy(update={"name": name, "train": train})


def _from_scratch(
    steps: int, batch_size: int, points_per_image: int, evaluate_every: int, **others: Any
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
        **others,
    )


RECIPES: dict[str, Callable[[], Recipe]] = {
    "nyu_v15_2": nyu_v15_2,
    "rooms_tiny": rooms_tiny,
    "rooms_small": rooms_small,
    "rooms_trunk": rooms_trunk,
    "rooms_longer": rooms_longer,
    "rooms_lenses": rooms_lenses,
    "rooms_shipped": rooms_shipped,
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
