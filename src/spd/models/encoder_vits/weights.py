"""Starting the encoder from DINOv2, strictly: every tensor is accounted for."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from transformers.models.dinov2.modeling_dinov2 import Dinov2Backbone

from spd.errors import CheckpointError
from spd.models.encoder_vits.vit_s import Encoder


def load_dinov2(encoder: Encoder, source: str | Path) -> None:
    """Replace an encoder's weights by a DINOv2 checkpoint in transformers' format.

    Args:
        encoder: the encoder to fill; its sizes must be the checkpoint's.
        source: a local directory, or a hub id such as `facebook/dinov2-small`.

    Raises:
        CheckpointError: if the source cannot be had, is not a DINOv2 of the encoder's sizes, or
            lacks a tensor.
    """
    wanted = encoder.backbone.config
    try:
        with _quiet("huggingface_hub", "transformers", "httpx"):
            loaded, report = Dinov2Backbone.from_pretrained(
                source,
                out_indices=wanted.out_indices,
                apply_layernorm=True,
                reshape_hidden_states=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(
            f"no DINOv2 checkpoint at {source}: {reason} (name a local directory with "
            "train.encoder_weights=DIR, or start at random with train.encoder_weights=null)"
        ) from None
    if loaded.config.model_type != "dinov2":
        raise CheckpointError(f"{source} is a {loaded.config.model_type}, expected a dinov2")
    problems = {
        kind: sorted(map(str, report.get(f"{kind}_keys") or ()))
        for kind in ("missing", "unexpected", "mismatched")
    }
    for kind, names in problems.items():
        if names:
            raise CheckpointError(f"{source} has {len(names)} {kind} tensor(s): {names[0]}, ...")
    given, expected = loaded.state_dict(), encoder.backbone.state_dict()
    for name in sorted(expected.keys() | given.keys()):
        shapes = [list(w[name].shape) if name in w else None for w in (given, expected)]
        if shapes[0] != shapes[1]:
            raise CheckpointError(
                f"{source} does not fit the configured encoder: {name} is {shapes[0]}, "
                f"the configuration makes it {shapes[1]}"
            )
    encoder.backbone.load_state_dict(given)


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Errors only from these loggers: what goes wrong is said once, by the exception."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
