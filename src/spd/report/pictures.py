"""The best, the median and the worst image as maps of the stored readings, beside their photos."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spd.errors import DataError
from spd.evaluation.pictures import chosen
from spd.report.charts import number_axis
from spd.report.parts import ColourBar, Picture, Pictures
from spd.report.results import Results
from spd.report.scored import Scored, scored

if TYPE_CHECKING:  # matplotlib, imported only where something is drawn
    from matplotlib.colors import Colormap, Normalize

_LONGEST_PX = 480

Map = npt.NDArray[np.float64]


def chosen_images(abs_rel: dict[str, float]) -> dict[str, str]:
    """The best, the median and the worst image by name, each with its word; fewer where few."""
    ranked = sorted(abs_rel, key=lambda name: (abs_rel[name], name))
    return {ranked[place]: word for place, word in chosen(len(ranked))}


def image_pictures(several: Sequence[Results]) -> list[Pictures]:
    """The chosen images, a row each; one scale of errors for all, so that rows compare."""
    chosen_names = chosen_images(several[0].per_image("sparse_abs_rel"))
    images = {name: [scored(results, name) for results in several] for name in chosen_names}
    relative = _error_limits([_error_map(image) for row in images.values() for image in row])
    count = len(several[0].names)
    return [
        _row(
            name,
            f"{word} of {count:,}" if count > 1 else "the only image",
            list(zip(several, images[name], strict=True)),
            relative,
        )
        for name, word in chosen_names.items()
    ]


def _row(
    name: str, word: str, answered: Sequence[tuple[Results, Scored]], relative: "Normalize"
) -> Pictures:
    """One image: its photo if it is kept, its truth, and every evaluation's answer and error."""
    from spd.figures.canvas import depth_colours, depth_limits, error_colours

    first = answered[0][1]
    truth = reading_map(first, first.truth_m)
    answers = [answer_map(image) for _, image in answered]
    metres = depth_limits([truth, *answers])
    photo = _photo(name, [results for results, _ in answered])
    pictures = [photo] if photo is not None else []
    pictures.append(_picture(truth, metres, depth_colours(), f"True depth of {name}", "true depth"))
    for (results, image), answer in zip(answered, answers, strict=True):
        of = f" of {results.label}" if len(answered) > 1 else ""
        score = results.per_image("sparse_abs_rel")[name]
        pictures += [
            _picture(
                answer, metres, depth_colours(), f"Predicted depth{of}, {name}",
                f"predicted depth{of}",
            ),
            _picture(
                _error_map(image), relative, error_colours(), f"Relative error{of}, {name}",
                f"relative error{of} (AbsRel {score:.3f})",
            ),
        ]  # fmt: skip
    both = "both maps" if len(answered) == 1 else "all depth maps"
    return Pictures(
        title=f"{word}: {name}",
        pictures=tuple(pictures),
        bars=(
            colour_bar(f"{both}: depth (m); grey: no reading", metres, depth_colours()),
            colour_bar("relative error, |predicted − true| / true", relative, error_colours()),
        ),
        has_photo=photo is not None,
    )


def _error_map(image: Scored) -> Map:
    return reading_map(image, np.abs(image.sparse_m - image.truth_m) / image.truth_m)


def _photo(name: str, several: Sequence[Results]) -> Picture | None:
    """The photo as one of the evaluations kept it; all show the same readings of it."""
    paths = [results.folder.photo_path(name) for results in several]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    png, size = read_png(path, "delete it, or score the folder again with --data")
    return Picture(png, size, f"Photo of {name}", "photo", smooth=True)


def reading_map(image: Scored, values: npt.NDArray[np.floating[Any]]) -> Map:
    """Values of readings where they are in the image, at most 480 pixels; NaN elsewhere.

    Where readings are few, drawn from all, the pixels are made as coarse as they lie apart.
    """
    top, bottom, left, right = image.seen
    height, width = bottom - top, right - left
    apart = math.isqrt(height * width // max(1, len(values)))
    step = max(1, math.ceil(max(height, width) / _LONGEST_PX), apart)
    drawn = np.full((math.ceil(height / step), math.ceil(width / step)), np.nan)
    row, column = np.divmod(image.pixel_index, image.columns)
    drawn[(row - top) // step, (column - left) // step] = values
    return drawn


def answer_map(image: Scored) -> Map:
    """The fast map as it was kept, at most 480 pixels."""
    kept = image.preview_m
    step = max(1, math.ceil(max(kept.shape) / _LONGEST_PX))
    return kept[step // 2 :: step, step // 2 :: step]


def read_png(path: Path, advice: str) -> tuple[bytes, tuple[int, int]]:
    """A stored picture as it is, and its (height, width).

    Raises:
        DataError: if it is no PNG, with that advice.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as opened:
            opened.load()
            size = (opened.height, opened.width)
        return path.read_bytes(), size
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError):
        raise DataError(f"{path} is damaged; {advice}") from None


def colour_bar(label: str, scale: "Normalize", colours: "Colormap") -> ColourBar:
    """The legend of a map."""
    from spd.figures.panels import colour_stops

    low, high = (float(end) for end in scale.inverse(np.array([0.0, 1.0])))
    axis = number_axis("", low, high, most=5)
    inside = [(v, text) for v, text in axis.ticks if low - 1e-9 <= v <= high + 1e-9]
    places = tuple(((value - low) / (high - low), text) for value, text in inside)
    return ColourBar(label, colour_stops(colours), places)


def _picture(values: Map, scale: "Normalize", colours: "Colormap", alt: str, words: str) -> Picture:
    from spd.figures.panels import map_png

    readings = values[np.isfinite(values)]
    ends = f", {readings.min():.2f} to {readings.max():.2f}" if readings.size else ""
    size = (values.shape[0], values.shape[1])
    return Picture(map_png(values, scale, colours), size, alt + ends, words)


def _error_limits(errors: Sequence[Map]) -> "Normalize":
    """From 0 to the largest 95th percentile, at most 1; outliers saturate."""
    from matplotlib.colors import Normalize

    ends = [float(np.nanpercentile(error, 95)) for error in errors if np.isfinite(error).any()]
    return Normalize(0.0, min(1.0, max(0.01, *ends)) if ends else 1.0)
