"""What `spd pack` does: a run's model as a small folder of its own, to keep, ship or publish."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spd.checkpoints.folder import WEIGHTS
from spd.checkpoints.run_folder import RUN
from spd.cli.early import check_new, find_own
from spd.errors import DataError
from spd.evaluation.folder import PredictionFolder
from spd.evaluation.settings import EvaluationSettings
from spd.export.model_card import CARD, check_license
from spd.runtimes.folder import file_sha256

if TYPE_CHECKING:  # at run time this loads torch
    from spd.training.runs import Run


def pack_model(
    source: str, out: Path, license: str | None = None, evaluation: Path | None = None
) -> None:
    """Write weights in half precision, what is known of their training, and a model card."""
    folder = find_own(source, "packed")
    check_new(out)
    if license is not None:
        check_license(license)
    if evaluation is not None:
        _check_evaluation(evaluation, folder)
    import torch

    from spd.checkpoints.checkpoint import load_checkpoint
    from spd.export.hub import save_pretrained
    from spd.training.runs import Run

    model, about = load_checkpoint(folder)
    if (Path(source) / RUN).is_file():
        about = about | _of_training(Run.open(Path(source)))
    save_pretrained(
        model, out, about=about, license=license, evaluation=evaluation, dtype=torch.float16
    )
    size_mb = (out / WEIGHTS).stat().st_size / 1e6
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{out}: {parameters:,} parameters in half precision, {size_mb:.1f} MB")
    print(f"look at {out / CARD}; hf upload OWNER/NAME {out} publishes it")


def _check_evaluation(evaluation: Path, folder: Path) -> None:
    """Refuse the evaluation of other weights, whose numbers would be no word about these.

    Raises:
        DataError: if it is, or is no evaluation.
    """
    settings = EvaluationSettings.read(PredictionFolder(evaluation).settings_path)
    if settings.weights_sha256 != file_sha256(folder / WEIGHTS):
        raise DataError(
            f"{evaluation} is the evaluation of other weights ({settings.model}) than "
            f"{folder / WEIGHTS}; evaluate these, or leave --evaluation out"
        )


def _of_training(run: "Run") -> dict[str, Any]:
    """The recipe in full, and the constant that a model has to beat, if the data is there still."""
    from spd.data.sources import open_samples
    from spd.evaluation.baselines import median_of_training_data

    about: dict[str, Any] = {"training": run.recipe.train.to_dict()}
    try:
        samples = open_samples(run.data, metric_only=True)
        about["training_median_m"] = median_of_training_data(samples, "the training data").metres
    except DataError as error:
        print(f"the training data's median is not kept: {error}")
    return about
