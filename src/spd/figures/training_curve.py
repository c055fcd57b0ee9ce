"""The loss, validation error and learning rates of a training run."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from spd.errors import InputError
from spd.figures.canvas import INK, Canvas, Floats

_WIDTH_PX = 1100.0
_PANEL_PX = 250.0
_TEXT_PX = 16.0
_LEFT_PX, _GAP_PX = 128.0, 34.0
_BLUE, _ORANGE, _GREEN = "#0072b2", "#d55e00", "#009e73"  # told apart by colour-blind readers too


def training_curve(
    log_rows: Sequence[Mapping[str, float]], path: str | os.PathLike[str], *, title: str = ""
) -> Path:
    """Draw loss, validation AbsRel (if any) and learning rates against the step.

    Args:
        log_rows: with `step`, `loss`, `encoder_lr`, `decoder_lr`, and `val_abs_rel` where the run
            was evaluated; a row may lack any but `step`. Values that are not finite leave a gap.
        path: the PNG file to write.
        title: above the panels, such as the run and its recipe.

    Raises:
        InputError: if there are no rows, a row has no step, or the name does not end in .png.
    """
    if not log_rows or not all("step" in row for row in log_rows):
        raise InputError("a training curve needs at least one row, and a step in every row")
    validated = _series(log_rows, "val_abs_rel")[0].size > 0
    panels = 3 if validated else 2
    top = _GAP_PX + (_GAP_PX if title else 0)
    canvas = Canvas(_WIDTH_PX, panels * (_PANEL_PX + _GAP_PX) + top + _GAP_PX, _TEXT_PX)
    if title:
        canvas.write(_LEFT_PX, 0.8 * _GAP_PX, title, weight="bold")
    width = _WIDTH_PX - _LEFT_PX - _GAP_PX
    axes = [
        canvas.axes((_LEFT_PX, top + k * (_PANEL_PX + _GAP_PX), width, _PANEL_PX))
        for k in range(panels)
    ]
    _draw_loss(axes[0], *_series(log_rows, "loss"), canvas)
    if validated:
        _draw_validation(axes[1], *_series(log_rows, "val_abs_rel"), canvas)
    _draw_rates(axes[-1], log_rows, canvas)
    steps = [float(row["step"]) for row in log_rows]
    for panel in axes:
        _style(panel, canvas, min(steps), max(steps), is_last=panel is axes[-1])
    return canvas.save(path)


def _series(log_rows: Sequence[Mapping[str, float]], key: str) -> tuple[Floats, Floats]:
    """Steps and values of the rows that have the key."""
    rows = [row for row in log_rows if row.get(key) is not None]
    steps = np.array([row["step"] for row in rows], dtype=np.float64)
    return steps, np.array([row[key] for row in rows], dtype=np.float64)


def _draw_loss(axes: Axes, steps: Floats, loss: Floats, canvas: Canvas) -> None:
    loss = np.where(np.isfinite(loss), loss, np.nan)
    window = max(1, math.ceil(len(loss) / 40))
    if window == 1:
        axes.plot(steps, loss, _mark(steps), color=_BLUE, lw=canvas.points(3), label="loss")
    else:
        axes.plot(steps, loss, color=_BLUE, alpha=0.3, linewidth=canvas.points(1.5), label="loss")
        smooth = running_mean(loss, window)
        label = f"mean of the last {window} steps"
        axes.plot(steps, smooth, color=_BLUE, linewidth=canvas.points(3), label=label)
    _log_if_wide(axes, loss[np.isfinite(loss)])
    axes.set_ylabel("training loss\n(SILog, no unit)")
    axes.legend(frameon=False, fontsize=canvas.font, labelcolor=INK)


def running_mean(values: Floats, window: int) -> Floats:
    """The mean of each value and up to `window - 1` values before it; NaN is left out."""
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(0, end - window)
    count = counts[end] - counts[begin]
    means = (sums[end] - sums[begin]) / np.maximum(count, 1)
    return np.where(count > 0, means, np.nan)


def _mark(steps: Floats) -> str:
    """A line; with a dot for a single row, which gives no line."""
    return "o-" if len(steps) == 1 else "-"


def _log_if_wide(axes: Axes, loss: Floats) -> None:
    """Use a logarithmic axis if the loss spans more than a decade."""
    if loss.size and loss.min() > 0 and loss.max() > 10 * loss.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def _draw_validation(axes: Axes, steps: Floats, abs_rel: Floats, canvas: Canvas) -> None:
    abs_rel = np.where(np.isfinite(abs_rel), abs_rel, np.nan)
    axes.plot(steps, abs_rel, "o-", color=_ORANGE, linewidth=canvas.points(3), ms=canvas.points(9))
    axes.set_ylabel("validation AbsRel\nmean |p − g| / g")
    if not np.isfinite(abs_rel).any():
        return
    best = int(np.nanargmin(abs_rel))
    axes.set_ylim(0, 1.15 * float(np.nanmax(abs_rel)))
    label = f"best {abs_rel[best]:.3f} at step {steps[best]:,.0f}"
    axes.axhline(
        abs_rel[best], color=_ORANGE, ls=":", linewidth=canvas.points(2), label=label, zorder=1
    )
    axes.legend(frameon=False, fontsize=canvas.font, labelcolor=INK, loc="lower left")


def _draw_rates(axes: Axes, log_rows: Sequence[Mapping[str, float]], canvas: Canvas) -> None:
    for key, colour in (("encoder_lr", _GREEN), ("decoder_lr", INK)):
        steps, rates = _series(log_rows, key)
        label = key.removesuffix("_lr")
        axes.plot(steps, rates, _mark(steps), color=colour, lw=canvas.points(3), label=label)
    axes.set_ylabel("learning rate\n(AdamW)")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.yaxis.get_offset_text().set_fontsize(canvas.font)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=canvas.font, labelcolor=INK)


def _style(axes: Axes, canvas: Canvas, first: float, last: float, *, is_last: bool) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=canvas.points(1))
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=canvas.font, labelbottom=is_last, color=INK, labelcolor=INK)
    axes.yaxis.label.set(size=canvas.font, color=INK)
    axes.yaxis.set_label_coords(-0.072, 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    margin = max(1.0, 0.01 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    if is_last:
        axes.set_xlabel("optimiser step", size=canvas.font, color=INK)
