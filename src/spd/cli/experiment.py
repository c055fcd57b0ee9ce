"""What `spd experiment` does."""

from collections.abc import Sequence
from pathlib import Path

from spd.experiment.config import ExperimentConfig
from spd.files import check_folder


def run_experiment(out: Path, changes: Sequence[str], extra: Sequence[str]) -> None:
    """Check the configuration, then go through all stages; the same command goes on."""
    config = ExperimentConfig.with_changes(changes)
    check_folder(out)
    from spd.checkpoints.folder import find_checkpoint
    from spd.data.sources import open_samples
    from spd.experiment.run import Experiment
    from spd.train import StoppedError

    for source in extra:
        open_samples([source], metric_only=True)  # refused now rather than after hours
    if config.trunk_weights is not None:
        find_checkpoint(config.trunk_weights)  # likewise
    experiment = Experiment.start(out, config, extra)
    try:
        experiment.run()
    except KeyboardInterrupt:
        raise StoppedError(
            "interrupted; everything finished is kept, the same command goes on"
        ) from None
    print((out / "results.md").read_text(encoding="utf-8"))
    print(f"tables, pictures and every head are in {out}; spd report {out} makes a page of them")
