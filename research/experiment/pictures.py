"""Draw the experiment's pictures from its files and from held-out rooms rendered again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from research.experiment.attention import read_tokens
from research.experiment.heads import Head
from research.experiment.names import busy_words
from research.experiment.plots import (
    attention_picture,
    edge_crops,
    latency_plot,
    own_surface_plot,
    seeds_plot,
)
from research.experiment.summary import Summary
from spd.data.rooms import RoomFrame, render_room
from spd.evaluation.metrics.edges import depth_edges
from spd.models.spd import SPD
from spd.pixels import Size
from spd.predictors.torch_predictor import Predictor

PANELS = (
    ("AbsRel", "AbsRel"),
    ("AbsRel 0-1 px", "AbsRel within 1 px of an edge"),
    ("AbsRel 1-2 px", "AbsRel at 1 to 2 px"),
    ("AbsRel >8 px", "AbsRel beyond 8 px"),
    ("si_f1", "boundary F1, Depth Pro"),
    ("r1_f1", "boundary F1, radius 1"),
    ("dbe_tum_accuracy_px", "edge error, accuracy (px)"),
    ("gap, mean (share)", "gap of modes, share of depth"),
)
CROP_PX = 96
CROPPED = ("v15.2", "v15.1", "bilinear", "one stage")


def draw_all(
    folder: Path,
    summary: Summary,
    heads: Sequence[Head],
    trunk: SPD,
    seeds: Sequence[int],
    size: Size,
) -> None:
    """Write all pictures into the experiment's folder."""
    values = {
        name: {k: s.values for k, s in found.items()} for name, found in summary.numbers.items()
    }
    count = summary.config["held_out_rooms"]
    seeds_plot(
        values,
        folder / "seeds.png",
        panels=PANELS,
        title=f"Heads on one frozen trunk, {count} held-out rooms: a dot a seed, a bar at the mean",
    )
    latency_plot(
        summary.latency["milliseconds"],
        folder / "latency.png",
        title=f"Time of an answer on {summary.latency['machine']['processor']}",
        caution=busy_words(summary.latency["machine"]),
    )
    if summary.attention:
        own_surface_plot(
            summary.attention,
            folder / "attention.png",
            title="v15.2: attention on the query's own surface, mean over heads and seeds",
        )
    first = {str(head.variant.name): head for head in heads if head.seed == 0}
    frame = render_room(seeds[0], size=size)
    models = {str(name): first[name].model(trunk) for name in CROPPED if name in first}
    _draw_crops(folder / "edges.png", frame, models)
    if "v15.2" in models:
        _draw_attention(folder / "attention_at_an_edge.png", frame, models["v15.2"])


def _draw_crops(path: Path, frame: RoomFrame, models: dict[str, SPD]) -> None:
    """Depth of every pixel of the crops, by every model."""
    boxes = _edge_boxes(frame, 3)
    maps = {"truth": frame.depth_m}
    for name, model in models.items():
        predictor = Predictor(model, torch.device("cpu"), name)
        scene = predictor.encode(frame.image, focal_px=frame.intrinsics.focal_px)
        maps[name] = np.full_like(frame.depth_m, np.nan)
        for top, left, side in boxes:
            v, u = np.mgrid[top : top + side, left : left + side]
            asked = scene.depth_at(np.stack([u.ravel(), v.ravel()], axis=1))
            maps[name][top : top + side, left : left + side] = asked.reshape(side, side)
    edge_crops(
        frame.image,
        maps,
        boxes,
        path,
        title="Where depth edges are many: photo, truth, and every pixel asked (seed 0)",
    )


def _draw_attention(path: Path, frame: RoomFrame, model: SPD) -> None:
    """The query beside the strongest edge of the busiest crop."""
    top, left, side = _edge_boxes(frame, 1)[0]
    part = (slice(top, top + side), slice(left, left + side))
    edges = depth_edges(frame.depth_m, np.isfinite(frame.depth_m))[part]
    middle = np.argwhere(edges) - side / 2
    row, column = np.argwhere(edges)[np.argmin((middle**2).sum(axis=1))]
    point = (float(left + column), float(top + row))
    tokens = read_tokens(model, frame, np.array([point]))
    attention_picture(
        frame.image,
        point,
        [one.places[0] for one in tokens],
        [one.weights[0].mean(axis=0) for one in tokens],
        [one.own[0] for one in tokens],
        path,
        captions=["the query", "stage 1: s8", "stage 1: L2", "stage 2: L1"],
        title="What one query at a depth edge attends to (v15.2, seed 0, mean of its heads)",
    )


def _edge_boxes(frame: RoomFrame, count: int) -> list[tuple[int, int, int]]:
    """The squares (top, left, side) with the most edge pixels, without overlap."""
    edges = depth_edges(frame.depth_m, np.isfinite(frame.depth_m)).astype(np.float64)
    height, width = edges.shape
    side = min(CROP_PX, height // 2, width // 2)
    boxes: list[tuple[int, int, int]] = []
    for _ in range(count):
        sums = np.array(
            [
                [edges[y : y + side, x : x + side].sum() for x in range(0, width - side, side // 4)]
                for y in range(0, height - side, side // 4)
            ]
        )
        row, column = np.unravel_index(int(sums.argmax()), sums.shape)
        top, left = int(row) * (side // 4), int(column) * (side // 4)
        boxes.append((top, left, side))
        edges[top : top + side, left : left + side] = 0
    return boxes
