"""Maps and pictures of a whole photo as the bytes of a file."""

import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from spd.errors import InputError
from spd.memory import reserved
from spd.outputs.maps import write_png
from spd.photos.focal import SOURCE_WORDS
from spd.pixels import rescale
from spd.scenes.scene import PhotoScene
from spd.serve.cache import EncodedPhoto
from spd.serve.refusals import from_error

File: TypeAlias = bytes | memoryview
"""Contents of a file; a large one is not copied once more."""
_BYTES_A_PIXEL = 20  # of a map's file and its copies beside the map


def depth_npy(photo: EncodedPhoto) -> memoryview:
    """The depth map as an .npy file: float32 `[H, W]` in metres.

    Raises:
        OutOfMemoryError: if it needs more memory than is left.
    """
    depth_m = photo.scene.depth_map(fast=True)
    with _memory_for(photo):
        file = io.BytesIO()
        np.save(file, np.ascontiguousarray(depth_m, dtype=np.float32))
        return file.getbuffer()


def depth_png(photo: EncodedPhoto) -> bytes:
    """The depth map as a 16-bit PNG in millimetres.

    Raises:
        OutOfMemoryError: if it needs more memory than is left.
        RefusalError: if a depth does not fit 16 bits.
    """
    depth_m = photo.scene.depth_map(fast=True)
    try:
        with _memory_for(photo):
            return _file("depth.png", lambda path: write_png(depth_m, path))
    except InputError:
        raise from_error(
            InputError(
                f"depths from {depth_m.min():.4g} to {depth_m.max():.4g} m do not fit into "
                "16-bit millimetres; download depth.npy instead"
            )
        ) from None


def overlay(photo: EncodedPhoto, texts: Sequence[str]) -> bytes:
    """The picture that `spd query --overlay` draws, for points given as `u,v`.

    Raises:
        RefusalError: if a text is not a point.
        PointError: naming the first point outside the photo.
        OutOfMemoryError: if it needs more memory than is left.
    """
    from spd.figures import point_overlay  # matplotlib takes a second to load

    uv = np.array([_point(text) for text in texts], dtype=np.float64).reshape(-1, 2)
    scene, preview = photo.scene, photo.preview
    depth_m = scene.depth_at(uv)
    scale = np.array(preview.shape[1::-1]) / scene.size[::-1]
    rows, columns = (
        ((np.arange(small) + 0.5) * (whole / small)).astype(np.int64)
        for small, whole in zip(preview.shape[:2], scene.size, strict=True)
    )
    preview_depth_m = scene.depth_map(fast=True)[rows[:, None], columns]
    return _file(
        "overlay.png",
        lambda path: point_overlay(
            preview,
            rescale(uv, scale),
            depth_m,
            path,
            depth_map_m=preview_depth_m,
            title=_focal_title(scene),
        ),
    )


def _memory_for(photo: EncodedPhoto) -> contextlib.AbstractContextManager[None]:
    """Reserve the memory of writing a map that is there already."""
    height, width = photo.scene.size
    what = f"writing the {height}x{width} depth map"
    return reserved(_BYTES_A_PIXEL * height * width, what, "query points, or allow more memory")


def _point(text: str) -> tuple[float, float]:
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise from_error(
            InputError(f"points={text[:40]} is not a point; expected points=u,v"), "bad_point"
        ) from None
    return u, v


def _focal_title(scene: PhotoScene) -> str:
    if scene.focal is None:
        return "focal length not used by this model"
    return f"focal length {scene.focal.px:.1f} px, {SOURCE_WORDS[scene.focal.source]}"


def _file(name: str, write: Callable[[Path], object]) -> bytes:
    """The bytes of a file whose writer takes a path only."""
    with tempfile.TemporaryDirectory(prefix="spd-") as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
