"""Models for the Hugging Face hub: a folder with its card, and its upload.

The folder is a checkpoint as every other, so `spd.load` takes it from the disk or the hub.
`huggingface_hub`'s own mixin is not used: it rebuilds a class from the arguments of its
constructor and names weights by the class, and ours have a format and names that are a contract
and are loaded strictly.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from spd.checkpoints.checkpoint import load_checkpoint, write_model
from spd.checkpoints.folder import find_checkpoint
from spd.errors import CheckpointError
from spd.export.model_card import CARD, UNKNOWN, Facts, card_text, check_license, read_evaluation
from spd.files import atomic_path, write_text
from spd.models.spd import SPD
from spd.peers.kinds import read_peer


def from_pretrained(source: str | os.PathLike[str]) -> SPD:
    """The model of a checkpoint, a training run or a hub id, in float32 on the CPU, for inference.

    Raises:
        CheckpointError: if there is no usable checkpoint there, or it is another network's.
    """
    folder = find_checkpoint(str(source))
    if read_peer(folder) is not None:
        raise CheckpointError(f"{source} is not an SPD; spd.load opens it as what it is")
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
    """Write weights, configuration and card into a new folder, which appears whole.

    Args:
        model: the model.
        folder: where; must not exist.
        about: anything worth keeping with the weights (recipe, step, training); plain JSON. The
            card shows it.
        license: of the weights, as the hub calls it; by default what `about` says, else `unknown`.
        evaluation: a folder that `spd evaluate` wrote, whose numbers the card shows.
        name: what the card calls the model; by default the folder's name.
        dtype: what to store weights as; float16 halves the file, and loading widens it again.

    Raises:
        CheckpointError: if the folder exists.
        ConfigError: if the licence cannot be one.
        DataError: if the evaluation is not complete or is another model's, or on a full disk.
    """
    target = Path(folder)
    if target.exists():
        raise CheckpointError(f"{target} exists already; remove it or choose another name")
    kept = dict(about or {})
    if license is not None:
        kept["license"] = license
    kept_license = str(kept.get("license", UNKNOWN))
    check_license(kept_license)
    facts = Facts(
        config=model.config,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        about=kept,
        license=kept_license,
        evaluation=None if evaluation is None else read_evaluation(Path(evaluation), model.config),
    )
    with atomic_path(target) as temporary:
        temporary.mkdir()
        write_model(model, temporary, kept, dtype)
        write_text(temporary / CARD, card_text(name or target.name, facts))


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
    """Upload what `save_pretrained` writes, and make the repository if it is not there.

    The token is the hub client's own: `hf auth login`, or HF_TOKEN.

    Args:
        model: the model.
        repo: `OWNER/NAME`, or a name of your own account's.
        private: whether a repository that is made is private; one that is there stays as it is.
        about: as for `save_pretrained`; so are the others.
        license: likewise.
        evaluation: likewise.
        dtype: likewise.

    Returns:
        The repository's address.

    Raises:
        CheckpointError: saying why it was not uploaded: no such name, no token, no right, no
            network.
        ConfigError: as `save_pretrained`.
        DataError: likewise.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError:
        raise CheckpointError(
            f"{repo!r} is no name of a hub repository; expected OWNER/NAME, of letters, digits, "
            "'-', '_' and '.'"
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
            hub = HfApi(token=True)  # so that a missing token is said before anything is sent
            made = hub.create_repo(repo, private=private, exist_ok=True)
            hub.upload_folder(repo_id=made.repo_id, folder_path=folder)
        except Exception as error:  # the hub client raises many kinds
            raise CheckpointError(f"{repo} was not uploaded: {_why_not(error)}") from None
    return str(made)


def _why_not(error: Exception) -> str:
    """What the hub client's error means, in words."""
    from huggingface_hub import errors

    if isinstance(error, errors.LocalTokenNotFoundError):
        return "no token on this machine; log in (hf auth login) or set HF_TOKEN"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "the hub may not be asked (offline mode)"
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return f"the hub refused (status {status}); does your token have the right to write?"
        return f"the hub answered with status {status}: {_first_line(error)}"
    http_error = errors.HTTPError  # type: ignore[attr-defined]  # httpx's or httpx2's
    if isinstance(error, http_error | ConnectionError | TimeoutError):
        return "the network failed; try again"
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).split("\n")), "").strip() or "it says no more"
