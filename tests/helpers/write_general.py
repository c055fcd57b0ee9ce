"""Writers of the general formats, in their published layouts."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from helpers.frames import MiniatureFrame
from spd.data import nyu_dataset as nyu

HUB_FEATURES = {"image": {"_type": "Image"}, "depth_map": {"_type": "Image"}}


def png_bytes(array: np.ndarray) -> bytes:
    return _encoded(array, "PNG")


def tiff_bytes(array: np.ndarray) -> bytes:
    return _encoded(array, "TIFF")


def npy_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _encoded(array: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def depth_bytes(frame: MiniatureFrame, depth: str) -> bytes:
    """`tiff`: float32 metres; `png16`: millimetres."""
    return tiff_bytes(frame.depth_m) if depth == "tiff" else png_bytes(frame.depth_mm)


def structs(files: Sequence[bytes | None]) -> list[dict[str, object]]:
    """Files in a column, as the hub stores them."""
    return [{"bytes": data, "path": f"{number}"} for number, data in enumerate(files)]


def write_parquet(
    folder: Path,
    frames: Sequence[MiniatureFrame],
    *,
    metadata: bool = True,
    depth: str = "tiff",
) -> Path:
    """`data/train-00000-of-00002.parquet` and so on, in the layout of the hub.

    With `metadata` the schema marks the structs as images for the `datasets` library.
    """
    (folder / "data").mkdir(parents=True)
    for split in ("train", "test"):
        own = [frame for frame in frames if frame.split == split]
        shards = [own[: len(own) // 2], own[len(own) // 2 :]]
        for number, shard in enumerate(shards):
            table = pa.table(
                {
                    "image": structs([frame.jpeg for frame in shard]),
                    "depth_map": structs([depth_bytes(frame, depth) for frame in shard]),
                    "scene": [frame.scene for frame in shard],
                }
            )
            if metadata:
                features = {**HUB_FEATURES, "scene": {"dtype": "string", "_type": "Value"}}
                info = json.dumps({"info": {"features": features}})
                table = table.replace_schema_metadata({"huggingface": info})
            pq.write_table(table, folder / "data" / f"{split}-{number:05d}-of-00002.parquet")
    return folder


def write_array_parquet(
    folder: Path, frames: Sequence[MiniatureFrame], *, feature_types: bool = False
) -> Path:
    """Images [3, h, w] in 0..1 and depth [1, h, w], every second pixel, as tanganke/nyuv2.

    With `feature_types` as the library's own Array3D, which parquet knows as an extension.
    """
    (folder / "data").mkdir(parents=True)
    for split in ("train", "test"):
        own = [frame for frame in frames if frame.split == split]
        images = [f.image[::2, ::2].transpose(2, 0, 1).astype(np.float32) / 255 for f in own]
        depths = [f.depth_m[None, ::2, ::2] for f in own]
        path = folder / "data" / f"{split}-00000-of-00001.parquet"
        if feature_types:
            import datasets

            features = datasets.Features(
                image=datasets.Array3D(images[0].shape, "float32"),
                depth=datasets.Array3D(depths[0].shape, "float32"),
            )
            table = datasets.Dataset.from_dict({"image": images, "depth": depths}, features).data
            pq.write_table(table.table, path)
        else:
            pq.write_table(pa.table({"image": nested(images), "depth": nested(depths)}), path)
    return folder


def nested(arrays: Sequence[np.ndarray]) -> pa.Array:
    """Arrays of one shape as nested lists of Arrow."""
    values = pa.array(np.stack(arrays).ravel())
    for length in reversed(arrays[0].shape):
        offsets = np.arange(0, len(values) + 1, length, dtype=np.int32)
        values = pa.ListArray.from_arrays(offsets, values)
    return values


def write_image_folders(
    folder: Path, frames: Sequence[MiniatureFrame], *, scenes: bool = False
) -> Path:
    """`images/train/00002.jpg`, `depth/train/00002.png` in millimetres, and a YAML file.

    As Ultralytics ships NYU, where the test frames are called val; with `scenes` one folder more.
    """
    for frame in frames:
        split = "val" if frame.split == "test" else "train"
        stem = (
            f"{split}/{frame.scene}/{frame.number:05d}" if scenes else f"{split}/{frame.number:05d}"
        )
        for name, data in (
            (f"images/{stem}.jpg", frame.jpeg),
            (f"depth/{stem}.png", png_bytes(frame.depth_mm)),
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (folder / "nyu.yaml").write_text(
        "train: images/train\nval: images/val\ndepth_scale: 1000 # mm\n"
    )
    return folder


def write_table(folder: Path, frames: Sequence[MiniatureFrame]) -> Path:
    """`frames.csv` with NYU's camera in every row, and the files it names."""
    folder.mkdir(parents=True)
    camera = nyu.CAMERA
    rows = []
    for frame in frames:
        image, depth = f"photos/{frame.number}.jpg", f"maps/{frame.number}.tif"
        for name, data in ((image, frame.jpeg), (depth, tiff_bytes(frame.depth_m))):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        four = (camera.fx, camera.fy, camera.cx, camera.cy)
        rows.append((image, depth, frame.split, frame.scene, *four, "a remark"))
    with (folder / "frames.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "depth", "split", "scene", "fx", "fy", "cx", "cy", "remark"))
        writer.writerows(rows)
    return folder / "frames.csv"
