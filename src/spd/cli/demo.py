"""`spd demo`: six points of the example photo with their errors, and a picture."""

from pathlib import Path
from typing import Annotated

import typer

from spd.cli.guard import Writes
from spd.cli.options import Overwrite, Threads

ROOM, PICTURE, TABLE = "room.png", "points.png", "points.csv"
POINTS = ((60, 150), (330, 140), (560, 200), (150, 360), (330, 330), (480, 420))
"""Pixels (u, v) of the example photo, spread over its walls, floor and furniture."""


def demo(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder for room.png, points.png and points.csv."),
        Writes(files=(ROOM, PICTURE, TABLE)),
    ] = Path(),
    overwrite: Overwrite = False,
    threads: Threads = None,
) -> None:
    """Query six points in a synthetic room with exactly known depth, and draw the depth map.

    Example: `spd demo -o out`
    """
    import numpy as np

    from spd.figures.overlay import point_overlay
    from spd.files import check_writable, write_bytes
    from spd.outputs import table_text, write_table
    from spd.photos.example import EXAMPLE_FOCAL_PX, example_depth_m, example_photo
    from spd.photos.reading import read_image
    from spd.predictors.loading import load
    from spd.processes import use_threads

    use_threads(threads)
    room, picture, table = out / ROOM, out / PICTURE, out / TABLE
    for path in (room, picture, table):
        check_writable(path)
    scene = load().encode(example_photo(), focal_px=EXAMPLE_FOCAL_PX)
    points = np.array(POINTS)
    depth_m = scene.depth_at(points)
    truth_m = example_depth_m()[points[:, 1], points[:, 0]]
    rows = [
        {"u": u, "v": v, "depth_m": depth, "truth_m": truth, "error_m": depth - truth}
        for (u, v), depth, truth in zip(POINTS, depth_m.tolist(), truth_m.tolist(), strict=True)
    ]
    write_bytes(room, example_photo().read_bytes())
    write_table(rows, table, "csv")
    point_overlay(
        read_image(room),
        points,
        depth_m,
        picture,
        depth_map_m=scene.depth_map(fast=True),
        title=f"room.png, focal length {EXAMPLE_FOCAL_PX} px, as given",
    )
    print(table_text(rows))
    print(f"Wrote {room} (the photo), {picture} (points and depth map) and {table} (this table).")
