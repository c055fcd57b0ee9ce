"""Train trunk and local path together, from the frozen trunk and a head trained on it.

FOLDER/joint/NAME-SEED/start/   the trunk with that seed's head, as a model
FOLDER/joint/NAME-SEED/run/     the training run from there
FOLDER/joint/NAME-SEED/scores.json, predictions
"""

import dataclasses
from pathlib import Path

from research.experiment.config import ExperimentConfig
from research.experiment.heads import Head
from research.experiment.names import Variant
from spd.checkpoints.checkpoint import load_checkpoint, write_model
from spd.checkpoints.folder import WEIGHTS, find_checkpoint
from spd.checkpoints.run_folder import RUN
from spd.data.sources import open_samples
from spd.files import atomic_path, file_sha256
from spd.models.spd import SPD
from spd.recipes import Recipe
from spd.train import Trainer
from spd.training.runs import Run


@dataclasses.dataclass(frozen=True, slots=True)
class JointModel:
    """One local path with a trunk trained for it."""

    head: Head
    folder: Path

    @property
    def variant(self) -> Variant:
        """The local path."""
        return self.head.variant

    @property
    def seed(self) -> int:
        """Seed of the head it starts from and of the order of images."""
        return self.head.seed

    @property
    def title(self) -> str:
        """Name with a digest of the weights, which tells predictions of other weights apart."""
        digest = file_sha256(find_checkpoint(self.folder / "run") / WEIGHTS)[:12]
        return f"{self.variant.name}, seed {self.seed}, trained jointly, sha256 {digest}"

    def model(self, trunk: SPD) -> SPD:
        """The saved model; `trunk`, which it started from, is not used."""
        model, _ = load_checkpoint(find_checkpoint(self.folder / "run"))
        return model.eval()

    def train(self, trunk: SPD, config: ExperimentConfig, rooms: Path) -> None:
        """Train the steps that are left, if any."""
        start = self.folder / "start"
        if not start.is_dir():
            model = self.head.model(trunk)
            with atomic_path(start) as temporary:
                temporary.mkdir()
                write_model(model, temporary)
        recipe = config.joint_recipe(self.head.model(trunk).config, str(start), self.seed)
        train_run(self.folder / "run", recipe, rooms)


def train_run(folder: Path, recipe: Recipe, rooms: Path) -> None:
    """Start a training run on these rooms, or continue it, to its end."""
    data, validation = f"{rooms}:train", f"{rooms}:val"
    if (folder / RUN).is_file():
        run = Run.open(folder)
    else:
        run = Run.create(folder, recipe, (data,), (validation,))
    with run.lock():
        run.clean()
        trainer = Trainer(run)
        trainer.restore()
        if trainer.step < trainer.config.steps:
            training = open_samples([data], metric_only=True)
            trainer.fit(training, open_samples([validation], metric_only=True))
