"""What `spd pack` does: a run's model as a small folder of its own, to keep, ship or publish."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spd.checkpoint_folder import WEIGHTS
from spd.cli.early import check_new, find_own
from spd.run_folder import RUN

if TYPE_CHECKING:  # at run time this loads torch
    from spd.runs import Run


def pack_model(source: str, out: Path) -> None:
    """Write weights in half precision and what is known of their training."""
    folder = find_own(source, "packed")
    check_new(out)
    import torch

    from spd.checkpoint import load_checkpoint, save_checkpoint
    from spd.runs import Run

    model, about = load_checkpoint(folder)
    if (Path(source) / RUN).is_file():
        about = about | _of_training(Run.open(Path(source)))
    save_checkpoint(model, out, about, torch.float16)
    size_mb = (out / WEIGHTS).stat().st_size / 1e6
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{out}: {parameters:,} parameters in half precision, {size_mb:.1f} MB")


def _of_training(run: "Run") -> dict[str, Any]:
    """The recipe in full, and the constant that a model has to beat, if the data is there still."""
    from spd.data.sources import open_samples
    from spd.errors import DataError
    from spd.evaluation.floors import of_training_data

    about: dict[str, Any] = {"training": run.recipe.train.to_dict()}
    try:
        samples = open_samples(run.data, metric_only=True)
        about["training_median_m"] = of_training_data(samples, "the training data").metres
    except DataError as error:
        print(f"the training data's median is not kept: {error}")
    return about
