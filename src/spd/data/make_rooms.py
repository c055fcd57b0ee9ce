"""Writing synthetic rooms as an RGB-D folder: parallel, resumable and reproducible by seed."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spd._version import __version__
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.parallel import Progress
from spd.data.resumable import claim_folder
from spd.data.rooms import RoomFrame, render_room
from spd.data.rooms.render import NYU_FOCAL_SHARE
from spd.errors import DataError
from spd.pixels import Intrinsics, Size
from spd.processes import process_pool, usable_cpus
from spd.terminal import interrupts_held

SETTINGS = "rooms.json"
GENERATOR = 1
"""Version of the room generator; another version gives other rooms for the same seeds.
`tests/data/test_make_rooms.py` pins rooms of this version."""

HELD_OUT_SEED = 1
"""Seed of the validation rooms for final scores; no model is trained on them or chosen by them."""

_POINT_STREAM = 1_000_000  # number of a random stream; rendering uses the streams from 0 on


def make_rooms(
    folder: Path,
    count: int,
    *,
    validation: int = 0,
    seed: int = 0,
    size: Size = (480, 640),
    focal_px: float | None = None,
    points: int = 4096,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Render `count` rooms for training and `validation` others, and index them.

    Existing frames are kept, so an interrupted call can be resumed and a larger count adds rooms.
    Room `n` of a split depends only on the seed, the split and `n`.

    Args:
        folder: output folder; refused if it holds rooms of other settings.
        count: number of rooms in the split `train`.
        validation: number of rooms in the split `val`.
        seed: seed of all rooms.
        size: (height, width) of the images in pixels.
        focal_px: focal length in those pixels; None: that of NYU's field of view.
        points: number of random sub-pixel points with exact depth per frame; 0 writes none.
        workers: processes; None: one per core.
        progress: called with (frames done, frames in total).

    Raises:
        InputError: if the focal length is not positive, or no room has a usable view at it.
        DataError: if the folder holds anything else.
    """
    wanted_px = NYU_FOCAL_SHARE * size[1] if focal_px is None else focal_px
    camera = Intrinsics.centred(wanted_px, size)
    settings = {
        "generator": GENERATOR,
        "seed": seed,
        "size": list(size),
        "focal_px": focal_px,
        "points": points,
        "spd": __version__,
    }
    # Folders of earlier versions lack these settings.
    defaults = {"points": 0, "generator": 1, "focal_px": None}
    claim_folder(folder / SETTINGS, settings, defaults)
    jobs = [(f"train-{n:06d}", _room_seed(seed, 0, n)) for n in range(count)]
    jobs += [(f"val-{n:06d}", _room_seed(seed, 1, n)) for n in range(validation)]
    todo = [job for job in jobs if not _is_complete(folder, job[0], points)]
    done = len(jobs) - len(todo)
    progress(done, len(jobs))
    render = functools.partial(_render, folder, size=size, focal_px=focal_px, points=points)
    for _ in _run(render, todo, workers or usable_cpus()):
        done += 1
        progress(done, len(jobs))
    entries = []
    for name, room in jobs:
        about = {"points": f"{name}.points.npy"} if points else {}
        split = name.split("-")[0]
        entries.append(
            frame_entry(name, size, camera, split, dataset="SPD rooms", room_seed=room, **about)
        )
    write_index(entries, folder)


def exact_points(frame: RoomFrame, count: int, seed: int) -> Float[np.ndarray, "n 3"]:
    """Exact depth at up to `count` uniformly random points: `(u, v, depth_m)`, float32.

    Points are rounded to float32 before their depth is computed, which keeps it exact. Points whose
    ray hits nothing are left out.
    """
    rng = np.random.default_rng([seed, _POINT_STREAM])
    height, width = frame.depth_m.shape
    places = (rng.random((count, 2)) * (width, height) - 0.5).astype(np.float32)
    depth_m = frame.depth_at(places).astype(np.float32)
    return np.column_stack([places, depth_m])[np.isfinite(depth_m)]


def _room_seed(seed: int, split: int, number: int) -> int:
    """Seed of a room, even for training and odd for validation, so splits never share a room."""
    return 2 * (seed * 1_000_000 + number) + split


def _is_complete(folder: Path, name: str, points: int) -> bool:
    endings = (".png", ".depth.png", ".points.npy") if points else (".png", ".depth.png")
    return all((folder / f"{name}{ending}").is_file() for ending in endings)


def _run(
    render: Callable[[tuple[str, int]], None], todo: list[tuple[str, int]], workers: int
) -> Iterator[None]:
    if workers == 1 or len(todo) < 2 * workers:  # starting processes costs more than it saves
        yield from map(render, todo)
        return
    try:
        with process_pool(workers) as pool:
            with interrupts_held():  # an interrupt during the start is raised at the block's end
                rendered = pool.map(render, todo, chunksize=4)
            yield from rendered
    except BrokenProcessPool:
        raise DataError(
            "a worker process ended unexpectedly; is there enough memory? Run the command again "
            "to continue; --workers 1 needs the least"
        ) from None


def _render(
    folder: Path, job: tuple[str, int], *, size: Size, focal_px: float | None, points: int
) -> None:
    name, room = job
    frame = render_room(room, size=size, focal_px=focal_px)
    sample = frame.sample(name)
    if points:
        sample = dataclasses.replace(sample, exact_points=exact_points(frame, points, room))
    write_frame(sample, folder)
