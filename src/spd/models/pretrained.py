"""The names that people look for on a model of the Hugging Face hub."""

import importlib
from typing import Any, Self


class Pretrained:
    """`from_pretrained`, `save_pretrained`, `push_to_hub`, of a class that `spd.hub` can read.

    What they do is in `spd.hub`, which knows files and the hub and imports the model. It is looked
    up when they are called, so that the model itself imports neither.
    """

    @classmethod
    def from_pretrained(cls, source: Any) -> Self:
        """The model of a checkpoint folder, a training run or a hub id (`spd.hub`).

        Args:
            source: where it is. It comes in float32, on the CPU, ready for inference.

        Raises:
            CheckpointError: if there is no usable checkpoint there, or it is another network's.
        """
        return _hub().from_pretrained(source)

    def save_pretrained(self, folder: Any, **described: Any) -> None:
        """Write weights, configuration and a model card into a new folder.

        Args:
            folder: where; must not exist.
            described: `about`, `license`, `evaluation`, `name`, `dtype` of
                `spd.hub.save_pretrained`.

        Raises:
            CheckpointError: if the folder exists.
            ConfigError: if the licence cannot be one.
            DataError: if the evaluation is not complete or another model's, or on a full disk.
        """
        _hub().save_pretrained(self, folder, **described)

    def push_to_hub(self, repo: str, **described: Any) -> str:
        """Upload what `save_pretrained` writes; returns the repository's address.

        Args:
            repo: `OWNER/NAME`.
            described: `private`, and what `save_pretrained` takes, of `spd.hub.push_to_hub`.

        Raises:
            CheckpointError: saying why it was not uploaded: no such name, no token, no right, no
                network.
            ConfigError: as `save_pretrained`.
            DataError: likewise.
        """
        return _hub().push_to_hub(self, repo, **described)


def _hub() -> Any:
    return importlib.import_module("spd.hub")
