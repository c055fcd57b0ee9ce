"""The stages in order; a stage whose files exist is skipped, so a stopped experiment continues.

FOLDER/experiment.json      the configuration; a folder refuses another one
FOLDER/{rooms,held_out,edges}/   made by `spd data rooms`
FOLDER/trunk/               a training run
FOLDER/cache/               the trunk's maps of the training rooms
FOLDER/heads/NAME-SEED/     head.safetensors, head.json, scores.json, predictions
FOLDER/joint/NAME-SEED/     a head and its trunk trained together; scores.json, predictions
FOLDER/latency.json, attention.json, summary.json, *.png, results.md
"""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from research.command import stage
from research.experiment.attention import own_surface_mass
from research.experiment.cache import MapCache, write_cache
from research.experiment.config import ExperimentConfig
from research.experiment.heads import WEIGHTS, Head, train_head
from research.experiment.joint import JointModel, train_run
from research.experiment.latency import measure_latency
from research.experiment.names import VARIANTS
from research.experiment.pictures import draw_all
from research.experiment.scores import SCORES, score_head
from research.experiment.summary import summarise
from research.experiment.text import results_text
from spd.benchmark.machine import machine
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.folder import find_checkpoint
from spd.data.make_rooms import HELD_OUT_SEED, make_rooms
from spd.data.rooms import render_room
from spd.data.sources import open_samples
from spd.errors import ConfigError, DataError
from spd.evaluation.baselines import ConstantDepth, median_of_training_data
from spd.files import UNFINISHED, remove_unfinished, write_text
from spd.models.spd import SPD
from spd.processes import usable_cpus
from spd.terminal import interrupts_held

CONFIG = "experiment.json"
SMALL, LARGE = (240, 320), (480, 640)


@dataclasses.dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment: its folder, configuration and stages."""

    folder: Path
    config: ExperimentConfig
    extra: tuple[str, ...] = ()
    """Further data to score on, such as real frames."""

    @classmethod
    def start(cls, folder: Path, config: ExperimentConfig, extra: Sequence[str]) -> "Experiment":
        """Open an empty folder, or one with an experiment of the same configuration.

        Raises:
            DataError: if it holds an experiment of another configuration, or anything else.
        """
        found = cls(folder, config, tuple(extra))
        about = {"config": config.to_dict(), "extra": list(extra)}
        path = folder / CONFIG
        if not path.is_file():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise DataError(f"{folder} is not empty and holds no experiment; choose another -o")
            write_text(path, json.dumps(about, indent=1) + "\n")
        elif json.loads(path.read_text(encoding="utf-8")) != about:
            raise DataError(
                f"{folder} holds an experiment of another configuration (see {path}); choose "
                "another -o, or give the same --set and --data"
            )
        return found

    @classmethod
    def open(cls, folder: Path) -> "Experiment":
        """Open an experiment that was started.

        Raises:
            DataError: if the folder holds none, or it is damaged.
        """
        path = folder / CONFIG
        if not path.is_file():
            raise DataError(
                f"{folder} contains no experiment; start one with: "
                "python -m research.experiment -o FOLDER"
            )
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            config = ExperimentConfig.from_dict(about["config"])
            return cls(folder, config, tuple(about["extra"]))
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ConfigError):
            raise DataError(f"{path} is damaged; start the experiment in another folder") from None

    def heads(self) -> list[Head]:
        """Every head, seed by seed, so that an interrupted experiment has whole seeds."""
        return [
            Head(VARIANTS[name], seed, self.folder / "heads" / f"{_file_name(name)}-{seed}")
            for seed in range(self.config.seeds)
            for name in self.config.variants
        ]

    def run(self) -> None:
        """Run every stage that is not done yet."""
        self._make_rooms()
        self._train_trunk()
        trunk = self.trunk()
        self._cache_maps(trunk)
        constant = self._constant()
        self._do_heads(constant)
        self._do_joint(trunk, constant)
        self._measure(trunk)
        self._conclude(trunk)

    def _make_rooms(self) -> None:
        config = self.config
        jobs = [
            ("rooms", config.train_rooms, config.val_rooms, 0, SMALL, 4096),
            ("held_out", 0, config.held_out_rooms, HELD_OUT_SEED, LARGE, 0),
            ("edges", 0, config.edge_rooms, HELD_OUT_SEED, SMALL, 0),
        ]
        for name, count, validation, seed, size, points in jobs:
            with stage(f"rendering {name}") as progress:
                make_rooms(
                    self.folder / name,
                    count,
                    validation=validation,
                    seed=seed,
                    size=size,
                    points=points,
                    progress=progress,
                )

    def trunk(self) -> SPD:
        """The trained trunk, frozen."""
        source = self.config.trunk_weights or str(self.folder / "trunk")
        model, _ = load_checkpoint(find_checkpoint(source))
        return model.eval().requires_grad_(False)

    def _train_trunk(self) -> None:
        if self.config.trunk_weights is not None:
            return
        train_run(self.folder / "trunk", self.config.trunk_recipe(), self.folder / "rooms")

    def _cache_maps(self, trunk: SPD) -> None:
        cache = self.folder / "cache"
        if not (cache / "cache.json").is_file():
            with stage("caching maps") as progress:
                write_cache(
                    trunk, open_samples([f"{self.folder / 'rooms'}:train"]), cache, progress
                )

    def _do_heads(self, constant: ConstantDepth) -> None:
        """Train and score missing heads, one process a core, seed by seed."""
        heads = self.heads()
        self._tidy_heads()
        # The slowest variants come last in a seed, and start first.
        todo = sorted(
            (n for n, head in enumerate(heads) if not (head.folder / SCORES).is_file()),
            key=lambda n: (heads[n].seed, -n),
        )
        context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
        with (
            stage("training and scoring heads") as progress,
            concurrent.futures.ProcessPoolExecutor(usable_cpus(), mp_context=context) as pool,
        ):
            progress(0, len(todo))
            others = set(multiprocessing.active_children())
            try:
                with interrupts_held():  # one that arrives here is raised at the end of the block
                    jobs = [pool.submit(_do_head, self.folder, n, constant) for n in todo]
                for done, job in enumerate(concurrent.futures.as_completed(jobs)):
                    job.result()
                    progress(done + 1, len(todo))
            except BaseException as error:
                pool.shutdown(wait=False, cancel_futures=True)
                if isinstance(error, KeyboardInterrupt):
                    for worker in set(multiprocessing.active_children()) - others:
                        worker.terminate()  # its head starts again next time
                raise

    def joint(self) -> list[JointModel]:
        """Every local path of the first seeds that is trained together with its trunk."""
        return [
            JointModel(head, self.folder / "joint" / head.folder.name)
            for head in self.heads()
            if head.seed < self.config.joint_seeds and head.variant.joint
        ]

    def _do_joint(self, trunk: SPD, constant: ConstantDepth) -> None:
        """Train and score them one after the other, each on every core; runs are resumable."""
        for one in self.joint():
            if not (one.folder / SCORES).is_file():
                print(f"training jointly: {one.folder.name}", file=sys.stderr, flush=True)
                one.train(trunk, self.config, self.folder / "rooms")
                score_head(one, trunk, self.folder, self.config, constant, self.extra)

    def _tidy_heads(self) -> None:
        """Remove partly written files of a stopped worker."""
        for path in (self.folder / "heads").rglob(f"{UNFINISHED}*"):
            remove_unfinished(path.parent)

    def _constant(self) -> ConstantDepth:
        """The constant baseline: the median depth of the training rooms."""
        path = self.folder / "constant.json"
        known = ConstantDepth.read(path)
        if known is None:
            known = median_of_training_data(
                open_samples([f"{self.folder / 'rooms'}:train"]), "rooms"
            )
            known.write(path)
        return known

    def _measure(self, trunk: SPD) -> None:
        """Measure the latency of every variant and the attention of v15.2's heads."""
        heads = self.heads()
        path = self.folder / "latency.json"
        if not path.is_file():
            cache = MapCache.open(self.folder / "cache")
            # Latency depends on the architecture and not on the training.
            models = {
                str(head.variant.name): head.model(trunk)
                for head in heads
                if head.seed == 0 and head.variant.share == 1
            }
            maps = cache.maps(torch.zeros(1, dtype=torch.long).numpy())
            with stage("measuring latency", bar=False):
                times = measure_latency(models, maps)
            found = {"machine": machine(), "milliseconds": times}
            write_text(path, json.dumps(found) + "\n")
        path = self.folder / "attention.json"
        if not path.is_file():
            frames = [render_room(seed, size=LARGE) for seed in self.edge_seeds()]
            asked = [head for head in heads if head.variant.name == "v15.2"]
            rows = []
            with stage("measuring attention") as progress:
                for done, head in enumerate(asked, start=1):
                    of_head = own_surface_mass(head.model(trunk), frames)
                    rows += [{"seed": head.seed} | dataclasses.asdict(row) for row in of_head]
                    progress(done, len(asked))
            write_text(path, json.dumps(rows) + "\n")

    def _conclude(self, trunk: SPD) -> None:
        """Write tables and pictures from the stages' files."""
        heads = self.heads()
        summary = summarise(self.folder, self.config, self.extra, heads, self.joint())
        summary.write(self.folder / "summary.json")
        write_text(self.folder / "results.md", results_text(summary))
        with stage("drawing pictures", bar=False):
            draw_all(self.folder, summary, heads, trunk, self.edge_seeds(), LARGE)

    def edge_seeds(self) -> list[int]:
        """Seeds of the rooms for boundaries."""
        frames = json.loads((self.folder / "edges" / "frames.json").read_text(encoding="utf-8"))
        entries = frames["frames"] if isinstance(frames, dict) else frames
        return [int(entry["room_seed"]) for entry in entries]


def _do_head(folder: Path, number: int, constant: ConstantDepth) -> None:
    """Train and score one head; runs in a process of its own."""
    torch.set_num_threads(1)
    experiment = Experiment.open(folder)
    head, trunk = experiment.heads()[number], experiment.trunk()
    if not (head.folder / WEIGHTS).is_file():
        variant = head.variant
        training = experiment.config.head_training(variant.share, variant.objective)
        train_head(head, MapCache.open(folder / "cache"), trunk.config, training)
    score_head(head, trunk, folder, experiment.config, constant, experiment.extra)


def _file_name(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")
