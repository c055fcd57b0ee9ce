"""A canvas laid out in pixels, the colour scales of depth and error, and the PNG file."""

import os
import warnings
from collections.abc import Iterable, Sequence
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
from spd.files import atomic_path, is_special, storable

NO_READING = "#8c8c8c"
"""Neutral grey for pixels without depth; neither colour map has it."""
INK = "#222222"
"""Colour of text and lines."""
_VALUES_A_PIXEL = 2  # along each side; of more than one, matplotlib shows the middle one
_DPI = 100  # any value works: everything below is in pixels

Floats = npt.NDArray[np.floating[Any]]
Box = tuple[float, float, float, float]  # left, top, width, height in pixels, from the top left


def depth_colours() -> Colormap:
    """magma_r without its nearly white and nearly black ends: near is bright, far is dark."""
    return _colours("magma_r", 0.06, 0.94)


def error_colours() -> Colormap:
    """viridis: no error is dark violet, a large one yellow."""
    return _colours("viridis", 0.0, 1.0)


def _colours(name: str, first: float, last: float) -> Colormap:
    steps = mpl.colormaps[name](np.linspace(first, last, 256))
    return ListedColormap(steps, name=f"spd_{name}").with_extremes(bad=NO_READING)


def depth_limits(
    maps: Iterable[Floats], points: Floats | None = None, *, least_span: float = 0.05
) -> Normalize:
    """One scale in metres for all panels that are compared.

    It spans the 1st to 99th percentile of each map, so that outliers do not flatten the rest, and
    all points.

    Args:
        maps: metres; 0 or NaN marks missing depth.
        points: metres; NaN is left out.
        least_span: least span as a share of the far end, so that the noise of a flat scene does
            not get all colours.
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


def thinned(values: npt.NDArray[Any], size_px: tuple[float, float]) -> npt.NDArray[Any]:
    """Values `[h, w]` at every pixel of a picture of (height, width), or at all where it is larger.

    matplotlib would copy a map of a large photo many times, to show few of its values.
    """
    axes = []
    for length, pixels in zip(values.shape, size_px, strict=True):
        count = min(length, max(1, round(_VALUES_A_PIXEL * pixels)))
        axes.append(((np.arange(count) + 0.5) * (length / count)).astype(np.int64))
    shown = tuple(len(axis) for axis in axes)
    return values if shown == values.shape else values[np.ix_(*axes)]


def bar_room(scales: Iterable[Normalize], height_px: float, bar_px: float, text_px: float) -> float:
    """Width in pixels of the widest of these colour bars, with ticks, label and margin."""
    ticks = [tick for scale in scales for tick in _ticks_inside(scale, height_px, text_px)]
    letters = max((len(f"{tick:g}") for tick in ticks), default=1)
    # A tick's line and matplotlib's 3.5 points after it, digits, a gap, a line of text, a margin.
    return bar_px + text_px * (0.33 + 0.64 * letters + 0.3 + 1.2 + 0.35) + 5


def error_limits(errors: Iterable[Floats]) -> Normalize:
    """One scale from 0 to the largest 95th percentile of any map, at most 1; outliers saturate."""
    known = [error[np.isfinite(error)] for error in errors]
    ends = [float(np.percentile(values, 95)) for values in known if values.size]
    return Normalize(0.0, min(1.0, max(0.01, *ends)) if ends else 1.0)


def _locator(height_px: float, text_px: float) -> MaxNLocator:
    most = min(6, max(2, int(height_px / text_px / 2.5)))
    return MaxNLocator(nbins=most, steps=[1, 2, 5, 10])


def _ticks_inside(scale: Normalize, height_px: float, text_px: float) -> list[float]:
    low, high = (float(end) for end in scale.inverse(np.array([0.0, 1.0])))
    ticks = _locator(height_px, text_px).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]


class Canvas:
    """A white page on which panels are placed by pixels."""

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
        across, up = 1 / self.width_px, 1 / self.height_px
        return self.figure.add_axes((left * across, bottom * up, width * across, height * up))

    def panel(
        self, box: Box, image: npt.NDArray[Any], extent_of: tuple[int, int], **how: Any
    ) -> Axes:
        """An image that fills a box; data coordinates are pixels of a (height, width) photo."""
        axes = self.axes(box)
        height, width = extent_of
        axes.imshow(image, extent=(-0.5, width - 0.5, height - 0.5, -0.5), aspect="auto", **how)
        axes.set_axis_off()
        return axes

    def photo(self, box: Box, image_u8: npt.NDArray[np.uint8]) -> Axes:
        """A photo in a box, resampled by Pillow to the box's pixels."""
        size = (max(1, round(box[2])), max(1, round(box[3])))
        grows = size[0] > image_u8.shape[1]
        method = Image.Resampling.BICUBIC if grows else Image.Resampling.LANCZOS
        shown = np.asarray(Image.fromarray(image_u8).resize(size, method))
        return self.panel(box, shown, image_u8.shape[:2], interpolation="nearest")

    def depth(self, box: Box, depth_m: Floats, scale: Normalize) -> Axes:
        """A depth map in a box; pixels without depth are grey."""
        shown = thinned(depth_m, (box[3], box[2]))
        masked = np.ma.masked_invalid(np.where(shown > 0, shown, np.nan))
        return self.map(box, masked, scale, depth_colours(), size=depth_m.shape)

    def map(
        self,
        box: Box,
        values: npt.NDArray[Any],
        scale: Normalize,
        colours: Colormap,
        *,
        size: tuple[int, ...] | None = None,
    ) -> Axes:
        """A map of values in a box, without interpolation; masked values are grey.

        Args:
            box: left, top, width and height in pixels.
            values: `[h, w]`.
            scale: of the colours.
            colours: the colours.
            size: (height, width) of the axes' coordinates; None for those of `values`.
        """
        rows, columns = size or values.shape
        shown = thinned(values, (box[3], box[2]))
        how = {"cmap": colours, "norm": scale, "interpolation": "nearest"}
        return self.panel(box, shown, (rows, columns), **how)

    def colour_bar(
        self,
        box: Box,
        scale: Normalize,
        label: str,
        colours: Colormap | None = None,
        *,
        only: float | None = None,
    ) -> Axes:
        """An upright colour bar in a box with ticks and label to the right; near is at the bottom.

        With `only` it has a single tick at that value, for a picture of one depth.
        """
        axes = self.axes(box)
        mappable = ScalarMappable(norm=scale, cmap=colours or depth_colours())
        ticks = [only] if only is not None else _locator(box[3], self.text_px)
        bar = self.figure.colorbar(mappable, cax=axes, ticks=ticks)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=self.font, color=INK, labelcolor=INK, length=self.font / 3)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.set_label(label, size=self.font, color=INK, labelpad=self.font * 0.3)
        return axes

    def write(self, x: float, y: float, text: str, *, scale: float = 1.0, **how: Any) -> None:
        """Text at (x, y) pixels from the top left; dollar signs are not mathematics.

        A file name may have bytes that are not UTF-8.
        """
        look: dict[str, Any] = {"color": INK, "size": self.font * scale, "va": "center"} | how
        place = (x / self.width_px, 1 - y / self.height_px)
        self.figure.text(*place, storable(text), parse_math=False, **look)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page as PNG, whole or not at all.

        Raises:
            InputError: if the name does not end in .png.
            DataError: if the folder cannot be written to.
        """
        target = Path(path)
        if target.suffix.lower() != ".png" and not is_special(target):
            raise InputError(f"figures are PNG files, but {target.name} does not end in .png")
        with atomic_path(target) as temporary, warnings.catch_warnings():
            # Scripts that the bundled font lacks are drawn as boxes; that is not an error.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            self.agg.print_png(temporary, metadata={"Software": None})
        return target


def check_image(image_u8: npt.NDArray[Any]) -> None:
    """Refuse images of another type or shape.

    Raises:
        InputError: if the image is not uint8 `[H, W, 3]`.
    """
    if image_u8.dtype != np.uint8 or image_u8.ndim != 3 or image_u8.shape[2] != 3:
        raise InputError(f"a photo must be uint8 [H, W, 3], got {image_u8.dtype} {image_u8.shape}")


def panel_size(size: Sequence[int], longest_px: float, shortest_px: float) -> tuple[float, float]:
    """(height, width) of a panel in whole pixels with the proportions of (height, width) `size`.

    The longer side is `longest_px`, or longer, up to three times that, where the shorter side
    would be less than `shortest_px`.
    """
    scale = max(longest_px / max(size), min(shortest_px / min(size), 3 * longest_px / max(size)))
    return float(max(1, round(size[0] * scale))), float(max(1, round(size[1] * scale)))


def shorten(name: str, letters: int) -> str:
    """The end of a name, because the frames of one scene differ there."""
    return name if len(name) <= letters else "…" + name[1 - letters :]
