"""What an evaluation says of itself in words: its first sentence, its facts, its warnings."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from spd.report.parts import Cell, Column, Facts, Row, Table, Tile, Tiles
from spd.report.results import Results
from spd.report.tables import floors_of, plural

Tone = Literal["plain", "note", "warning"]


def lead(several: Sequence[Results]) -> str:
    """The result in one sentence."""
    first = several[0]
    count, points = first.metrics["count"], first.metrics["points"]
    what = f"{count:,} {plural(count, 'image')} of {first.settings.get('data') or 'unnamed data'}"
    if len(several) > 1:
        ranked = sorted(several, key=lambda results: results.metrics["sparse"]["abs_rel"])
        said = ", ".join(f"{r.label} {r.metrics['sparse']['abs_rel']:.3f}" for r in ranked)
        return f"On {what} ({points:,} readings), sparse AbsRel from best to worst: {said}."
    error = first.metrics["sparse"]["abs_rel"]
    aligned = "" if first.protocol.alignment == "none" else ", once each image is aligned to it"
    sentence = f"On {what}, depth is off by {error:.1%} of the true distance on average{aligned}."
    floors = list(floors_of(first.metrics).values())
    if not floors:
        return sentence
    said = " and ".join(f"“{floor['name']}” gets {floor['abs_rel']:.1%}" for floor in floors)
    beaten = [floor["abs_rel"] > error for floor in floors]
    verdict = "both are beaten" if all(beaten) else "neither is beaten"
    if any(beaten) and not all(beaten):
        verdict = f"“{floors[beaten.index(False)]['name']}” is not beaten"
    return f"{sentence} Of the floors, which see no photo, {said}: {verdict}."


def rows_words(several: Sequence[Results]) -> str:
    """How the numbers of each row were made."""
    said = [
        "sparse: every scored reading was asked as a point",
        "dense: it was read off the fast map",
    ]
    for results in several:
        for floor in floors_of(results.metrics).values():
            metres = f"{floor['metres']:.3f} m everywhere, " if "metres" in floor else ""
            said.append(f"floor “{floor['name']}”: {metres}{floor['origin']}")
    return f"How they were made: {'; '.join(dict.fromkeys(said))}."


def tiles(several: Sequence[Results]) -> Tiles:
    """What a reader wants first."""
    if len(several) > 1:
        return Tiles(tuple(_tile(r.label, r.metrics, "abs_rel", "AbsRel, sparse") for r in several))
    metrics = several[0].metrics
    return Tiles(
        (
            _tile("AbsRel", metrics, "abs_rel", "mean error relative to the truth"),
            _tile("RMSE", metrics, "rmse", "metres"),
            _tile("δ₁", metrics, "delta1", "share within a factor of 1.25"),
            Tile("images", f"{metrics['count']:,}", f"{metrics['points']:,} readings"),
        )
    )


def _tile(label: str, metrics: Any, key: str, what: str) -> Tile:
    return Tile(label, f"{metrics['sparse'][key]:.3f}", what)


def about(results: Results, *, full: bool = False) -> Facts:
    """Model, data, protocol, versions; all settings if `full`."""
    settings = dict(results.settings)
    rows = [
        ("model", str(settings.pop("model"))),
        ("data", str(settings.pop("data", "") or "unnamed")),
        ("protocol", str(results.metrics["protocol"])),
        ("predictions of", f"{results.made:%d %B %Y, %H:%M:%S} UTC"),
        ("computed on", str(settings.pop("device", "unknown"))),
    ]
    settings.pop("date", None)
    versions = settings.pop("versions", {})
    rows.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    digest = settings.pop("weights_sha256", None)
    if full:
        rows.append(("weights (SHA-256)", str(digest or "not a local file")))
        rows += [(name.replace("_", " "), _flat(value)) for name, value in settings.items()]
    return Facts(tuple(rows))


def differences(several: Sequence[Results]) -> Table:
    """Several models' facts, one a line."""
    columns = (Column("model"), Column("data"), Column("predictions of"), Column("spd"))
    rows = tuple(
        Row(
            results.label,
            (
                Cell(str(results.settings["model"])),
                Cell(str(results.settings.get("data") or "unnamed")),
                Cell(f"{results.made:%Y-%m-%d}"),
                Cell(str(results.settings.get("versions", {}).get("spd", "–"))),
            ),
        )
        for results in several
    )
    return Table("What is compared.", "evaluation", columns, rows, name="compared")


def common(several: Sequence[Results]) -> Facts:
    """What all of several evaluations share."""
    metrics = several[0].metrics
    scored = f"{metrics['count']:,} images, {metrics['points']:,} readings; the same in all"
    return Facts((("protocol", str(metrics["protocol"])), ("scored", scored)))


def described(results: Results, several: Sequence[Results]) -> Iterator[tuple[str, Tone]]:
    """What a reader of the numbers has to know, said plainly."""
    of = f"{results.label}: " if len(several) > 1 else ""
    for text, tone in (*_answers(results), *_readings(results)):
        yield of + text, tone


def _answers(results: Results) -> Iterator[tuple[str, Tone]]:
    """Of the predictions: how far the modes lie apart, and what had to be mended."""
    metrics = results.metrics
    gap = metrics.get("gap")
    if gap:
        yield (
            f"Sparse and dense answers lie {gap['mean_m']:.4f} m ({gap['mean_rel']:.2%}) apart on "
            f"average, at most {gap['max_m']:.4f} m.",
            "plain",
        )
    count = metrics.get("non_finite_predictions", 0)
    if count:
        said = "predictions were not finite (NaN or infinite) and were scored as 1e-3 or 10 m."
        yield f"{count:,} {said}", "warning"
    else:
        yield "Every prediction was finite.", "plain"
    count = metrics.get("not_positive_predictions", 0)
    if count:
        inverse = results.protocol.alignment == "least squares in inverse depth"
        said = (
            "predictions had, once fitted, an inverse depth of 0 or less and were scored as 10 m."
            if inverse
            else "predictions were 0 or negative and were scored as 1e-3 m."
        )
        yield f"{count:,} {said}", "warning"
    kind = str(results.settings.get("kind", "metric"))
    if kind != "metric":
        said = f"The model answers {kind.replace('-', ' ')}, without a scale"
        yield f"{said}: aligned numbers are no metric accuracy.", "warning"


def _readings(results: Results) -> Iterator[tuple[str, Tone]]:
    """Of what was scored: which readings, and how they were met."""
    metrics, settings = results.metrics, results.settings
    most = settings.get("max_points")
    if most is not None:
        yield (
            f"At most {most:,} readings an image, drawn with seed {settings.get('seed')}.",
            "plain",
        )
    count = metrics.get("dense_read_at_nearest_pixel", 0)
    if count:
        yield (
            f"In {count:,} {plural(count, 'image')} depth has another resolution than the photo; "
            "the fast map is read at the nearest pixel there.",
            "plain",
        )
    if metrics.get("view") == "crop":
        share = metrics.get("share_of_readings_seen", 1.0)
        yield f"The network saw a crop, which holds {share:.1%} of the readings.", "plain"


def _flat(value: Any) -> str:
    """A setting on one line; nested ones as key = value."""
    if isinstance(value, dict):
        return "; ".join(f"{key} = {_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(inner) for inner in value)
    return "none" if value is None else str(value)
