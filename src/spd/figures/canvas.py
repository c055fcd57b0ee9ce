"""A canvas laid out in pixels, the colours of depth, and the file at the end."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from spd.errors import InputError
from spd.files import atomic_path

NO_READING = "#8c8c8c"
"""Neutral grey for pixels without a reading; in neither colour map."""
INK = "#222222"
"""Text and lines."""
_DPI = 100  # any value: everything below is in pixels

Box = tuple[float, float, float, float]  # left, top, width, height in pixels, from the top left


def depth_colours() -> Colormap:
    """magma_r without its nearly white and nearly black ends: near bright and warm, far dark."""
    return _colours("magma_r", 0.06, 0.94)


def error_colours() -> Colormap:
    """viridis: no error is dark violet, a large one yellow."""
    return _colours("viridis", 0.0, 1.0)


def _colours(name: str, first: float, last: float) -> Colormap:
    steps = mpl.colormaps[name](np.linspace(first, last, 256))
    return ListedColormap(steps, name=f"spd_{name}").with_extremes(bad=NO_READING)


def depth_limits(
    maps: Iterable[npt.NDArray[np.floating[Any]]],
    points: npt.NDArray[np.floating[Any]] | None = None,
    *,
    least_span: float = 0.05,
) -> Normalize:
    """One scale for all panels that are compared, from near to far in metres.

    The 1st and 99th percentile of each map, so that single wild pixels do not flatten the rest,
    widened to hold all points.

    Args:
        maps: metres; 0 or NaN is no reading.
        points: metres, likewise.
        least_span: from near to far at least, as a share of far; with less the noise of a flat
            scene would get all colours.
    """
    ends: list[float] = []
    for depth_m in maps:
        readings = depth_m[np.isfinite(depth_m) & (depth_m > 0)]
        if readings.size:
            ends += [float(end) for end in np.percentile(readings, (1, 99))]
    if points is not None:
        ends += [float(value) for value in points[np.isfinite(points)]]
    if not ends:
        return Normalize(0.0, 10.0)
    near, far = min(ends), max(ends)
    margin = max(0.0, least_span * far - (far - near)) / 2
    return Normalize(max(0.0, near - margin), far + margin)


def bar_room(scales: Iterable[Normalize], height_px: float, bar_px: float, text_px: float) -> float:
    """The width that the widest of these colour bars needs: bar, ticks, label and a margin."""
    ticks = [tick for scale in scales for tick in _ticks_inside(scale, height_px, text_px)]
    letters = max((len(_tick_text(tick)) for tick in ticks), default=1)
    # A tick's line and matplotlib's 3.5 points after it, digits, a gap, a line of text, a margin.
    return bar_px + text_px * (0.33 + 0.64 * letters + 0.3 + 1.2 + 0.35) + 5


def _locator(height_px: float, text_px: float) -> MaxNLocator:
    most = min(6, max(2, int(height_px / text_px / 2.5)))
    return MaxNLocator(nbins=most, steps=[1, 2, 5, 10])


def _ticks_inside(scale: Normalize, height_px: float, text_px: float) -> list[float]:
    low, high = (float(end) for end in scale.inverse(np.array([0.0, 1.0])))
    ticks = _locator(height_px, text_px).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]


def _tick_text(value: float) -> str:
    return f"{value:g}"


class Canvas:
    """A white page of whole pixels that panels are placed on."""

    def __init__(self, width_px: float, height_px: float, text_px: float) -> None:
        self.width_px, self.height_px = round(width_px), round(height_px)
        self.text_px = text_px
        size = (self.width_px / _DPI, self.height_px / _DPI)
        self.figure = Figure(figsize=size, dpi=_DPI, facecolor="white")
        self.agg = FigureCanvasAgg(self.figure)

    @property
    def font(self) -> float:
        """The size of text in matplotlib's points."""
        return self.points(self.text_px)

    def points(self, pixels: float) -> float:
        """Pixels in matplotlib's points."""
        return pixels * 72 / _DPI

    def axes(self, box: Box) -> Axes:
        """Axes in a box of pixels."""
        left, top, width, height = box
        bottom = self.height_px - top - height
        return self.figure.add_axes(
            (
                left / self.width_px,
                bottom / self.height_px,
                width / self.width_px,
                height / self.height_px,
            )
        )

    def panel(
        self, box: Box, image: npt.NDArray[Any], extent_of: tuple[int, int], **how: Any
    ) -> Axes:
        """An image that fills a box; data coordinates are pixels of a photo (height, width)."""
        axes = self.axes(box)
        height, width = extent_of
        axes.imshow(image, extent=(-0.5, width - 0.5, height - 0.5, -0.5), aspect="auto", **how)
        axes.set_axis_off()
        return axes

    def photo(self, box: Box, image_u8: npt.NDArray[np.uint8]) -> Axes:
        """A photo in a box, resampled once, by Pillow, to the box's own pixels."""
        size = (max(1, round(box[2])), max(1, round(box[3])))
        grows = size[0] > image_u8.shape[1]
        method = Image.Resampling.BICUBIC if grows else Image.Resampling.LANCZOS
        shown = np.asarray(Image.fromarray(image_u8).resize(size, method))
        return self.panel(box, shown, image_u8.shape[:2], interpolation="nearest")

    def depth(self, box: Box, depth_m: npt.NDArray[np.floating[Any]], scale: Normalize) -> Axes:
        """A depth map in a box; where it has no reading it is grey."""
        masked = np.ma.masked_invalid(np.where(depth_m > 0, depth_m, np.nan))
        return self.map(box, masked, scale, depth_colours())

    def map(self, box: Box, values: npt.NDArray[Any], scale: Normalize, colours: Colormap) -> Axes:
        """Values in a box, every one its own square of colour; masked ones are grey."""
        size = (values.shape[0], values.shape[1])
        return self.panel(box, values, size, cmap=colours, norm=scale, interpolation="nearest")

    def colour_bar(
        self,
        box: Box,
        scale: Normalize,
        label: str,
        colours: Colormap | None = None,
        *,
        only: float | None = None,
    ) -> Axes:
        """A colour bar in a box, upright, its ticks and label to the right; near is below.

        With `only` that value's tick alone: nothing of the rest is in the picture.
        """
        axes = self.axes(box)
        mappable = ScalarMappable(norm=scale, cmap=colours or depth_colours())
        ticks = [only] if only is not None else _locator(box[3], self.text_px)
        bar = self.figure.colorbar(mappable, cax=axes, ticks=ticks)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=self.font, color=INK, labelcolor=INK, length=self.font / 3)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick_text(value)))
        bar.set_label(label, size=self.font, color=INK, labelpad=self.font * 0.3)
        return axes

    def write(self, x: float, y: float, text: str, *, scale: float = 1.0, **how: Any) -> None:
        """Text at pixels from the top left; never read as mathematics."""
        look: dict[str, Any] = {"color": INK, "size": self.font * scale, "va": "center"} | how
        self.figure.text(x / self.width_px, 1 - y / self.height_px, text, parse_math=False, **look)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page as PNG, whole or not at all.

        Raises:
            InputError: if the name does not end in .png.
            DataError: if the folder cannot be written to.
        """
        target = Path(path)
        if target.suffix.lower() != ".png":
            raise InputError(f"figures are PNG files; {target.name} does not end in .png")
        with atomic_path(target) as temporary, warnings.catch_warnings():
            # Names in scripts the bundled font lacks become boxes; that is no reason to fail.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            self.agg.print_png(temporary, metadata={"Software": None})
        return target


def check_image(image_u8: npt.NDArray[Any]) -> None:
    """Refuse what is not a photo.

    Raises:
        InputError: if it is not uint8 `[H, W, 3]`.
    """
    if image_u8.dtype != np.uint8 or image_u8.ndim != 3 or image_u8.shape[2] != 3:
        raise InputError(f"a photo must be uint8 [H, W, 3], got {image_u8.dtype} {image_u8.shape}")


def fit(size: tuple[int, int], longest_px: float, shortest_px: float) -> tuple[float, float]:
    """(height, width) in whole pixels that shows (height, width) `size` in its own proportions.

    The longer side takes `longest_px`, unless that leaves less than `shortest_px` to the shorter;
    then the shorter takes that, as far as the longer stays within three times `longest_px`.
    """
    scale = max(longest_px / max(size), min(shortest_px / min(size), 3 * longest_px / max(size)))
    return float(max(1, round(size[0] * scale))), float(max(1, round(size[1] * scale)))
