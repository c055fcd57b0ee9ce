"""Writers of the formats of NYU Depth V2, in their published layouts."""

import io
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.frames import MiniatureFrame


def write_labelled_mat(folder: Path, frames: Sequence[MiniatureFrame]) -> Path:
    """`nyu_depth_v2_labeled.mat` of these frames in this order, and its `splits.mat`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nyu_depth_v2_labeled.mat"
    write_mat_arrays(
        path,
        images=np.stack([frame.image.transpose(2, 1, 0) for frame in frames]),
        rawDepths=np.stack([frame.depth_m.T for frame in frames]),
        depths=np.stack([frame.filled_m.T for frame in frames]),
        scenes=[frame.scene for frame in frames],
        sceneTypes=[frame.scene_type for frame in frames],
        rawRgbFilenames=[f"{frame.scene}/r-1.0-{n}.ppm" for n, frame in enumerate(frames)],
    )
    numbers = {
        split: [n for n, frame in enumerate(frames, 1) if frame.split == split]
        for split in ("train", "test")
    }
    write_splits(folder / "splits.mat", numbers["train"], numbers["test"])
    return path


def write_mat_arrays(path: Path, **contents: np.ndarray | list[str]) -> None:
    """A MATLAB 7.3 file: HDF5 behind a block of 512 bytes; texts are referred to, one by one."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in contents.items():
            if isinstance(value, np.ndarray):
                chunks = (1, *value.shape[1:])
                file.create_dataset(name, data=value, chunks=chunks, compression="gzip")
                continue
            references = file.create_dataset(name, (1, len(value)), h5py.ref_dtype)
            for n, text in enumerate(value):
                letters = np.array([[ord(letter)] for letter in text], np.uint16)
                references[0, n] = file.create_dataset(f"#refs#/{name}{n}", data=letters).ref
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def write_splits(path: Path, train: Sequence[int], test: Sequence[int]) -> None:
    """`splits.mat`: an old MATLAB file with two columns of numbers from 1."""
    from scipy.io import savemat

    columns = {"trainNdxs": train, "testNdxs": test}
    savemat(path, {key: np.array(numbers, np.uint16)[:, None] for key, numbers in columns.items()})


def write_bts(folder: Path, frames: Sequence[MiniatureFrame]) -> Path:
    """BTS's folders: `sync`, `official_splits`, and its two lists in `train_test_inputs`."""
    lines: dict[str, list[str]] = {"train": [], "test": []}
    seen: Counter[str] = Counter()
    for frame in frames:
        official = folder / "official_splits" / frame.split / frame.scene_type
        _write_pair(official, frame.number, frame)
        if frame.split == "train":
            number = seen[frame.scene]
            seen[frame.scene] += 1
            _write_pair(folder / "sync" / frame.scene, number, frame)
            start = f"/{frame.scene}"
        else:
            number, start = frame.number, frame.scene_type
        lines[frame.split].append(
            f"{start}/rgb_{number:05d}.jpg {start}/sync_depth_{number:05d}.png 518.8579"
        )
    lists = folder / "train_test_inputs"
    lists.mkdir(parents=True)
    train = "".join(f"{line}\n" for line in lines["train"])
    (lists / "nyudepthv2_train_files_with_gt.txt").write_text(train)
    # The test list ends without a line break, as the true one does.
    (lists / "nyudepthv2_test_files_with_gt.txt").write_text("\n".join(lines["test"]))
    return folder


def _write_pair(folder: Path, number: int, frame: MiniatureFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"rgb_{number:05d}.jpg").write_bytes(frame.jpeg)
    Image.fromarray(frame.depth_mm).save(folder / f"sync_depth_{number:05d}.png", compress_level=1)


def write_h5(folder: Path, frames: Sequence[MiniatureFrame]) -> Path:
    """`train/SCENE/00001.h5`, 00006, ..., and `val/official/NUMBER.h5`, from 1."""
    for name, frame in h5_names(frames):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(h5_bytes(frame))
    return folder


def write_h5_tars(folder: Path, frames: Sequence[MiniatureFrame], *, flat: bool = False) -> Path:
    """Write the files of `write_h5` in shards of two: `train-000000.tar`, ..., `val-000000.tar`."""
    folder.mkdir(parents=True)
    named = h5_names(frames)
    for split in ("train", "val"):
        of_split = [pair for pair in named if pair[0].startswith(split)]
        for shard in range(0, len(of_split), 2):
            with tarfile.open(folder / f"{split}-{shard // 2:06d}.tar", "w") as archive:
                for place, (name, frame) in enumerate(of_split[shard : shard + 2]):
                    content = h5_bytes(frame)
                    member = tarfile.TarInfo(f"{place:05d}.h5" if flat else f"./{name}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return folder


def h5_names(frames: Sequence[MiniatureFrame]) -> list[tuple[str, MiniatureFrame]]:
    """Name of each frame in the data set."""

    def names() -> Iterator[str]:
        seen: Counter[str] = Counter()
        for frame in frames:
            if frame.split == "train":
                yield f"train/{frame.scene}/{5 * seen[frame.scene] + 1:05d}.h5"
                seen[frame.scene] += 1
            else:
                yield f"val/official/{frame.number + 1:05d}.h5"

    return list(zip(names(), frames, strict=True))


def h5_bytes(frame: MiniatureFrame) -> bytes:
    """One frame's file: `rgb` with channels first, `depth` in metres."""
    return hdf5_bytes(rgb=frame.image.transpose(2, 0, 1), depth=frame.depth_m)


def hdf5_bytes(**arrays: np.ndarray) -> bytes:
    """An HDF5 file of these arrays."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return buffer.getvalue()
