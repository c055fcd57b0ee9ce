"""Training in one process or several: shared gradients, numbers and decisions.

accelerate handles one GPU, several GPUs (torchrun) and several machines.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration, gather_object
from torch import Tensor, nn

from spd.data.loader import Shard
from spd.errors import ConfigError
from spd.recipes import TrainConfig

T = TypeVar("T")
PROJECTS = {"tensorboard": "tensorboard", "wandb": "spd", "trackio": "spd"}


def launched_processes() -> int:
    """Number of processes that torchrun (or another launcher) started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this process writes files and prints; known before the processes connect."""
    return int(os.environ.get("RANK", "0")) == 0


def check_launch(config: TrainConfig) -> None:
    """Refuse settings that do not suit the started processes or the installed packages.

    Raises:
        ConfigError: if the batch cannot be shared, or the tracker is not installed.
    """
    parts = config.accumulate * launched_processes()
    if config.batch_size % parts:
        raise ConfigError(
            f"train.batch_size {config.batch_size} is not divisible by {parts} "
            f"(train.accumulate {config.accumulate} times {launched_processes()} process(es)); "
            "batch_size is the number of images per optimiser step, over all processes"
        )
    if config.tracker != "none" and importlib.util.find_spec(config.tracker) is None:
        raise ConfigError(
            f"train.tracker {config.tracker} is not installed; run pip install "
            f"{config.tracker}, or set train.tracker=tensorboard"
        )


class Parallel:
    """Process group of a run, and its tracker of curves."""

    def __init__(self, config: TrainConfig, device: torch.device, folder: Path) -> None:
        check_launch(config)
        AcceleratorState._reset_state(reset_partial_state=launched_processes() == 1)
        self.tracker = config.tracker
        self.accelerator = Accelerator(
            cpu=device.type == "cpu",
            device_placement=False,
            mixed_precision="no",  # the objective uses autocast itself
            dataloader_config=DataLoaderConfiguration(),
            log_with=None if config.tracker == "none" else config.tracker,
            project_dir=folder,
        )
        self.shard = Shard(self.accelerator.process_index, self.accelerator.num_processes)
        self.device = device if self.is_alone else self.accelerator.device

    @property
    def is_alone(self) -> bool:
        """Whether the run has a single process."""
        return self.shard.processes == 1

    def wrap(self, module: nn.Module) -> nn.Module:
        """Make a module average its gradients over the processes."""
        if self.is_alone:
            return module
        return self.accelerator.prepare_model(module)

    def no_sync(self, module: nn.Module) -> Any:
        """Context in which gradients accumulate in this process only."""
        return self.accelerator.no_sync(module)

    def mean(self, values: Tensor) -> Tensor:
        """Mean over all processes; each gets the result."""
        return self.accelerator.reduce(values, "mean")

    def gather(self, items: Sequence[T]) -> list[T]:
        """Items of all processes, in the order of the processes."""
        return list(items) if self.is_alone else list(gather_object(list(items)))

    def wait(self) -> None:
        """Wait until every process gets here."""
        self.accelerator.wait_for_everyone()

    def start_tracker(self, step: int, name: str) -> None:
        """Open the configured tracker; TensorBoard discards points after this step."""
        if self.tracker == "none":
            return
        options: dict[str, dict[str, Any]] = {
            "tensorboard": {"purge_step": step + 1},
            "wandb": {"name": name},
            "trackio": {"name": name},
        }
        self.accelerator.init_trackers(
            PROJECTS[self.tracker], init_kwargs={self.tracker: options[self.tracker]}
        )

    def track(self, values: dict[str, float], step: int) -> None:
        """Send a step's numbers to the tracker."""
        if self.tracker == "none":
            return
        try:
            self.accelerator.log(values, step=step)
        except OSError as error:  # the disk is full; the run's own log has the same numbers
            self._give_up(error)

    def close(self) -> None:
        """Close the tracker and leave the process group.

        The threads of an open group may abort the interpreter at exit; torchrun would then report
        a finished run as failed.
        """
        try:
            self.accelerator.end_training()
        except OSError as error:  # of the tracker, before the group is left
            self._give_up(error)
            self.accelerator.trackers.clear()
            self.accelerator.end_training()

    def _give_up(self, error: OSError) -> None:
        """Continue without a tracker that cannot write."""
        print(f"{self.tracker} stopped: {error}; training continues without it", file=sys.stderr)
        self.tracker = "none"
