"""The sentences and facts of a report: its lead, tiles, settings and notes."""

from collections.abc import Iterator, Sequence
from typing import Any

from spd.errors import counted
from spd.evaluation.mode_agreement import agreement
from spd.report.evaluation_tables import baselines_of
from spd.report.page_parts import FactList, PageTable, TableCell, Text, Tiles
from spd.report.stored_evaluation import StoredEvaluation


def lead(several: Sequence[StoredEvaluation]) -> str:
    """The result in one sentence, and whether the baselines are beaten."""
    first = several[0]
    count, points = first.metrics["count"], first.metrics["points"]
    what = f"{counted(count, 'image')} of {first.settings.get('data') or 'unnamed data'}"
    if len(several) > 1:
        ranked = sorted(several, key=lambda evaluation: evaluation.metrics["sparse"]["abs_rel"])
        ranking = ", ".join(f"{r.label} {r.metrics['sparse']['abs_rel']:.3f}" for r in ranked)
        return f"On {what} ({points:,} pixels), sparse AbsRel from best to worst: {ranking}."
    error = first.metrics["sparse"]["abs_rel"]
    aligned = "" if first.protocol.alignment == "none" else ", after aligning each image"
    sentence = f"On {what}, depth is off by {error:.1%} of the true depth on average{aligned}."
    baselines = list(baselines_of(first.metrics).values())
    if not baselines:
        return sentence
    errors = " and ".join(f"{each['abs_rel']:.1%} (“{each['name']}”)" for each in baselines)
    beaten = [baseline["abs_rel"] > error for baseline in baselines]
    verdict = "both are beaten" if all(beaten) else "neither is beaten"
    if any(beaten) and not all(beaten):
        verdict = f"“{baselines[beaten.index(False)]['name']}” is not beaten"
    return f"{sentence} The baselines, which see no photo, are off by {errors}: {verdict}."


def row_meanings(several: Sequence[StoredEvaluation]) -> str:
    """How the predictions of each row were made."""
    meanings = [
        "sparse: every scored pixel was queried as a point",
        "dense: depth was read from the fast map",
    ]
    for evaluation in several:
        for baseline in baselines_of(evaluation.metrics).values():
            metres = f"{baseline['metres']:.3f} m everywhere, " if "metres" in baseline else ""
            meanings.append(f"baseline “{baseline['name']}”: {metres}{baseline['origin']}")
    return f"How predictions were made: {'; '.join(dict.fromkeys(meanings))}."


def tiles(several: Sequence[StoredEvaluation]) -> Tiles:
    """The main numbers."""
    if len(several) > 1:
        errors = [(r.label, r.metrics["sparse"]["abs_rel"]) for r in several]
        return Tiles([(label, f"{error:.3f}", "AbsRel, sparse") for label, error in errors])
    metrics = several[0].metrics
    numbers = [
        ("AbsRel", "abs_rel", "mean error relative to the ground truth"),
        ("RMSE", "rmse", "metres"),
        ("δ₁", "delta1", "share within a factor of 1.25"),
    ]
    shown = [(label, f"{metrics['sparse'][key]:.3f}", hint) for label, key, hint in numbers]
    return Tiles([*shown, ("images", f"{metrics['count']:,}", f"{metrics['points']:,} pixels")])


def model_facts(evaluation: StoredEvaluation, *, full: bool = False) -> FactList:
    """Model, data, protocol and versions; all settings if `full`."""
    settings = dict(evaluation.settings)
    rows = [
        ("model", str(settings.pop("model"))),
        ("data", str(settings.pop("data", "") or "unnamed")),
        ("protocol", str(evaluation.metrics["protocol"])),
        ("predicted on", f"{evaluation.made:%d %B %Y, %H:%M:%S} UTC"),
        ("computed on", str(settings.pop("device", "unknown"))),
    ]
    settings.pop("date", None)
    versions = settings.pop("versions", {})
    rows.append(("versions", ", ".join(f"{name} {version}" for name, version in versions.items())))
    digest = settings.pop("weights_sha256", None)
    if full:
        rows.append(("weights (SHA-256)", str(digest or "not a local file")))
        rows += [(name.replace("_", " "), _flat(value)) for name, value in settings.items()]
    return FactList(rows)


def compared_models(several: Sequence[StoredEvaluation]) -> PageTable:
    """A row of facts per evaluation."""
    columns = [("model", ""), ("data", ""), ("predicted on", ""), ("spd", "")]
    rows = []
    for evaluation in several:
        settings = evaluation.settings
        texts = (
            str(settings["model"]),
            str(settings.get("data") or "unnamed"),
            f"{evaluation.made:%Y-%m-%d}",
            str(settings.get("versions", {}).get("spd", "–")),
        )
        rows.append((evaluation.label, [TableCell(text) for text in texts]))
    return PageTable("Compared evaluations.", "evaluation", columns, rows, name="compared")


def shared_facts(several: Sequence[StoredEvaluation]) -> FactList:
    """The facts that all evaluations share."""
    metrics = several[0].metrics
    scored = f"{metrics['count']:,} images, {metrics['points']:,} pixels, the same in all"
    return FactList((("protocol", str(metrics["protocol"])), ("scored", scored)))


def notes(evaluation: StoredEvaluation, several: Sequence[StoredEvaluation]) -> Iterator[Text]:
    """Notes on how to read the numbers, one paragraph each."""
    of = f"{evaluation.label}: " if len(several) > 1 else ""
    for note in (*_prediction_notes(evaluation), *_reading_notes(evaluation)):
        yield Text(of + note.text, note.tone)


def _prediction_notes(evaluation: StoredEvaluation) -> Iterator[Text]:
    """The gap between the modes, and the predictions that were clamped."""
    metrics = evaluation.metrics
    gap = metrics.get("gap")
    if gap:
        yield Text(
            f"Sparse and dense predictions differ by {gap['mean_m']:.4f} m ({gap['mean_rel']:.2%}) "
            f"on average, and by at most {gap['max_m']:.4f} m"
            f"{agreement(evaluation.settings.get('config', {}), evaluation.protocol.alignment)}."
        )
    far = f"{evaluation.protocol.max_m:g} m"
    count = metrics.get("non_finite_predictions", 0)
    if count:
        words = f"predictions were not finite (NaN or infinite) and were scored as 1e-3 or {far}."
        yield Text(f"{count:,} {words}", "warning")
    else:
        yield Text("Every prediction was finite.")
    count = metrics.get("not_positive_predictions", 0)
    if count:
        inverse = evaluation.protocol.alignment == "least squares in inverse depth"
        words = (
            f"predictions had a fitted inverse depth of 0 or less and were scored as {far}."
            if inverse
            else "predictions were 0 or negative and were scored as 1e-3 m."
        )
        yield Text(f"{count:,} {words}", "warning")
    kind = str(evaluation.settings.get("kind", "metric"))
    if kind != "metric":
        words = f"The model predicts {kind.replace('-', ' ')}, which has no scale, so"
        yield Text(f"{words} its aligned results do not measure metric accuracy.", "warning")


def _reading_notes(evaluation: StoredEvaluation) -> Iterator[Text]:
    """The selection of readings, and how the fast map was read there."""
    metrics, settings = evaluation.metrics, evaluation.settings
    most = settings.get("max_points")
    if most is not None:
        yield Text(
            f"At most {most:,} pixels per image, drawn with random seed {settings.get('seed')}."
        )
    count = metrics.get("dense_read_at_nearest_pixel", 0)
    if count:
        yield Text(
            f"Images whose depth and photo differ in resolution, so that the fast map was read at "
            f"the nearest pixel: {count:,}."
        )
    if metrics.get("view") == "crop":
        share = metrics.get("share_of_readings_seen", 1.0)
        yield Text(f"The network saw a crop, which contains {share:.1%} of the valid pixels.")


def _flat(value: Any) -> str:
    """A setting on one line; nested settings as key = value."""
    if isinstance(value, dict):
        return "; ".join(f"{key} = {_flat(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(inner) for inner in value)
    return "none" if value is None else str(value)
