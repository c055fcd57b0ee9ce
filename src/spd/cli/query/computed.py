"""Which model answers, and on what it is computed."""

import dataclasses
from typing import TYPE_CHECKING

from spd.checkpoints.folder import find_checkpoint
from spd.peers.kinds import read_peer, refuse_relative
from spd.predictors.loading import check_torch, find_export, load, quickest_runtime, runtime_of

if TYPE_CHECKING:  # at run time these are loaded only where torch computes
    import torch

    from spd.predictors.loading import AnyPredictor


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What a user asks to answer, and on what; None is the default."""

    model: str | None
    device: str | None
    runtime: str | None
    precision: str | None

    def for_one_photo(self) -> "Computed":
        """The same with its runtime named: the one that has the first answer soonest."""
        runtime = quickest_runtime(self.model, self.runtime, self.device, self.precision)
        return dataclasses.replace(self, runtime=runtime)

    def check(self) -> None:
        """Refuse what shows before anything is loaded.

        Raises:
            CheckpointError: if there is no such model.
            ConfigError: if it does not run there.
            InputError: if it has no metres to say.
        """
        if runtime_of(self.model, self.runtime) != "torch":
            find_export(self.model)
            return
        check_torch(self.precision)
        peer = read_peer(find_checkpoint(self.model))
        if peer is not None:
            refuse_relative(peer.kind, str(self.model))

    def load(self) -> "AnyPredictor":
        """The predictor."""
        return load(
            self.model, device=self._device(), runtime=self.runtime, precision=self.precision
        )

    def _device(self) -> "torch.device | str | None":
        if runtime_of(self.model, self.runtime) != "torch":
            return self.device
        from spd.cli.devices import choose_device

        return choose_device(self.device)
