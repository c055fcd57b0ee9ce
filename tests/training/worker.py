"""One process of a run started by torchrun: float64, gradients and results written by the first.

worker.py RUN OUT TRAIN VAL
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.small_runs import CPU, float64, gradients_of
from spd.data.sources import open_samples
from spd.train import Trainer
from spd.training.parallel import is_main_process
from spd.training.runs import Run


def main() -> None:
    folder, out, train, validation = sys.argv[1:]
    torch.set_num_threads(1)
    with float64():
        trainer = Trainer(Run.open(Path(folder)), CPU)
    gradients = gradients_of(trainer, dict(trainer.model.named_parameters()))
    trainer.fit(open_samples([train], metric_only=True), open_samples([validation]))
    if is_main_process():
        torch.save({"gradients": gradients, "processes": trainer.parallel.shard.processes}, out)


main()
