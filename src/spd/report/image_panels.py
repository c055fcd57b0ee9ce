"""The best, median and worst image as maps of the stored readings, beside their photos."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from spd.errors import DataError
from spd.evaluation.best_median_worst import chosen
from spd.report.charts import number_axis
from spd.report.page_parts import ColourBar, Picture, Pictures
from spd.report.scored_image import ScoredImage
from spd.report.stored_evaluation import StoredEvaluation

if TYPE_CHECKING:  # at run time this would import matplotlib
    from matplotlib.colors import Colormap, Normalize

_LONGEST_PX = 480
_REACH = 2.0  # largest distance of a pixel to the reading it shows, in distances between readings

Map = npt.NDArray[np.float64]


def image_panels(several: Sequence[StoredEvaluation]) -> list[Pictures]:
    """A row per chosen image; all share one error scale, so that rows are comparable."""
    from spd.figures.canvas import error_limits

    abs_rel = several[0].per_image("sparse_abs_rel")
    ranked = sorted(abs_rel, key=lambda name: (abs_rel[name], name))
    titles = {ranked[place]: word for place, word in chosen(len(ranked))}
    images = {name: [ScoredImage.read(each, name) for each in several] for name in titles}
    relative = error_limits([_error_map(image) for row in images.values() for image in row])
    count = len(several[0].names)
    return [
        _row(
            name,
            f"{word} of {count:,}" if count > 1 else "the only image",
            list(zip(several, images[name], strict=True)),
            relative,
        )
        for name, word in titles.items()
    ]


def _row(
    name: str,
    word: str,
    predicted: Sequence[tuple[StoredEvaluation, ScoredImage]],
    relative: "Normalize",
) -> Pictures:
    """One image: its photo if it is stored, its truth, and each evaluation's depth and error."""
    from spd.figures.canvas import depth_colours, depth_limits, error_colours

    first = predicted[0][1]
    truth = reading_map(first, first.truth_m)
    depths = [fast_map(image) for _, image in predicted]
    metres = depth_limits([truth, *depths])
    photo = _photo(name, [evaluation for evaluation, _ in predicted])
    pictures = [photo] if photo is not None else []
    words = f"true depth{_nearest(first)}"
    pictures.append(_picture(truth, metres, depth_colours(), f"True depth of {name}", words))
    for (evaluation, image), depth_m in zip(predicted, depths, strict=True):
        of = f" of {evaluation.label}" if len(predicted) > 1 else ""
        score = evaluation.per_image("sparse_abs_rel")[name]
        pictures += [
            _picture(
                depth_m, metres, depth_colours(), f"Predicted depth{of}, {name}",
                f"predicted depth{of}",
            ),
            _picture(
                _error_map(image), relative, error_colours(), f"Relative error{of}, {name}",
                f"relative error{of} (AbsRel {score:.3f}){_nearest(image)}",
            ),
        ]  # fmt: skip
    both = "both maps" if len(predicted) == 1 else "all depth maps"
    return Pictures(
        title=f"{word}: {name}",
        pictures=pictures,
        bars=(
            colour_bar(f"depth in {both} (m); grey: no depth", metres, depth_colours()),
            colour_bar("relative error, |predicted − true| / true", relative, error_colours()),
        ),
        has_photo=photo is not None,
    )


def _error_map(image: ScoredImage) -> Map:
    return reading_map(image, np.abs(image.sparse_m - image.truth_m) / image.truth_m)


def _photo(name: str, several: Sequence[StoredEvaluation]) -> Picture | None:
    """The photo from the first evaluation that stored it; all have the same readings."""
    paths = [evaluation.folder.photo_path(name) for evaluation in several]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as opened:
            opened.load()
            size = (opened.height, opened.width)
        png = path.read_bytes()
    except MemoryError:
        raise
    except Exception:  # a damaged file raises many types
        raise DataError(
            f"{path} is damaged; delete it, or score the folder again with --data"
        ) from None
    return Picture(png, size, f"Photo of {name}", "photo", smooth=True)


def reading_map(image: ScoredImage, values: npt.NDArray[np.floating[Any]]) -> Map:
    """Values of readings at their pixels, NaN elsewhere; the longer side is at most 480.

    If only some readings were drawn (`--max-points`), every pixel near one has the value of the
    nearest, because single pixels would look like noise. Larger holes stay NaN.
    """
    top, bottom, left, right = image.seen
    height, width = bottom - top, right - left
    step = max(1, math.ceil(max(height, width) / _LONGEST_PX))
    drawn = np.full((math.ceil(height / step), math.ceil(width / step)), np.nan)
    row, column = np.divmod(image.pixel_index, image.columns)
    drawn[(row - top) // step, (column - left) // step] = values
    apart = _apart_px(image) / step
    if apart < 2 or not len(values):
        return drawn
    distance, nearest = distance_transform_edt(np.isnan(drawn), return_indices=True)
    filled: Map = drawn[tuple(nearest)]
    filled[distance > _REACH * apart] = np.nan
    return filled


def _apart_px(image: ScoredImage) -> float:
    """Distance in pixels from a reading to the next, if they are spread evenly."""
    top, bottom, left, right = image.seen
    return math.sqrt((bottom - top) * (right - left) / max(1, len(image.pixel_index)))


def _nearest(image: ScoredImage) -> str:
    """Words for a map whose readings are sparse."""
    sparse = _apart_px(image) >= 2
    return f", nearest of {len(image.pixel_index):,} readings" if sparse else ""


def fast_map(image: ScoredImage) -> Map:
    """The stored fast map; the longer side is at most 480."""
    step = max(1, math.ceil(max(image.preview_m.shape) / _LONGEST_PX))
    return image.preview_m[step // 2 :: step, step // 2 :: step]


def colour_bar(label: str, scale: "Normalize", colours: "Colormap") -> ColourBar:
    """The colour scale of a map."""
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
