"""The page about an experiment: local paths compared on one trunk."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from spd._version import __version__
from spd.errors import DataError
from spd.evaluation.near_edges import FLOORS_AT_BOUNDARIES
from spd.experiment.names import busy_words
from spd.report.experiment_charts import bands_chart, differences_chart
from spd.report.experiment_results import (
    CONFIG,
    VERDICTS,
    Experiment,
    read_experiment,
    unfinished,
)
from spd.report.experiment_tables import (
    BANDS,
    KEY_NUMBERS,
    OF_DENSE_MAPS,
    accuracy_table,
    attention_table,
    bands_table,
    boundaries_tables,
    extra_bands_tables,
    extra_tables,
    latency_table,
    pair_table,
    training_table,
)
from spd.report.experiment_words import (
    SIGNS,
    decision_words,
    facts,
    floors_words,
    joined,
    lead,
    settings,
    tiles,
)
from spd.report.parts import Charts, Page, Part, Picture, Pictures, Section, Text
from spd.report.pictures import read_png


def is_experiment(path: Path) -> bool:
    """Whether an experiment was begun in this folder."""
    return (path / CONFIG).is_file()


def experiment_page(
    paths: Sequence[Path], progress: Callable[[int, int], None] | None = None
) -> Page:
    """Read the folder and make the page.

    Raises:
        DataError: if it is not finished or damaged, or there are several.
    """
    if len(paths) > 1:
        raise DataError(
            f"{len(paths)} experiments do not stand side by side: each compares heads on a trunk "
            f"and rooms of its own, so numbers of two differ by more than the heads; name one "
            "folder, and compare variants inside it"
        )
    found = read_experiment(paths[0])
    others = " against other local paths" if len(found.numbers) > 1 else ""
    return Page(
        title=f"Experiment: {found.subject}{others}",
        lead=lead(found),
        sections=tuple(_sections(found)),
        footer=f"Made by SPD {__version__} from {found.path}. This page is one file and asks "
        "nothing of the network.",
    )


def _sections(found: Experiment) -> Iterator[Section]:
    yield Section("summary", "Summary", (tiles(found), facts(found), training_table(found)))
    yield _accuracy(found)
    yield _edges(found)
    yield from _boundaries(found)
    yield from _comparisons(found)
    if found.joint:
        yield _joint(found)
    yield _latency(found)
    yield from _attention(found)
    said = Text("Another configuration is another experiment, in another folder.", "note")
    yield Section(
        "settings", "What decided the numbers", (said,), (settings(found),), "All settings"
    )


def _accuracy(found: Experiment) -> Section:
    parts: list[Part] = [accuracy_table(found)]
    floors = floors_words(found)
    if floors:
        parts.append(Text(floors, "note"))
    parts += extra_tables(found)
    parts.append(
        _picture(
            found,
            "seeds.png",
            "Seed by seed",
            "Panels of AbsRel, overall and near edges, boundary measures and the gap of both "
            "modes: in each, a line a local path, a dot a seed, a bar at the mean",
            "How far seeds of one local path lie apart, beside how far the local paths do. The "
            "means are those of the tables.",
        )
    )
    return Section("accuracy", "Accuracy", tuple(parts))


def _edges(found: Experiment) -> Section:
    parts: list[Part] = []
    kinds = [k for k in ("AbsRel", "delta1") if any(f"{k} {b}" in found.names() for b in BANDS)]
    if "AbsRel" in kinds:
        between = differences_chart(found)
        parts.append(Charts((bands_chart(found), *((between,) if between is not None else ()))))
    parts += [bands_table(found, kind) for kind in kinds]
    parts += extra_bands_tables(found)
    if not kinds:
        parts.append(Text("No room has a depth edge, so nothing is said of what is near one."))
    parts.append(
        _picture(
            found,
            "edges.png",
            "What it looks like",
            "Crops of a held-out room with many depth edges: photo, true depth, and the depth "
            "that each local path answers at every pixel",
            "Crops of a held-out room where edges are many; every pixel was asked, of the heads "
            "of seed 0.",
        )
    )
    return Section("edges", "Near depth edges", tuple(parts))


def _boundaries(found: Experiment) -> Iterator[Section]:
    tables = boundaries_tables(found)
    if not tables:
        return
    dense = [name for name in OF_DENSE_MAPS if name in found.numbers]
    said = "Every pixel was asked as a point"
    if dense:
        said += f", but of {joined(dense)}, where that takes too long and its dense map is measured"
    said = f"{said}. Of the floors: {FLOORS_AT_BOUNDARIES}."
    yield Section("boundaries", "Depth boundaries", (*tables, Text(said, "note")))


def _comparisons(found: Experiment) -> Iterator[Section]:
    if not found.pairs:
        return
    parts: list[Part] = [Text(decision_words(found))]
    folded: list[Part] = []
    for number, pair in enumerate(found.pairs):
        parts.append(pair_table(found, pair, KEY_NUMBERS, f"pair-{number}"))
        every = [one.number for one in pair.numbers]
        counts = [
            f"{verdict} in {sum(one.verdict == verdict for one in pair.numbers)}"
            for verdict in SIGNS
            if verdict in VERDICTS or any(one.verdict == verdict for one in pair.numbers)
        ]
        said = f"Of all {len(every)} numbers {pair.ours} is {joined(counts)}."
        parts.append(Text(said, "note"))
        folded.append(pair_table(found, pair, every, f"pair-{number}-all"))
    yield Section(
        "comparisons", "Who is ahead", tuple(parts), tuple(folded), "Every number compared"
    )


def _joint(found: Experiment) -> Section:
    """The same tables of the models whose trunk was trained on with their local path."""
    jointly, config = found.jointly(), found.config
    parts: list[Part] = [
        Text(
            f"Trunk and local path were trained on together for {config['joint_steps']:,} steps, "
            f"from the heads of {config['joint_seeds']} seeds: each trunk has moved towards its "
            "own local path."
        ),
        dataclasses.replace(accuracy_table(jointly), name="joint-accuracy"),
    ]
    if any(f"AbsRel {band}" in jointly.names() for band in BANDS):
        parts.append(dataclasses.replace(bands_table(jointly, "AbsRel"), name="joint-edges"))
    for number, pair in enumerate(jointly.pairs):
        parts.append(pair_table(jointly, pair, KEY_NUMBERS, f"joint-pair-{number}"))
    return Section("joint", "Trained jointly", tuple(parts))


def _latency(found: Experiment) -> Section:
    picture = _picture(
        found,
        "latency.png",
        "Time by number of points",
        "Milliseconds after encoding by the number of points asked, a line a local path, both "
        "axes logarithmic; a dashed level line of the same colour is its whole dense map",
        "Where a line crosses its own dashed one, the whole map is as cheap as the points.",
    )
    said = Text(
        "All local paths took turns on one machine, round by round, so that a slow minute meets "
        "all of them. A load that outlasts it does not slow all alike.",
        "note",
    )
    caution = busy_words(found.machine)
    cautions = () if caution is None else (Text(caution, "warning"),)
    parts = (*cautions, latency_table(found), said, picture)
    return Section("latency", "Time of an answer", parts)


def _attention(found: Experiment) -> Iterator[Section]:
    if not found.attention:
        return
    said = Text(
        "The rooms know the surface under every point. Where attention is above uniform weights, "
        "queries look for their own surface; where it is not, they do not tell surfaces apart.",
    )
    plot = _picture(
        found,
        "attention.png",
        "By distance to the edge",
        "Attention mass on the query's own surface by distance to the nearest depth edge, beside "
        "that of uniform weights, for each stage",
        "The figures of the table as lines.",
    )
    query = _picture(
        found,
        "attention_at_an_edge.png",
        "One query at a depth edge",
        "A crop with the query marked, three times overlaid with the tokens it reads as discs: "
        "the larger a disc the more attention, outlined and blue on the own surface, else orange",
        "One query of seed 0, the mean of its heads, over the three maps that it reads.",
    )
    yield Section(
        "attention", "What queries attend to", (said, attention_table(found), plot, query)
    )


def _picture(found: Experiment, name: str, title: str, alt: str, caption: str) -> Pictures:
    """A picture of the experiment's own.

    Raises:
        DataError: if it is missing, as the experiment draws last, or damaged.
    """
    path = found.path / name
    if not path.is_file():
        raise unfinished(found.path, name)
    png, size = read_png(path, "the same spd experiment command draws it again")
    return Pictures(title, (Picture(png, size, alt, caption, smooth=True),), wide=True)
