"""Every reader of configurations, checkpoints and exports, on files made by attackers or accidents.

An answer, or one clear error: never another exception, never a crash, never a long wait.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers import exports, tiny_peers
from helpers.checkpoints import save_checkpoint
from helpers.encoder_forms import SMALL, dinov2, on_disk, original
from helpers.hostile import SOAK, attack
from helpers.small_runs import CPU, small_recipe
from spd.checkpoints.checkpoint import load_checkpoint
from spd.checkpoints.encoder_weights import load_encoder
from spd.checkpoints.folder import find_checkpoint, shipped_folder
from spd.data.formats.decoding import _decode_npy
from spd.evaluation.npz import read_arrays, write_arrays
from spd.models.encoder_vits.vit_s import Encoder
from spd.peers.kinds import read_peer
from spd.peers.processing import open_processing
from spd.predictors.loading import load
from spd.recipes import recipe
from spd.runtimes.folder import QUERY, ExportFolder
from spd.scenes.calibration import Calibration
from spd.train import Trainer
from spd.training.runs import Run


@dataclasses.dataclass(frozen=True)
class Case:
    """A folder of valid files, one of them to damage, and the reader that meets it."""

    path: Path
    read: Callable[[], object]
    count: int = 40
    """Mutations in `make test`; `make soak` tries 25 times as many."""


def checkpoint(folder: Path) -> None:
    save_checkpoint(exports.model(), folder, {"step": 7, "training_median_m": 2.0})


def config(folder: Path) -> Case:
    checkpoint(folder / "model")
    path = folder / "model" / "config.json"
    return Case(path, lambda: load_checkpoint(path.parent))


def loaded_config(folder: Path) -> Case:
    case = config(folder)
    return Case(case.path, lambda: load(case.path.parent, device="cpu"), 10)


def safetensors(folder: Path) -> Case:
    checkpoint(folder / "model")
    path = folder / "model" / "model.safetensors"
    return Case(path, lambda: load_checkpoint(path.parent))


def export_json(folder: Path) -> Case:
    shutil.copytree(shipped_folder() / "onnx", folder / "export")

    def read() -> None:
        export = ExportFolder.read(folder / "export")
        export.graph(QUERY)
        export.check_size((42, 42), (42, 42))

    return Case(folder / "export" / "export.json", read, 200)


def export_graph(folder: Path) -> Case:
    shutil.copytree(shipped_folder() / "onnx", folder / "export")
    return Case(
        folder / "export" / QUERY, lambda: ExportFolder.read(folder / "export").graph(QUERY)
    )


def run_folder(folder: Path) -> Run:
    model = exports.model()
    run = Run.create(folder / "run", small_recipe(model.config), ("data",))
    trainer = Trainer(run, CPU)
    trainer.step = 3
    trainer.save(0.5)
    for step in (1, 2, 3):
        run.log({"step": step, "loss": 0.5})
    return run


def resumed(folder: Path, name: str, count: int = 10) -> Case:
    run = run_folder(folder)
    for checksums in run.folder.rglob("checksums.json"):
        checksums.unlink()  # they would refuse every change before it is read

    def read() -> None:
        opened = Run.open(run.folder)
        opened.best_abs_rel()
        find_checkpoint(run.folder)
        opened.clean()
        Trainer(opened, CPU).restore()

    return Case(next(run.folder.rglob(name)), read, count)


def calibration(folder: Path) -> Case:
    path = folder / "calibration.json"
    Calibration(1.5, 4, 0.1, 0.2, True, "shipped").write(path)
    return Case(path, lambda: Calibration.read(path).verdict(), 200)


def recipe_json(folder: Path) -> Case:
    path = folder / "mine.json"
    path.write_text(json.dumps(small_recipe(exports.model().config).to_dict()))
    return Case(path, lambda: recipe(str(path)), 200)


def recipe_toml(folder: Path) -> Case:
    path = folder / "mine.toml"
    path.write_text('name = "mine"\n[model]\ndim = 64\n[train]\nsteps = 900\nema_decay = 0.5\n')
    return Case(path, lambda: recipe(str(path)), 200)


def encoder(folder: Path, name: str) -> Case:
    tensors = on_disk(dinov2(), folder / "dinov2")
    torch.save(original(tensors), folder / "dinov2" / "weights.pth")
    path = folder / "dinov2" / name
    source = path if name.endswith(".pth") else path.parent
    return Case(path, lambda: load_encoder(Encoder(SMALL), source), 20)


def legacy_pickle(folder: Path) -> Case:
    path = folder / "weights.pt"
    torch.save(
        original(on_disk(dinov2(), folder / "dinov2")), path, _use_new_zipfile_serialization=False
    )
    return Case(path, lambda: load_encoder(Encoder(SMALL), path), 20)


def peer(folder: Path, name: str) -> Case:
    tiny_peers.write_peer(folder / "peer", *tiny_peers.metric_depth_anything())

    def read() -> None:
        found = read_peer(folder / "peer")
        if found is not None and name == "preprocessor_config.json":
            open_processing(folder / "peer", found.model_type)
        else:
            load(folder / "peer", device="cpu")

    return Case(folder / "peer" / name, read, 5)


def arrays(folder: Path) -> Case:
    path = folder / "sub" / "arrays.npz"
    path.parent.mkdir()
    write_arrays(path, {"a": np.zeros((40, 50), np.float32), "b": np.arange(9), "c": "name"})
    return Case(path, lambda: read_arrays(path, ["a"]), 200)


def npy(folder: Path) -> Case:
    path = folder / "depth.npy"
    np.save(path, np.arange(12, dtype=np.float32).reshape(3, 4))
    return Case(path, lambda: _decode_npy(path.read_bytes(), "depth.npy"), 200)


CASES: dict[str, Callable[[Path], Case]] = {
    "config.json": config,
    "config.json by spd.load": loaded_config,
    "model.safetensors": safetensors,
    "export.json": export_json,
    "query.onnx": export_graph,
    "run.json": lambda folder: resumed(folder, "run.json"),
    "best.json": lambda folder: resumed(folder, "best.json"),
    "log.jsonl": lambda folder: resumed(folder, "log.jsonl"),
    "state.pt": lambda folder: resumed(folder, "state.pt"),
    "config.json of a run": lambda folder: resumed(folder, "config.json"),
    "calibration.json": calibration,
    "recipe.json": recipe_json,
    "recipe.toml": recipe_toml,
    "config.json of DINOv2": lambda folder: encoder(folder, "config.json"),
    "model.safetensors of DINOv2": lambda folder: encoder(folder, "model.safetensors"),
    "weights.pth": lambda folder: encoder(folder, "weights.pth"),
    "weights.pt of old torch": legacy_pickle,
    "config.json of a peer": lambda folder: peer(folder, "config.json"),
    "preprocessor_config.json": lambda folder: peer(folder, "preprocessor_config.json"),
    "arrays.npz": arrays,
    "depth.npy": npy,
}


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_an_answer_or_one_clear_error(name, tmp_path):
    case = CASES[name](tmp_path)
    count = case.count * (25 if SOAK else 1)
    assert attack(case.path, case.read, name, count) > 0.1 * count
