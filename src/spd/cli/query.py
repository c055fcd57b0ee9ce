"""What `spd query` does: first what can be refused at once, then what loads torch and a model."""

import csv
import dataclasses
import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from spd.checkpoint_folder import find_checkpoint
from spd.errors import InputError, PointError
from spd.files import check_writable, write_text
from spd.images import RGBImage, read_image
from spd.loading import check_torch, find_export, load, runtime_of
from spd.peers.kinds import read_peer, refuse_relative
from spd.scenes import PhotoScene, as_points, check_focal, check_inside

if TYPE_CHECKING:  # at run time this is loaded only where torch computes
    import torch

Answer = Literal["table", "json", "csv"]
Row = dict[str, float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What a user asks to answer, and on what; None is the default."""

    model: str | None
    device: str | None
    runtime: str | None
    precision: str | None

    def check(self) -> None:
        """Refuse what shows before anything is loaded.

        Raises:
            CheckpointError: if there is no such model.
            ConfigError: if it does not run there.
            InputError: if it has no metres to say.
        """
        if runtime_of(self.model, self.runtime) != "torch":
            find_export(self.model)
            return
        check_torch(self.precision)
        peer = read_peer(find_checkpoint(self.model))
        if peer is not None:
            refuse_relative(peer.kind, str(self.model))


def query_image(
    image: Path,
    points: Sequence[str],
    points_file: Path | None,
    computed: Computed,
    focal_px: float | None,
    form: Answer,
    out: Path | None,
    overlay: Path | None,
) -> None:
    """Ask the points of one photo and print, write or draw the answer."""
    asked = _read_all(points, points_file)
    if out is not None:
        check_writable(out)
    if overlay is not None:
        check_writable(overlay, ".png")
    pixels = read_image(image)
    computed.check()
    scene = _encode(pixels, asked, computed, focal_px)
    rows = _ask(scene, asked)
    if overlay is not None:
        from spd.figures import point_overlay

        depth_m = np.array([row["depth_m"] for row in rows])
        point_overlay(
            pixels,
            np.array(asked),
            depth_m,
            overlay,
            depth_map_m=scene.depth_map(fast=True),
            title=f"{image.name}, {_focal_text(scene)}",
        )
        _note(f"the picture is in {overlay}")
    text = _TEXT[form](rows)
    if out is not None:
        write_text(out, text + "\n")
        print(f"{len(rows)} points are in {out}")
    else:
        print(text)


def _read_all(points: Sequence[str], points_file: Path | None) -> list[tuple[float, float]]:
    asked = [parse_point(text) for text in points]
    if points_file is not None:
        asked += read_points(points_file)
    if not asked:
        raise PointError("no points; name some with --points 320,240 100.5,57 or --points-file")
    return asked


def _encode(
    pixels: RGBImage,
    asked: Sequence[tuple[float, float]],
    computed: Computed,
    focal_px: float | None,
) -> PhotoScene:
    """The encoded photo; what it warns of is said before any answer."""
    size = (pixels.shape[0], pixels.shape[1])
    check_inside(as_points(asked), size)
    if focal_px is not None:
        check_focal(focal_px, size)
    predictor = load(
        computed.model,
        device=_device(computed),
        runtime=computed.runtime,
        precision=computed.precision,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scene = predictor.encode(pixels, focal_px=focal_px)
    for warning in caught:
        _note(f"warning: {warning.message}")
    return scene


def _device(computed: Computed) -> "torch.device | str | None":
    if runtime_of(computed.model, computed.runtime) != "torch":
        return computed.device
    from spd.cli.devices import choose_device

    return choose_device(computed.device)


def parse_point(text: str) -> tuple[float, float]:
    """`u,v` as two numbers."""
    parts = text.split(",")
    try:
        u, v = (float(part) for part in parts)
    except ValueError:
        raise PointError(f"point {text!r} is not u,v with two numbers, such as 320,240") from None
    return u, v


def read_points(path: Path) -> list[tuple[float, float]]:
    """Points of a CSV with a header u,v (or without one), or of a JSON list.

    Raises:
        InputError: if the file is missing or neither form.
        PointError: naming the first line that is no point.
    """
    if not path.is_file():
        raise InputError(f"no points file {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; expected CSV or JSON") from None
    return _from_json(path, text) if text.lstrip().startswith(("[", "{")) else _from_csv(path, text)


def _from_json(path: Path, text: str) -> list[tuple[float, float]]:
    try:
        data = json.loads(text)
        items = data["points"] if isinstance(data, dict) else data
        pairs = [(p["u"], p["v"]) if isinstance(p, dict) else tuple(p) for p in items]
        return [(float(u), float(v)) for u, v in pairs]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        raise PointError(f"{path}: expected JSON such as [[320, 240], [100.5, 57]]") from None


def _from_csv(path: Path, text: str) -> list[tuple[float, float]]:
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    columns = (0, 1)
    if "u" in names and "v" in names:
        columns = (names.index("u"), names.index("v"))
        rows = rows[1:]
    points = []
    for number, row in enumerate(rows, start=1):
        try:
            points.append((float(row[columns[0]]), float(row[columns[1]])))
        except (IndexError, ValueError):
            raise PointError(
                f"{path}: row {number} is {','.join(row)!r}, expected u,v (a header is u,v too)"
            ) from None
    return points


def _ask(scene: PhotoScene, points: Sequence[tuple[float, float]]) -> list[Row]:
    depth_m = scene.depth_at(points)
    rows: list[Row] = [
        {"u": u, "v": v, "depth_m": round(float(d), 4)}
        for (u, v), d in zip(points, depth_m, strict=True)
    ]
    if scene.focal_px is not None:
        for row, range_m in zip(rows, scene.range_at(points), strict=True):
            row["range_m"] = round(float(range_m), 4)
    return rows


def _focal_text(scene: PhotoScene) -> str:
    if scene.focal_px is not None:
        return f"focal length {scene.focal_px:.1f} px, as given"
    if scene.assumed_focal_px is not None:
        scale = "assumed (--focal-px): metres rest on it"
        return f"focal length {scene.assumed_focal_px:.1f} px, {scale}"
    return "focal length not asked for by this model"


def _table(rows: Sequence[Row]) -> str:
    names = list(rows[0])
    lines = ["".join(f"{name:>12}" for name in names)]
    for row in rows:
        cells = [f"{row[n]:.3f}" if n.endswith("_m") else f"{row[n]:g}" for n in names]
        lines.append("".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), indent=1)


_TEXT = {"table": _table, "json": _json, "csv": _csv}


def _note(message: str) -> None:
    import sys

    print(message, file=sys.stderr)
