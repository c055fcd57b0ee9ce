"""The page about one evaluation, or about several of the same data side by side."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from spd._version import __version__
from spd.errors import DataError
from spd.report.compare import (
    check_comparable,
    labelled,
    other_readings,
    shared_protocols,
    truth_digest,
)
from spd.report.curves import (
    distance_chart,
    edges_chart,
    floors_chart,
    images_axes,
    images_chart,
    scatter_chart,
)
from spd.report.heading import about, common, described, differences, lead, rows_words, tiles
from spd.report.parts import Charts, Page, Part, Section, Text
from spd.report.pictures import image_pictures
from spd.report.results import Results, read_results
from spd.report.scored import scored
from spd.report.tables import (
    MODES,
    boundaries_table,
    distance_table,
    edges_table,
    images_table,
    numbers_table,
    skipped_table,
    skipped_words,
)
from spd.report.tally import Tally

MOST = 6
"""Evaluations on one page; there are no more colours that are told apart."""


def is_evaluation(path: Path) -> bool:
    """Whether an evaluation was begun in this folder."""
    return (path / "settings.json").is_file()


def evaluation_page(
    paths: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> Page:
    """Read the folders and make the page.

    Raises:
        DataError: if one is incomplete or damaged, or they are not of the same data and protocol.
    """
    if len(paths) > MOST:
        raise DataError(f"{len(paths)} evaluations are too many for a page; compare at most {MOST}")
    several = labelled([read_results(path) for path in paths])
    check_comparable(several)
    tallies = _count(several, progress)
    title = f"Evaluation of {several[0].label}"
    if len(several) > 1:
        title = "Comparison of " + ", ".join(results.label for results in several)
    return Page(
        title=title,
        lead=lead(several),
        sections=tuple(_sections(several, tallies)),
        footer=f"Made by SPD {__version__} from {', '.join(str(r.path) for r in several)}. "
        "This page is one file and asks nothing of the network.",
    )


def _count(
    several: Sequence[Results], progress: Callable[[int, int], None] | None
) -> tuple[Tally, ...]:
    """Every image of every folder once, the same readings in all."""
    names = several[0].names
    tallies = tuple(Tally() for _ in several)
    for done, name in enumerate(names, start=1):
        digests = []
        for results, counted in zip(several, tallies, strict=True):
            image = scored(results, name)
            counted.add(image)
            digests.append(truth_digest(image))
        other = next((n for n, d in enumerate(digests) if d != digests[0]), None)
        if other is not None:
            raise other_readings(several[0], several[other], name)
        if progress is not None:
            progress(done, len(names))
    return tallies


def _sections(several: Sequence[Results], tallies: Sequence[Tally]) -> Iterator[Section]:
    facts = (about(several[0]),) if len(several) == 1 else (differences(several), common(several))
    yield Section("summary", "Summary", (tiles(several), *facts))
    yield _numbers(several)
    yield _where(several, tallies)
    yield _scatter(several, tallies)
    yield _images(several)
    yield _pictures(several)
    yield _details(several)


def _numbers(several: Sequence[Results]) -> Section:
    first = several[0]
    shared = shared_protocols(several)
    parts: list[Part] = []
    for name in shared:
        parts.append(numbers_table(several, name))
        parts.append(Text(str(first.by_protocol[name]["protocol"]), "note"))
    parts.append(Text(rows_words(several), "note"))
    for results in several:
        parts += [Text(text, tone) for text, tone in described(results, several)]
    skipped = {name: first.by_protocol[name].get("skipped") or {} for name in shared}
    parts += [Text(skipped_words(name, of), "warning") for name, of in skipped.items() if of]
    if not any(skipped.values()):
        parts.append(Text("No image was left out."))
    tables = tuple(skipped_table(name, of) for name, of in skipped.items() if of)
    return Section("numbers", "Numbers", tuple(parts), tables, "Images that were not scored")


def _where(several: Sequence[Results], tallies: Sequence[Tally]) -> Section:
    """Near edges, at which distance, and at boundaries where those were measured."""
    modes = _modes(several)
    named = _named(several, modes)
    bands = [results.metrics["near_edges"] for results in several]
    charts = [distance_chart(tallies, named, modes)]
    parts: list[Part] = []
    if any(band["pixels"] for band in bands[0][:-1]):
        charts.insert(0, edges_chart(bands, named, modes))
        parts.append(edges_table(several))
    else:
        parts.append(Text("No image has a depth edge, so nothing is said of what is near one."))
    boundaries = boundaries_table(several)
    if boundaries is not None:
        parts.append(boundaries)
    parts.insert(0, Charts(tuple(charts)))
    return Section(
        "where", "Where the errors are", tuple(parts),
        (distance_table(several, tallies),), "The figures by true depth",
    )  # fmt: skip


def _scatter(several: Sequence[Results], tallies: Sequence[Tally]) -> Section:
    farthest = max(counted.farthest_m for counted in tallies)
    charts = []
    for results, counted in zip(several, tallies, strict=True):
        for mode in _modes(several):
            words = MODES[mode]
            title = f"{results.label}: {words}" if len(several) > 1 else words.capitalize()
            charts.append(scatter_chart(counted, mode, farthest, title))
    return Section("scatter", "Predicted against true depth", (Charts(tuple(charts)),))


def _images(several: Sequence[Results]) -> Section:
    values = [np.array(list(r.per_image("sparse_abs_rel").values())) for r in several]
    axes = images_axes(values)
    looks = [f"series-{number}" for number in range(len(several))]
    of = [f"{results.label}: " if len(several) > 1 else "" for results in several]
    charts = [
        images_chart(one, axes, f"{whose}AbsRel of each image", look)
        for one, whose, look in zip(values, of, looks, strict=True)
    ]
    floor = several[0].per_image("image_median_abs_rel")
    if floor:
        named = [(results.label, look) for results, look in zip(several, looks, strict=True)]
        charts.append(floors_chart([r.per_image("sparse_abs_rel") for r in several], floor, named))
    return Section("images", "Image by image", (Charts(tuple(charts)), images_table(several)))


def _pictures(several: Sequence[Results]) -> Section:
    rows = image_pictures(several)
    by = f" by {several[0].label}'s sparse AbsRel" if len(several) > 1 else " by sparse AbsRel"
    words = f"Chosen{by}. Depth is of the fast map, errors of the points asked, on one scale."
    parts: list[Part] = [Text(words)]
    if any(row.has_photo for row in rows):
        data = several[0].settings.get("data") or "the data"
        said = f"This page contains photos of {data}, whose licence applies to sharing it."
        parts.append(Text(said, "note"))
    return Section("pictures", "Best, median and worst image", (*parts, *rows))


def _details(several: Sequence[Results]) -> Section:
    folded: list[Part] = []
    for results in several:
        if len(several) > 1:
            folded.append(Text(f"{results.label} ({results.path}):"))
        folded.append(about(results, full=True))
    said = Text(f"Predictions of {', '.join(str(results.path) for results in several)}.", "note")
    return Section("settings", "What decided the numbers", (said,), tuple(folded), "All settings")


def _modes(several: Sequence[Results]) -> tuple[str, ...]:
    """Both modes of one evaluation; of several the points asked, lest lines lie on each other."""
    return tuple(MODES) if len(several) == 1 else ("sparse",)


def _named(several: Sequence[Results], modes: Sequence[str]) -> list[tuple[str, str]]:
    if len(several) > 1:
        return [(results.label, f"series-{n}") for n, results in enumerate(several)]
    return [(MODES[m], "series-0" if m == "sparse" else "series-1 dashed") for m in modes]
