"""Models for the Hugging Face hub: write a checkpoint with its model card, and upload it.

`huggingface_hub`'s own mixin is not used: it rebuilds a class from its constructor's arguments and
names weights by attributes, while SPD's configuration and tensor names are a contract.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from spd.checkpoints.checkpoint import load_checkpoint, write_model
from spd.checkpoints.checksums import write_checksums
from spd.checkpoints.folder import find_checkpoint
from spd.checkpoints.hub_errors import hub_reason
from spd.errors import CheckpointError
from spd.export.model_card import (
    CARD,
    UNKNOWN,
    CardFacts,
    card_text,
    check_license,
    read_evaluation,
)
from spd.files import atomic_path, write_text
from spd.models.spd import SPD
from spd.peers.kinds import read_peer


def from_pretrained(source: str | os.PathLike[str]) -> SPD:
    """Load the model of a checkpoint, a training run or a hub id, in float32 on the CPU.

    Raises:
        CheckpointError: if the source is not a checkpoint, or is one of another network.
    """
    folder = find_checkpoint(str(source))
    if read_peer(folder) is not None:
        raise CheckpointError(f"{source} is not an SPD model; open it with spd.load")
    return load_checkpoint(folder)[0]


def save_pretrained(
    model: SPD,
    folder: str | os.PathLike[str],
    *,
    about: dict[str, Any] | None = None,
    license: str | None = None,
    evaluation: str | os.PathLike[str] | None = None,
    name: str | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights, configuration and model card into a new folder, which appears whole.

    Args:
        model: the model.
        folder: the folder; must not exist.
        about: facts to store with the weights and show in the card (recipe, step, training);
            plain JSON.
        license: licence of the weights as the hub names it; by default `about["license"]`, else
            `unknown`.
        evaluation: output folder of `spd evaluate`, whose numbers the card shows.
        name: name of the model in the card; by default the folder's name.
        dtype: type to store weights in; float16 halves the file, and loading gives float32 again.

    Raises:
        CheckpointError: if the folder exists.
        ConfigError: if the hub has no licence of that form.
        DataError: if the evaluation is incomplete or of another model, or the disk is full.
    """
    target = Path(folder)
    if target.exists():
        raise CheckpointError(f"{target} already exists; remove it or choose a different name")
    facts = dict(about or {})
    if license is not None:
        facts["license"] = license
    stated_license = str(facts.get("license", UNKNOWN))
    check_license(stated_license)
    card = CardFacts(
        config=model.config,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        about=facts,
        license=stated_license,
        evaluation=None if evaluation is None else read_evaluation(Path(evaluation), model.config),
    )
    with atomic_path(target) as temporary:
        temporary.mkdir()
        write_model(model, temporary, facts, dtype)
        write_checksums(temporary)
        write_text(temporary / CARD, card_text(name or target.name, card))


def push_to_hub(
    model: SPD,
    repo: str,
    *,
    private: bool = False,
    about: dict[str, Any] | None = None,
    license: str | None = None,
    evaluation: str | os.PathLike[str] | None = None,
    dtype: torch.dtype | None = None,
) -> str:
    """Upload what `save_pretrained` writes; create the repository if it does not exist.

    The token is that of the hub's client: `hf auth login`, or HF_TOKEN.

    Args:
        model: the model.
        repo: `OWNER/NAME`, or a name in your own account.
        private: whether to create a private repository; an existing one is not changed.
        about: see `save_pretrained`, also for the following.
        license: see `save_pretrained`.
        evaluation: see `save_pretrained`.
        dtype: see `save_pretrained`.

    Returns:
        Address of the repository.

    Raises:
        CheckpointError: if the name is not valid, or the upload fails for want of a token, a
            permission or the network.
        ConfigError: see `save_pretrained`.
        DataError: see `save_pretrained`.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise CheckpointError(
            f"{repo!r} is not a valid hub repository name; expected OWNER/NAME, using letters, "
            "digits, '-', '_' and '.'"
        ) from None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        save_pretrained(
            model,
            folder,
            about=about,
            license=license,
            evaluation=evaluation,
            name=repo,
            dtype=dtype,
        )
        try:
            hub = HfApi(token=True)  # requires a token before anything is sent
            created = hub.create_repo(repo, private=private, exist_ok=True)
            hub.upload_folder(repo_id=created.repo_id, folder_path=folder)
        except Exception as error:  # the client's errors have no common base
            raise CheckpointError(f"upload to {repo} failed: {hub_reason(error)}") from None
    return str(created)
