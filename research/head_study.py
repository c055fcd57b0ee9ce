"""Change one thing of v15.2's local path at a time, on an experiment's cached maps.

The change that helps most is applied to v15.1 as well, which keeps the comparison fair. Each change
is trained from random weights with the experiment's own loop and seeds, and scored at the same
pixels of the held-out rooms. A change and the specification share a seed's rooms, order and points,
so their differences are paired.

Run `python -m research.head_study out/experiment` after that experiment. The same command continues
an interrupted study and prints a table of the results in `out/experiment/study`.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from scipy.stats import t
from torch import Tensor, nn

from research.command import run
from research.experiment.cache import MapCache
from research.experiment.heads import fit_on_maps
from research.experiment.run import Experiment
from spd.config import ModelConfig
from spd.data.sources import open_samples
from spd.data.views import middle_placement
from spd.evaluation.metrics.edges import BANDS_PX, band_name, band_scores, edge_distance_px
from spd.files import write_text
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.decoder.local_conv import ConvPath
from spd.models.decoder.local_path import LocalPath
from spd.models.feature_maps import FeatureMaps
from spd.models.spd import SPD
from spd.outputs.tables import markdown_table
from spd.processes import usable_cpus

CELL_PX = 3.5
"""Side of a cell of L1 in pixels of the model's input: four cells to a patch of 14."""
NUMBERS = ("AbsRel", *(f"AbsRel {band_name(band)}" for band in BANDS_PX))


class StartAtZero(CrossAttentionPath):
    """The query starts as zeros, so all it knows comes from attention."""

    def _windows(
        self, maps: FeatureMaps, points: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        start, coarse, fine = super()._windows(maps, points)
        return torch.zeros_like(start), coarse, fine


class StartAtL1(CrossAttentionPath):
    """The query starts as L1's feature, the finest, instead of the stride-8 map's."""

    def _windows(
        self, maps: FeatureMaps, points: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        _, coarse, fine = super()._windows(maps, points)
        return fine[0][:, fine[0].shape[1] // 2], coarse, fine


class StartAtBoth(CrossAttentionPath):
    """The query starts as the sum of the stride-8 map's feature and L1's."""

    def _windows(
        self, maps: FeatureMaps, points: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        start, coarse, fine = super()._windows(maps, points)
        return start + fine[0][:, fine[0].shape[1] // 2], coarse, fine


class WithoutEmbeddings(CrossAttentionPath):
    """Keys have no embedding of their map or their place in the window."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        for embedding in (self.scale_embedding, self.position_embedding):
            nn.init.zeros_(embedding)
            embedding.requires_grad_(False)


class NearCentres(MapCache):
    """A cache with only the points of each room that are nearest to centres of L1's cells.

    The dense objective asks there too, so keys are then seen at few sub-cell phases.
    """

    POINTS_PER_ROOM = 128

    def points(self, rooms: np.ndarray) -> Tensor:
        """The nearest exact points of these rooms: u, v, depth_m."""
        points = super().points(rooms)
        off = (points[..., :2] + 0.5) / CELL_PX - 0.5
        away = (off - off.round()).abs().amax(dim=-1)
        nearest = away.argsort(dim=1)[:, : self.POINTS_PER_ROOM, None].expand(-1, -1, 3)
        return points.gather(1, nearest)


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One difference from the specification."""

    about: str
    path: Callable[[ModelConfig], nn.Module] = CrossAttentionPath
    model: tuple[tuple[str, int], ...] = ()
    training: tuple[tuple[str, float | int | str], ...] = ()
    steps: float = 1.0
    near_centres: bool = False
    against: str = "specified"
    """The change that this one is compared with."""


CHANGES = {
    "specified": Change("as specified"),
    "start-zero": Change("query starts at zero", StartAtZero),
    "start-l1": Change("query starts at L1", StartAtL1),
    "start-both": Change("query starts at stride-8 map + L1", StartAtBoth),
    "window-3": Change("windows of 3x3", model=(("window", 3),)),
    "window-7": Change("windows of 7x7", model=(("window", 7),)),
    "no-embeddings": Change("no embeddings of map and place", WithoutEmbeddings),
    "lambda": Change("SILog with lambda 0.5", training=(("silog", "specification"),)),
    "rate-low": Change("rate 3e-4", training=(("decoder_lr", 3e-4),)),
    "rate-high": Change("rate 3e-3", training=(("decoder_lr", 3e-3),)),
    "centres": Change("points near cell centres only", near_centres=True),
    "points": Change("four times the points an image", training=(("points_per_image", 128),)),
    "longer": Change("twice the steps", steps=2.0),
    "trained": Change("rate 3e-3 and twice the steps", training=(("decoder_lr", 3e-3),), steps=2.0),
    "conv": Change("v15.1", ConvPath),
    "conv-longer": Change(
        "v15.1 with twice the steps, against v15.2 with them", ConvPath, steps=2.0, against="longer"
    ),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """Maps and points of one held-out room."""

    maps: FeatureMaps
    points: Tensor
    truth_m: np.ndarray
    distance_px: np.ndarray
    """Distance of each point to the nearest true edge, in pixels of the photo."""


def held_out_rooms(trunk: SPD, folder: Path, points: int) -> list[Room]:
    """Maps of every held-out room, with `points` of its readings drawn without replacement."""
    rooms = []
    for number, sample in enumerate(open_samples([f"{folder / 'held_out'}:val"])):
        placement = middle_placement(sample, trunk.config.camera)
        shown = torch.from_numpy(placement.image(sample.image).copy()).permute(2, 0, 1)[None]
        with torch.inference_mode():
            maps = trunk.encode(shown.to(trunk.dtype) / 255)
        v, u = np.nonzero(sample.valid)
        places = placement.to_view(np.column_stack([u, v]).astype(np.float64))
        inside = np.nonzero(placement.holds(places))[0]
        drawn = np.random.default_rng(number).choice(inside, min(points, len(inside)), False)
        distance_px = edge_distance_px(sample.depth_m, sample.valid)[v[drawn], u[drawn]]
        asked = torch.from_numpy(places[drawn]).float()[None]
        rooms.append(Room(maps, asked, sample.depth_m[v[drawn], u[drawn]], distance_px))
    return rooms


def scores(path: LocalPath, rooms: list[Room]) -> dict[str, float]:
    """AbsRel over all readings and by distance to the edge, the mean over rooms."""
    found: dict[str, list[float]] = {number: [] for number in NUMBERS}
    with torch.inference_mode():
        for room in rooms:
            depth_m = path.query(room.maps, room.points)[0].numpy()
            found["AbsRel"].append(float(np.mean(np.abs(depth_m / room.truth_m - 1))))
            of_bands = band_scores(depth_m, room.truth_m, room.distance_px)
            for name, band in zip(NUMBERS[1:], of_bands, strict=True):
                if band.abs_rel is not None:
                    found[name].append(band.abs_rel)
    return {name: float(np.mean(values)) for name, values in found.items()}


def do_seed(folder: Path, seed: int, points: int) -> None:
    """Train and score every missing change with one seed, in a process of its own."""
    torch.set_num_threads(1)
    experiment = Experiment.open(folder)
    trunk, rooms = experiment.trunk(), None
    for name, change in CHANGES.items():
        out = folder / "study" / f"{name}-{seed}.json"
        if out.is_file():
            continue
        rooms = rooms or held_out_rooms(trunk, folder, points)
        training = experiment.config.head_training(1.0, "query")
        steps = round(training.steps * change.steps)
        training = training.model_copy(update={"steps": steps} | dict(change.training))
        cache = MapCache.open(folder / "cache")
        if change.near_centres:
            cache = NearCentres(cache.parts, cache.image_size)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            module = change.path(trunk.config.model_copy(update=dict(change.model)))
        fit_on_maps(module, cache, training, seed)
        found = scores(cast(LocalPath, module.eval()), rooms)
        write_text(out, json.dumps(found) + "\n")
        print(f"{out.stem}: AbsRel {found['AbsRel']:.4f}", file=sys.stderr, flush=True)


def results(folder: Path, seeds: int) -> str:
    """Means over the finished seeds, and paired differences with their 95 % intervals."""
    found: dict[str, dict[int, dict[str, float]]] = {
        name: {
            seed: json.loads(path.read_text())
            for seed in range(seeds)
            if (path := folder / f"{name}-{seed}.json").is_file()
        }
        for name in CHANGES
    }
    head = ("changed", "seeds", "AbsRel", "difference", "AbsRel 0-1 px", "difference")
    lines = []
    for name, rows in found.items():
        if len(rows) < 2:
            continue
        cells = [CHANGES[name].about, str(len(rows))]
        for number in (NUMBERS[0], NUMBERS[1]):
            values = np.array([row[number] for row in rows.values()])
            cells.append(f"{values.mean():.4f} ± {values.std(ddof=1):.4f}")
            cells.append(_difference(rows, found[CHANGES[name].against], number))
        cells.append(f"{np.mean([row[NUMBERS[-1]] for row in rows.values()]):.4f}")
        lines.append(cells)
    return markdown_table([*head, "AbsRel >8 px"], lines)


def _difference(
    rows: dict[int, dict[str, float]], others: dict[int, dict[str, float]], number: str
) -> str:
    off = np.array([rows[seed][number] - others[seed][number] for seed in rows if seed in others])
    if rows is others or len(off) < 2:
        return ""
    half = float(t.ppf(0.975, len(off) - 1) * off.std(ddof=1) / len(off) ** 0.5)
    return f"{off.mean():+.4f} ± {half:.4f}"


def study(folder: Path, points: int = 4000) -> str:
    """Train and score missing changes, one process a core, and return the table of results."""
    seeds = Experiment.open(folder).config.seeds
    (folder / "study").mkdir(exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(usable_cpus(), mp_context=context) as pool:
        for job in [pool.submit(do_seed, folder, seed, points) for seed in range(seeds)]:
            job.result()
    return results(folder / "study", seeds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, do what is missing, and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m research.head_study",
        description="Change one thing of v15.2's local path at a time, on an experiment's maps.",
    )
    parser.add_argument("folder", type=Path, help="folder of a finished experiment")
    return run(lambda options: print(study(options.folder)), parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
