"""Maps and pictures of a whole photo, as the bytes of a file; in a worker thread of their own."""

import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from spd.errors import InputError
from spd.outputs.maps import write_png
from spd.photos.focal import SOURCE_WORDS
from spd.pixels import rescale
from spd.scenes.scene import PhotoScene
from spd.serve.cache import Kept
from spd.serve.refusals import of_input


def depth_npy(kept: Kept) -> bytes:
    """float32 `[H, W]` metres as `numpy.load` reads them."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(kept.scene.depth_map(fast=True), dtype=np.float32))
    return file.getvalue()


def depth_png(kept: Kept) -> bytes:
    """16-bit millimetres.

    Raises:
        RefusalError: if a depth is too far for them, or too near.
    """
    depth_m = kept.scene.depth_map(fast=True)
    try:
        return _file("depth.png", lambda path: write_png(depth_m, path))
    except InputError:
        raise of_input(
            InputError(
                f"depths from {depth_m.min():.4g} to {depth_m.max():.4g} m do not fit 16 bits of "
                "millimetres; take depth.npy"
            )
        ) from None


def overlay(kept: Kept, texts: Sequence[str]) -> bytes:
    """The picture that `spd query --overlay` draws, of points `u,v`.

    Raises:
        RefusalError: if a text is no point.
        PointError: naming the first point outside the photo.
    """
    from spd.figures import point_overlay  # matplotlib takes a second to load

    uv = np.array([_point(text) for text in texts], dtype=np.float64).reshape(-1, 2)
    scene, small = kept.scene, kept.small
    depth_m = scene.depth_at(uv)
    shrunk = np.array(small.shape[1::-1]) / scene.size[::-1]
    rows, columns = (
        ((np.arange(shown) + 0.5) * (whole / shown)).astype(np.int64)
        for shown, whole in zip(small.shape[:2], scene.size, strict=True)
    )
    shown_m = scene.depth_map(fast=True)[rows[:, None], columns]
    return _file(
        "overlay.png",
        lambda path: point_overlay(
            small,
            rescale(uv, shrunk),
            depth_m,
            path,
            depth_map_m=shown_m,
            title=_focal_words(scene),
        ),
    )


def _point(text: str) -> tuple[float, float]:
    try:
        u, v = (float(part) for part in text.split(","))
    except ValueError:
        raise of_input(
            InputError(f"points={text[:40]} is no point; write points=u,v"), "bad_point"
        ) from None
    return u, v


def _focal_words(scene: PhotoScene) -> str:
    if scene.focal is None:
        return "focal length not asked for by this model"
    return f"focal length {scene.focal.px:.1f} px, {SOURCE_WORDS[scene.focal.source]}"


def _file(name: str, write: Callable[[Path], object]) -> bytes:
    """The bytes of a file that can only be written to a folder."""
    with tempfile.TemporaryDirectory(prefix="spd-") as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
