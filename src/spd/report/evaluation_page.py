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
from spd.report.evaluation_charts import (
    baseline_chart,
    distance_chart,
    edges_chart,
    images_axes,
    images_chart,
    scatter_chart,
)
from spd.report.evaluation_tables import (
    MODES,
    boundaries_table,
    distance_table,
    edges_table,
    images_table,
    numbers_table,
    skipped_table,
    skipped_words,
)
from spd.report.image_panels import image_panels
from spd.report.page_parts import Charts, PageSection, Part, Text
from spd.report.render import render
from spd.report.scored_image import ScoredImage
from spd.report.stored_evaluation import StoredEvaluation
from spd.report.tally import Tally
from spd.report.wording import (
    compared_models,
    lead,
    model_facts,
    notes,
    row_meanings,
    shared_facts,
    tiles,
)

MOST = 6
"""Evaluations on one page at most, which is the number of distinct colours."""


def evaluation_page(
    paths: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> str:
    """Read the folders and make the HTML of the page.

    Raises:
        DataError: if one is incomplete or damaged, or their data or protocols differ.
    """
    if len(paths) > MOST:
        raise DataError(f"a page compares at most {MOST} evaluations, got {len(paths)}")
    several = labelled([StoredEvaluation.read(path) for path in paths])
    check_comparable(several)
    tallies = _count(several, progress)
    title = f"Evaluation of {several[0].label}"
    if len(several) > 1:
        title = "Comparison of " + ", ".join(evaluation.label for evaluation in several)
    return render(
        title=title,
        lead=lead(several),
        sections=list(_sections(several, tallies)),
        footer=f"Made by SPD {__version__} from {', '.join(str(r.path) for r in several)}. "
        "This page is a single file and loads nothing from the network.",
    )


def _count(
    several: Sequence[StoredEvaluation], progress: Callable[[int, int], None] | None
) -> tuple[Tally, ...]:
    """Read every image of every folder once; refuses readings that differ."""
    names = several[0].names
    tallies = tuple(Tally(evaluation.protocol.max_m) for evaluation in several)
    for done, name in enumerate(names, start=1):
        digests = set()
        for evaluation, tally in zip(several, tallies, strict=True):
            image = ScoredImage.read(evaluation, name)
            tally.add(image)
            digests.add(truth_digest(image))
            if len(digests) > 1:
                raise other_readings(several[0], evaluation, name)
        if progress is not None:
            progress(done, len(names))
    return tallies


def _sections(
    several: Sequence[StoredEvaluation], tallies: Sequence[Tally]
) -> Iterator[PageSection]:
    facts: tuple[Part, ...] = (model_facts(several[0]),)
    if len(several) > 1:
        facts = (compared_models(several), shared_facts(several))
    yield PageSection("summary", "Summary", [tiles(several), *facts])
    yield _numbers(several)
    yield _where(several, tallies)
    yield _scatter(several, tallies)
    yield _images(several)
    yield _pictures(several)
    yield _details(several)


def _numbers(several: Sequence[StoredEvaluation]) -> PageSection:
    first = several[0]
    shared = shared_protocols(several)
    parts: list[Part] = []
    for name in shared:
        parts.append(numbers_table(several, name))
        parts.append(Text(str(first.by_protocol[name]["protocol"]), "note"))
    parts.append(Text(row_meanings(several), "note"))
    for evaluation in several:
        parts += notes(evaluation, several)
    skipped = {name: first.by_protocol[name].get("skipped") or {} for name in shared}
    skipped = {name: images for name, images in skipped.items() if images}
    parts += [Text(skipped_words(name, images), "warning") for name, images in skipped.items()]
    if not skipped:
        parts.append(Text("No image was skipped."))
    tables = [skipped_table(name, images) for name, images in skipped.items()]
    return PageSection("numbers", "Numbers", parts, tables, "Images that were not scored")


def _where(several: Sequence[StoredEvaluation], tallies: Sequence[Tally]) -> PageSection:
    """Errors near edges and by true depth, and boundary metrics where they were measured."""
    modes = _modes(several)
    named = _named(several, modes)
    bands = [evaluation.metrics["near_edges"] for evaluation in several]
    charts = [distance_chart(tallies, named, modes)]
    parts: list[Part] = []
    if any(band["pixels"] for band in bands[0][:-1]):
        charts.insert(0, edges_chart(bands, named, modes))
        parts.append(edges_table(several))
    else:
        parts.append(Text("No image has a depth edge, so errors near edges are not shown."))
    boundaries = boundaries_table(several)
    if boundaries is not None:
        parts.append(boundaries)
    parts.insert(0, Charts(charts))
    return PageSection(
        "where", "Where the errors are", parts,
        (distance_table(several, tallies),), "Numbers by true depth",
    )  # fmt: skip


def _scatter(several: Sequence[StoredEvaluation], tallies: Sequence[Tally]) -> PageSection:
    farthest = max(tally.farthest_m for tally in tallies)
    charts = []
    for evaluation, tally in zip(several, tallies, strict=True):
        for mode in _modes(several):
            words = MODES[mode]
            title = f"{evaluation.label}: {words}" if len(several) > 1 else words.capitalize()
            charts.append(scatter_chart(tally, mode, farthest, title))
    return PageSection("scatter", "Predicted against true depth", [Charts(charts)])


def _images(several: Sequence[StoredEvaluation]) -> PageSection:
    values = [np.array(list(r.per_image("sparse_abs_rel").values())) for r in several]
    axes = images_axes(values)
    looks = [f"series-{number}" for number in range(len(several))]
    title = "AbsRel of each image"
    titles = [f"{r.label}: {title}" if len(several) > 1 else title for r in several]
    charts = [
        images_chart(each, axes, title, look)
        for each, title, look in zip(values, titles, looks, strict=True)
    ]
    baseline = several[0].per_image("image_median_abs_rel")
    if baseline:
        named = [(evaluation.label, look) for evaluation, look in zip(several, looks, strict=True)]
        abs_rel = [evaluation.per_image("sparse_abs_rel") for evaluation in several]
        charts.append(baseline_chart(abs_rel, baseline, named))
    return PageSection("images", "Image by image", (Charts(charts), images_table(several)))


def _pictures(several: Sequence[StoredEvaluation]) -> PageSection:
    rows = image_panels(several)
    whose = f"{several[0].label}'s " if len(several) > 1 else ""
    words = (
        f"Images are chosen by {whose}sparse AbsRel. Predicted depth is the fast map; errors are "
        "those of point queries and share one colour scale."
    )
    parts: list[Part] = [Text(words)]
    if any(row.has_photo for row in rows):
        data = several[0].settings.get("data") or "the data"
        licence = (
            f"This page contains photos of {data}; their licence applies if you share the page."
        )
        parts.append(Text(licence, "note"))
    return PageSection("pictures", "Best, median and worst image", (*parts, *rows))


def _details(several: Sequence[StoredEvaluation]) -> PageSection:
    folded: list[Part] = []
    for evaluation in several:
        if len(several) > 1:
            folded.append(Text(f"{evaluation.label} ({evaluation.path}):"))
        folded.append(model_facts(evaluation, full=True))
    folders = Text(
        f"The predictions are stored in {', '.join(str(r.path) for r in several)}.", "note"
    )
    return PageSection("settings", "Settings", (folders,), folded, "All settings")


def _modes(several: Sequence[StoredEvaluation]) -> tuple[str, ...]:
    """Both modes of one evaluation, point queries alone of several: their lines would coincide."""
    return tuple(MODES) if len(several) == 1 else ("sparse",)


def _named(several: Sequence[StoredEvaluation], modes: Sequence[str]) -> list[tuple[str, str]]:
    if len(several) > 1:
        return [(evaluation.label, f"series-{n}") for n, evaluation in enumerate(several)]
    return [(MODES[m], "series-0" if m == "sparse" else "series-1 dashed") for m in modes]
