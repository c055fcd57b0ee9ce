"""The experiment's settings; a folder holds one experiment with one set of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from spd.config import Frozen, Int, ModelConfig
from spd.recipes import Recipe, TrainConfig, override, recipe

RECIPES = Path(__file__).parents[1] / "recipes"
VariantName = Literal[
    "v15.2", "v15.1", "bilinear", "one stage", "v15.2, a tenth", "v15.2 dense, a tenth"
]


class ExperimentConfig(Frozen):
    """Settings of rooms, trunk, heads and scores (`research/experiment.md`)."""

    train_rooms: Int = Field(6000, gt=0)
    """Rooms of 320x240 that train trunk and heads."""
    val_rooms: Int = Field(64, gt=0)
    """Rooms that choose the trunk's checkpoint."""
    held_out_rooms: Int = Field(100, gt=0)
    """Rooms of the held-out seed at 640x480, for accuracy."""
    held_out_points: Int = Field(2000, gt=0)
    """Readings scored in each held-out room."""
    edge_rooms: Int = Field(12, gt=0)
    """Rooms of the held-out seed at 320x240, for boundaries; every pixel is queried."""
    trunk: tuple[str, ...] = ()
    """Changes to the recipe `rooms_trunk`, such as `train.steps=100`."""
    trunk_weights: str | None = None
    """Trained model whose encoder, neck and global path are used; None: they are trained."""
    variants: tuple[VariantName, ...] = (
        "v15.2",
        "bilinear",
        "one stage",
        "v15.2, a tenth",
        "v15.2 dense, a tenth",
        "v15.1",
    )
    """Variants compared; see `research.experiment.names`."""
    seeds: Int = Field(5, gt=1)
    """Runs of each variant from random weights; a standard deviation needs two."""
    steps: Int = Field(625, gt=1)
    """Optimiser steps of a head."""
    batch_size: Int = Field(8, gt=0)
    """Images in a step."""
    points_per_image: Int = Field(32, gt=0)
    """Exact points queried in each image."""
    lr: float = Field(1e-3, gt=0)
    """Peak learning rate of a head."""
    joint_seeds: Int = Field(2, ge=0)
    """Seeds whose local paths are then trained together with the trunk; 0: none."""
    joint_steps: Int = Field(400, gt=1)
    """Steps of that training."""

    @model_validator(mode="after")
    def _known_trunk(self) -> Self:
        self.trunk_recipe()
        return self

    @model_validator(mode="after")
    def _joint_seeds_have_a_spread(self) -> Self:
        if self.joint_seeds == 1 or self.joint_seeds > self.seeds:
            raise ValueError(
                f"joint_seeds {self.joint_seeds} must be 0, or from 2 to seeds ({self.seeds})"
            )
        return self

    def trunk_recipe(self) -> Recipe:
        """Recipe of the trunk."""
        return override(recipe(str(RECIPES / "rooms_trunk.toml")), self.trunk)

    def head_training(self, share: float, objective: Literal["query", "dense"]) -> TrainConfig:
        """Training of a head with this share of the steps."""
        steps = max(2, round(self.steps * share))
        return TrainConfig(
            steps=steps,
            batch_size=self.batch_size,
            decoder_lr=self.lr,
            warmup_steps=min(50, steps // 10),
            precision="float32",
            silog="bts",
            objective=objective,
            points_per_image=self.points_per_image,
        )

    def joint_recipe(self, model: ModelConfig, start: str, seed: int) -> Recipe:
        """Recipe of trunk and local path together, at the rates of `rooms_shipped`."""
        last = recipe(str(RECIPES / "rooms_shipped.toml")).train
        train = TrainConfig(
            steps=self.joint_steps,
            batch_size=self.batch_size,
            encoder_lr=last.encoder_lr,
            decoder_lr=last.decoder_lr,
            warmup_steps=min(50, self.joint_steps // 10),
            precision="float32",
            silog="bts",
            objective="query",
            points_per_image=self.points_per_image,
            start_from=start,
            ema_decay=0.98,  # of some fifty steps: there are few
            workers=last.workers,
            seed=seed,
            evaluate_every=self.joint_steps,
            tracker="none",
        )
        return Recipe(name=f"joint_{model.local_path}", model=model, train=train)

    @classmethod
    def with_changes(cls, assignments: Sequence[str]) -> Self:
        """The defaults with `key=value` changes, written as for `spd train --set`.

        Raises:
            ConfigError: if a key is unknown or a value has the wrong type.
        """
        return override(cls(), assignments)
