"""One look for all plots in this folder: colours, text size, axes and legends."""

from matplotlib.axes import Axes

from spd.figures.canvas import INK, Canvas

TEXT_PX = 16.0
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222")
"""Seven colours that colour-blind readers tell apart."""


def titled_canvas(width_px: float, height_px: float, title: str) -> Canvas:
    """An empty canvas with a title."""
    canvas = Canvas(width_px, height_px, TEXT_PX)
    canvas.write(14, 24, title, weight="bold")
    return canvas


def style_axes(canvas: Canvas, axes: Axes, across: str = "", up: str = "") -> None:
    """Label the axes and draw a light grid without a frame."""
    axes.set_xlabel(across, size=canvas.font, color=INK)
    axes.set_ylabel(up, size=canvas.font, color=INK)
    axes.tick_params(labelsize=canvas.font, color=INK, labelcolor=INK)
    axes.grid(color="#dddddd", linewidth=canvas.points(1))
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend_beside(canvas: Canvas, axes: Axes) -> None:
    """Put the legend to the right of the axes."""
    axes.legend(
        frameon=False,
        fontsize=canvas.font,
        labelcolor=INK,
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
    )
