"""The card of a published model: a README whose head the Hugging Face hub reads.

It says what is known of the checkpoint and no more: the configuration, what was kept about the
training, and an evaluation where one is given. A number that nobody measured is not in it.
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
"""The hub's own word for a licence that nobody stated."""

_TAGS = ["metric-depth", "monocular-depth-estimation", "query-points"]
_METRICS = {"abs_rel": "AbsRel", "rmse": "RMSE (m)", "delta1": "delta1"}
_FLOORS = {"constant": "one depth everywhere", "image_median": "each image's true median"}


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model that is to be published."""

    config: ModelConfig
    """Its configuration."""
    parameters: int
    """How many it has."""
    about: Mapping[str, Any]
    """What was kept with its weights: recipe, step, training; may be empty."""
    license: str
    """Of the weights, as the hub calls it (`apache-2.0`, `cc-by-nc-4.0`, `other`), or `unknown`."""
    evaluation: Mapping[str, Any] | None = None
    """`metrics.json` of an evaluation of it."""


def check_license(license: str) -> None:
    """Refuse what the hub's list of licences cannot have.

    Raises:
        ConfigError: naming some that it has.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", license):
        raise ConfigError(
            f"license {license!r} is no name of the hub's list; expected one such as apache-2.0, "
            "mit, cc-by-nc-4.0, other or unknown"
        )


def read_evaluation(folder: Path, config: ModelConfig) -> Mapping[str, Any]:
    """The numbers of an evaluation of a model.

    Args:
        folder: what `spd evaluate` wrote.
        config: of the model that is meant.

    Raises:
        DataError: if the folder holds no complete evaluation, or one of another model.
    """
    metrics = StoredEvaluation.read(folder).metrics
    if metrics["settings"].get("config") != config.to_dict():
        raise DataError(
            f"{folder} is the evaluation of another model ({metrics['settings']['model']}); "
            "evaluate this one, or leave the evaluation out"
        )
    return metrics


def card_text(name: str, facts: Facts) -> str:
    """The whole README.

    Args:
        name: the model's, `OWNER/NAME` where it goes to the hub, else its folder's.
        facts: what is known of it.
    """
    parts = [
        f"---\n{_metadata(name, facts)}\n---",
        f"# {_plain(name.rsplit('/', 1)[-1])}",
        f"Metric depth at exactly the pixels asked for, from one photo: an SPD model of "
        f"{facts.parameters:,} parameters.",
        _usage(name),
        _model(facts.config),
        _training(facts.about),
        _evaluation(facts.evaluation, facts.about),
        _limits(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(name: str, facts: Facts) -> str:
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
    data_of_card = ModelCardData(
        library_name="spd",
        license=facts.license,
        pipeline_tag="depth-estimation",
        tags=list(_TAGS),
        model_name=name.rsplit("/", 1)[-1] if results else None,
        metrics=list(_METRICS) if results else None,
        eval_results=results,
    )
    return data_of_card.to_yaml()


def _usage(name: str) -> str:
    return (
        "```python\n"
        "import spd\n\n"
        f"predictor = spd.load({json.dumps(name)})  # a folder, or OWNER/NAME on the hub\n"
        'scene = predictor.encode("photo.jpg", focal_px=519.0)  # focal length in its pixels\n'
        "scene.depth_at([(320, 240), (100.5, 57)])  # metres at (u, v) = (column, row)\n"
        "```"
    )


def _model(config: ModelConfig) -> str:
    encoder, camera = config.encoder, config.camera
    rows = {
        "encoder": f"{encoder.layers} blocks of {encoder.hidden_size} channels, {encoder.heads} "
        f"heads, patches of 14 pixels, taps after blocks {_list(encoder.taps)} counted from 0",
        "decoder": f"{config.dim} channels, {config.heads} heads, local path {config.local_path}",
        "learnt from crops of": f"{camera.crop_height_px}x{camera.crop_width_px} pixels (height x "
        f"width) at a focal length of {camera.focal_px:g} px",
        "assumes of a photo without focal length": f"{camera.fov_deg:g} degrees along the longer "
        "side",
    }
    return f"## The model\n\n{_table(('', ''), rows.items())}"


def _training(about: Mapping[str, Any]) -> str:
    training = about.get("training")
    known = {**about, **(training if isinstance(training, Mapping) else {})}
    rows = [
        (key, value)
        for key, value in known.items()
        if isinstance(value, str | int | float) and key not in ("val_abs_rel", "license")
    ]
    if not rows:
        return "## Training\n\nNothing is recorded of its training."
    return f"## Training\n\nAs recorded with the weights:\n\n{_table(('', ''), rows)}"


def _evaluation(metrics: Mapping[str, Any] | None, about: Mapping[str, Any]) -> str:
    said = []
    if "val_abs_rel" in about and isinstance(about["val_abs_rel"], float):
        said.append(
            f"AbsRel on the validation data of its training, which checkpoints are chosen by, was "
            f"{about['val_abs_rel']:.4f}."
        )
    if metrics is None:
        said.append("No evaluation was given with this model.")
    else:
        said += [_scores(metrics, numbers) for numbers in _protocols(metrics)]
    return "\n\n".join(["## Evaluation", *said])


def _scores(metrics: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    modes = {"asked point by point": numbers["sparse"], "read off the dense map": numbers["dense"]}
    floors = {words: numbers["floors"][name] for name, words in _FLOORS.items()}
    rows = [
        (words, *(f"{values[metric]:.4g}" for metric in _METRICS))
        for words, values in (*modes.items(), *floors.items())
    ]
    heading = (
        f"On {numbers['count']} images and {numbers['points']:,} readings of "
        f"{_plain(_data_name(metrics))}, protocol {_plain(numbers['protocol'])}. The last two rows "
        "know nothing of the photos."
    )
    return f"{heading}\n\n{_table(('', *_METRICS.values()), rows)}"


def _limits(facts: Facts) -> str:
    said = [
        "Metres rest on the photo's focal length; without it they rest on the field of view above.",
        "On photos unlike its training data nothing is promised: ask points whose depth is known "
        "first (`spd calibrate`).",
        "The licence of the weights has not been stated."
        if facts.license == UNKNOWN
        else f"Licence of the weights: {facts.license}.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in said)


def _protocols(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [metrics, *metrics.get("other_protocols", ())]


def _data_name(metrics: Mapping[str, Any]) -> str:
    """The data set's name without the folders that it lay in, which are nobody's business."""
    return short_name(str(metrics["settings"]["data"]))


def _table(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> str:
    plain = [[_plain(cell) for cell in row] for row in (head, *rows)]
    return markdown_table(plain[0], plain[1:])


def _plain(value: Any) -> str:
    """One line that cannot become markup, a table's border or another heading."""
    return re.sub(r"([|<>`\[\]])", r"\\\1", " ".join(str(value).split()))


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
