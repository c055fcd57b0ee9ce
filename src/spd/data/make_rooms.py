"""Writing synthetic rooms as an RGB-D folder: parallel, resumable, the same from the same seed."""

import concurrent.futures
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from spd._version import __version__
from spd.data.folder import frame_entry, write_frame, write_index
from spd.data.rooms import render_room
from spd.data.rooms.render import NYU_FOCAL_SHARE
from spd.errors import DataError
from spd.files import write_text
from spd.geometry import Intrinsics, Size

SETTINGS = "rooms.json"


def make_rooms(
    folder: Path,
    count: int,
    *,
    validation: int = 0,
    seed: int = 0,
    size: Size = (480, 640),
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Render `count` rooms for training and `validation` others, and index them.

    Frames that are there already are kept, so an interrupted call goes on where it stopped; more
    can be added by asking for a larger count. Room `n` of a split depends on the seed, the split
    and `n` alone.

    Args:
        folder: where to write; refused if it holds rooms of other settings.
        count: rooms of the split `train`.
        validation: rooms of the split `val`.
        seed: of everything.
        size: (height, width) of the images in pixels; the field of view is NYU's.
        workers: processes; by default one per core.
        progress: told (frames done, frames in all).
    """
    _check_settings(folder, {"seed": seed, "size": list(size), "spd": __version__})
    jobs = [(f"train-{n:06d}", _room_seed(seed, 0, n)) for n in range(count)]
    jobs += [(f"val-{n:06d}", _room_seed(seed, 1, n)) for n in range(validation)]
    todo = [(folder, name, room, size) for name, room in jobs if not _is_there(folder, name)]
    done = len(jobs) - len(todo)
    progress(done, len(jobs))
    for _ in _run(todo, workers or os.cpu_count() or 1):
        done += 1
        progress(done, len(jobs))
    camera = Intrinsics.centred(NYU_FOCAL_SHARE * size[1], size)
    entries = [
        frame_entry(name, size, camera, name.split("-")[0], dataset="SPD rooms", room_seed=room)
        for name, room in jobs
    ]
    write_index(entries, folder)


def _room_seed(seed: int, split: int, number: int) -> int:
    """Splits never share a room: training rooms are even, validation rooms odd."""
    return 2 * (seed * 1_000_000 + number) + split


def _is_there(folder: Path, name: str) -> bool:
    return all((folder / f"{name}{ending}").is_file() for ending in (".png", ".depth.png"))


def _run(todo: list[tuple[Path, str, int, Size]], workers: int) -> Iterator[None]:
    if workers == 1 or len(todo) < 2 * workers:  # starting processes costs more than it saves
        for job in todo:
            _render(job)
            yield
        return
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_render, todo, chunksize=4)


def _render(job: tuple[Path, str, int, Size]) -> None:
    folder, name, room, size = job
    write_frame(render_room(room, size=size).sample(name), folder)


def _check_settings(folder: Path, settings: dict[str, object]) -> None:
    path = folder / SETTINGS
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings:
            raise DataError(
                f"{folder} holds rooms of {found}, asked for {settings}; choose another folder"
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty and holds no rooms; choose another folder")
    write_text(path, json.dumps(settings) + "\n")
