"""Model card: the README of a published model, with the metadata that the Hugging Face hub reads.

The card states only what the checkpoint and an evaluation record. `model_card.md` is its template.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spd.config import ModelConfig
from spd.errors import ConfigError, DataError
from spd.outputs.tables import markdown_table
from spd.report.stored_evaluation import StoredEvaluation, short_name

CARD = "README.md"
UNKNOWN = "unknown"
"""The hub's name for a licence that nobody stated."""

_TEMPLATE = Path(__file__).with_name("model_card.md")
_TAGS = ["metric-depth", "monocular-depth-estimation", "query-points"]
_METRICS = {"abs_rel": "AbsRel", "rmse": "RMSE (m)", "delta1": "delta1"}


@dataclasses.dataclass(frozen=True, slots=True)
class CardFacts:
    """Facts about a model for its card."""

    config: ModelConfig
    """Model configuration."""
    parameters: int
    """Number of parameters."""
    about: Mapping[str, Any]
    """Facts stored with the weights: recipe, step, training; may be empty."""
    license: str
    """Licence of the weights as the hub names it (`apache-2.0`, `other`), or `unknown`."""
    evaluation: Mapping[str, Any] | None = None
    """`metrics.json` of an evaluation of the model."""


def check_license(license: str) -> None:
    """Refuse a licence that cannot be an identifier of the hub.

    Raises:
        ConfigError: with some identifiers that can.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", license):
        raise ConfigError(
            f"license {license!r} is not a valid hub licence identifier; expected for example "
            "apache-2.0, mit, cc-by-nc-4.0, other or unknown"
        )


def read_evaluation(folder: Path, config: ModelConfig) -> Mapping[str, Any]:
    """Read the numbers of a model's evaluation.

    Args:
        folder: output folder of `spd evaluate`.
        config: configuration of the model.

    Raises:
        DataError: if the folder holds no complete evaluation, or one of another model.
    """
    metrics = StoredEvaluation.read(folder).metrics
    if metrics["settings"].get("config") != config.to_dict():
        raise DataError(
            f"{folder} is an evaluation of a different model ({metrics['settings']['model']}); "
            "evaluate this model, or omit the evaluation"
        )
    return metrics


def card_text(name: str, facts: CardFacts) -> str:
    """Text of the README.

    Args:
        name: name of the model: `OWNER/NAME` on the hub, else its folder's name.
        facts: facts about the model.
    """
    from huggingface_hub import ModelCard

    training = _training_rows(facts.about)
    val_abs_rel = facts.about.get("val_abs_rel")
    card = ModelCard.from_template(
        _metadata(name, facts),
        template_path=str(_TEMPLATE),
        name=_plain(name.rsplit("/", 1)[-1]),
        source=json.dumps(name),
        parameters=f"{facts.parameters:,}",
        model_table=_table(("", ""), _model_rows(facts.config)),
        training_table=_table(("", ""), training) if training else "",
        val_abs_rel=f"{val_abs_rel:.4f}" if isinstance(val_abs_rel, float) else "",
        scores=list(_scores(facts.evaluation)) if facts.evaluation else (),
    )
    return str(card) + "\n"


def _metadata(name: str, facts: CardFacts) -> Any:
    """The card's head, as the hub's client writes it."""
    from huggingface_hub import EvalResult, ModelCardData

    results = None
    if facts.evaluation is not None:
        data = _data_name(facts.evaluation)
        results = [
            EvalResult(
                task_type="depth-estimation",
                dataset_type=data,
                dataset_name=data,
                metric_type=metric,
                metric_name=f"{heading}, protocol {facts.evaluation['protocol_name']}",
                metric_value=facts.evaluation["sparse"][metric],
            )
            for metric, heading in _METRICS.items()
        ]
    return ModelCardData(
        library_name="spd",
        license=facts.license,
        pipeline_tag="depth-estimation",
        tags=list(_TAGS),
        model_name=name.rsplit("/", 1)[-1] if results else None,
        metrics=list(_METRICS) if results else None,
        eval_results=results,
    )


def _model_rows(config: ModelConfig) -> Iterable[tuple[str, str]]:
    encoder, camera = config.encoder, config.camera
    return {
        "encoder": f"{encoder.layers} blocks of {encoder.hidden_size} channels, {encoder.heads} "
        f"heads, patches of 14 pixels, features from blocks {', '.join(map(str, encoder.taps))} "
        "(counted from 0)",
        "decoder": f"{config.dim} channels, {config.heads} heads, local path {config.local_path}",
        "training crops": f"{camera.crop_height_px}x{camera.crop_width_px} pixels (height x "
        f"width) at a focal length of {camera.focal_px:g} px",
        "field of view assumed if the focal length is unknown": f"{camera.fov_deg:g} degrees "
        "along the longer side",
    }.items()


def _training_rows(about: Mapping[str, Any]) -> list[tuple[str, Any]]:
    training = about.get("training")
    known = {**about, **(training if isinstance(training, Mapping) else {})}
    return [
        (key, value)
        for key, value in known.items()
        if isinstance(value, str | int | float) and key not in ("val_abs_rel", "license")
    ]


def _scores(metrics: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """A sentence and a table for each protocol of an evaluation."""
    for numbers in (metrics, *metrics.get("other_protocols", ())):
        rows = {
            "queried points": numbers["sparse"],
            "dense map, sampled at the points": numbers["dense"],
            "baseline: constant depth": numbers["floors"]["constant"],
            "baseline: ground-truth median of each image": numbers["floors"]["image_median"],
        }
        cells = [
            (words, *(f"{values[metric]:.4g}" for metric in _METRICS))
            for words, values in rows.items()
        ]
        yield (
            f"Evaluated on {numbers['count']} images and {numbers['points']:,} pixels of "
            f"{_plain(_data_name(metrics))}, protocol {_plain(numbers['protocol'])}.",
            _table(("", *_METRICS.values()), cells),
        )


def _data_name(metrics: Mapping[str, Any]) -> str:
    """Name of the data set, without the folders it lay in."""
    return short_name(str(metrics["settings"]["data"]))


def _table(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> str:
    plain = [[_plain(cell) for cell in row] for row in (head, *rows)]
    return markdown_table(plain[0], plain[1:])


def _plain(value: Any) -> str:
    """One line of text without markup."""
    return re.sub(r"([|<>`\[\]])", r"\\\1", " ".join(str(value).split()))
