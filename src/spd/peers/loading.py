"""Loading a published depth model with transformers, completely or not at all."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from spd.checkpoints.folder import WEIGHTS
from spd.checkpoints.tensor_files import check_size
from spd.errors import CheckpointError, check_docstrings, reason_of
from spd.peers.kinds import Peer
from spd.peers.peer_predictor import PeerConfig, PeerPredictor
from spd.peers.processing import open_processing
from spd.terminal import quiet_loggers

_CLASSES = {
    "depth_anything": "DepthAnythingForDepthEstimation",
    "depth_pro": "DepthProForDepthEstimation",
    "dpt": "DPTForDepthEstimation",
    "glpn": "GLPNForDepthEstimation",
    "zoedepth": "ZoeDepthForDepthEstimation",
}
# The first fusion layer never uses it, and published files leave it out.
_UNUSED = "fusion_stage.layers.0.residual_layer1."


def load_peer(peer: Peer, device: torch.device, source: str) -> PeerPredictor:
    """Load a published depth model.

    Args:
        peer: the model and its folder.
        device: device that computes.
        source: name or path of the model.

    Raises:
        CheckpointError: if a file is missing or damaged, or a tensor is missing or of another
            shape than `config.json` makes it.
    """
    processing = open_processing(peer.folder, peer.model_type)
    if not (peer.folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"{source} has no {WEIGHTS}; weights in other formats are not read, because loading "
            "them can run code (load the model in transformers and save it with save_pretrained())"
        )
    network, missing = _read(peer, source)
    lacking = sorted(name for name in missing if _UNUSED not in name)
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise CheckpointError(f"{source} lacks tensor {lacking[0]!r}{more}; is the file complete?")
    config = PeerConfig(peer.model_type, peer.kind, peer.config)
    return PeerPredictor(network, processing, config, device, source)


def _read(peer: Peer, source: str) -> tuple[Any, set[str]]:
    """The network, and the names of tensors that the file lacks."""
    check_docstrings()
    import transformers

    try:
        with quiet_loggers("transformers"), _no_progress_bars():  # the exception reports errors
            kind = getattr(transformers, _CLASSES[peer.model_type])
            _check_size(kind, peer)
            network, told = kind.from_pretrained(
                peer.folder,
                dtype=torch.float32,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
    except CheckpointError:
        raise
    except Exception as error:  # transformers raises many types for damaged files
        raise CheckpointError(
            f"{source} cannot be loaded as {peer.model_type}; is it complete? ({reason_of(error)})"
        ) from None
    return network, set(told["missing_keys"])


def _check_size(kind: Any, peer: Peer) -> None:
    """Refuse weights with fewer bytes than the model has parameters."""
    with torch.device("meta"):  # allocates nothing
        empty = kind(kind.config_class.from_pretrained(peer.folder, local_files_only=True))
    check_size(peer.folder / WEIGHTS, sum(one.numel() for one in empty.parameters()))


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
