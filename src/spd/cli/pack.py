"""`spd pack`: a trained model as a small folder to keep, ship or publish."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spd.cli.guard import Reads, Writes
from spd.cli.options import Threads

if TYPE_CHECKING:
    from spd.training.runs import Run


def pack(
    model: Annotated[
        str, typer.Argument(help="Checkpoint, training run, hub id or shipped."), Reads()
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="New folder to write."), Writes(folder=True)
    ],
    license: Annotated[
        str | None,
        typer.Option(
            "--license",
            help="Licence of the weights, for the model card: apache-2.0, mit, other, ...",
        ),
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation", help="Output folder of spd evaluate; its metrics go into the card."
        ),
    ] = None,
    threads: Threads = None,
) -> None:
    """Write a model to a small folder: half-precision weights, configuration and model card.

    Example: `spd pack runs/rooms_tiny -o models/mine`
    """
    from spd.checkpoints.folder import WEIGHTS
    from spd.checkpoints.run_folder import RUN
    from spd.cli.early import check_new, find_own
    from spd.export.model_card import CARD, check_license
    from spd.processes import use_threads

    use_threads(threads)
    folder = find_own(model, "packed")
    check_new(out)
    if license is not None:
        check_license(license)
    if evaluation is not None:
        _check_evaluation(evaluation, folder)
    import torch

    from spd.checkpoints.checkpoint import load_checkpoint
    from spd.export.hub import save_pretrained
    from spd.training.runs import Run

    network, about = load_checkpoint(folder)
    if (Path(model) / RUN).is_file():
        about = about | _about_training(Run.open(Path(model)))
    save_pretrained(
        network, out, about=about, license=license, evaluation=evaluation, dtype=torch.float16
    )
    size_mb = (out / WEIGHTS).stat().st_size / 1e6
    parameters = sum(p.numel() for p in network.parameters())
    print(f"{out}: {parameters:,} parameters in half precision, {size_mb:.1f} MB")
    print(f"check {out / CARD}, then publish with: hf upload OWNER/NAME {out}")


def _check_evaluation(evaluation: Path, folder: Path) -> None:
    """Refuse an evaluation of other weights.

    Raises:
        DataError: if the weights differ, or the folder holds no evaluation.
    """
    from spd.checkpoints.folder import WEIGHTS
    from spd.errors import DataError
    from spd.evaluation.folder import PredictionFolder
    from spd.evaluation.settings import EvaluationSettings
    from spd.files import file_sha256

    settings = EvaluationSettings.read(PredictionFolder(evaluation).settings_path)
    if settings.weights_sha256 != file_sha256(folder / WEIGHTS):
        raise DataError(
            f"{evaluation} is an evaluation of different weights ({settings.model}) than "
            f"{folder / WEIGHTS}; evaluate these weights, or leave out --evaluation"
        )


def _about_training(run: "Run") -> dict[str, Any]:
    """The run's training settings and, if its data still exists, the median training depth."""
    from spd.data.sources import open_samples
    from spd.errors import DataError
    from spd.evaluation.baselines import median_of_training_data

    about: dict[str, Any] = {"training": run.recipe.train.to_dict()}
    try:
        samples = open_samples(run.data, metric_only=True)
        about["training_median_m"] = median_of_training_data(samples, "the training data").metres
    except DataError as error:
        print(f"the packed model does not store the median training depth: {error}")
    return about
