"""Read untrusted files of tensors: safetensors, and torch's pickles without running their code."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from spd.errors import CheckpointError, reason_of, shortened


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file by name, on the CPU.

    Raises:
        CheckpointError: if the file is missing, truncated or damaged.
    """
    _check_file(path)
    try:
        return load_file(path)
    except Exception as error:  # a wrong header raises many types
        raise _unreadable(path, error) from None


def read_pickled(path: Path) -> Any:
    """Content of a file of `torch.save`: plain values and tensors, on the CPU.

    Raises:
        CheckpointError: if the file is missing, damaged or compressed, or contains other objects,
            whose code is not run.
    """
    _check_file(path)
    _refuse_compressed(path)
    try:
        with warnings.catch_warnings():  # the error below replaces torch's warning
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise CheckpointError(
            f"{path} is not a checkpoint, or contains more than tensors and plain values; save "
            "only the model's state_dict(). No code in the file was executed"
        ) from None
    except Exception as error:  # damaged files raise many types
        raise _unreadable(path, error) from None


def check_tensors(source: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that hold something other than finite floating-point numbers on the CPU.

    Raises:
        CheckpointError: naming the first such tensor.
    """
    for name, tensor in tensors.items():
        shown = shortened(repr(name))
        dense = tensor.layout == torch.strided and not tensor.is_meta
        if not dense or not tensor.is_floating_point():
            kind = str(tensor.dtype) if dense else f"{tensor.layout} on {tensor.device}"
            raise CheckpointError(f"{source} has {shown} in {kind}; expected floating point")
        if not tensor.isfinite().all():
            raise CheckpointError(
                f"{source} has non-finite values in {shown}; is the file damaged?"
            )


def check_size(weights: Path, parameters: int) -> None:
    """Refuse weights with fewer bytes than the model has parameters, before memory is allocated.

    Raises:
        CheckpointError: naming both numbers.
    """
    if weights.is_file() and parameters > weights.stat().st_size:
        raise CheckpointError(
            f"{weights} cannot be read: it has {weights.stat().st_size} bytes, but its config.json "
            f"describes a model of at least {parameters} parameters; is the file complete?"
        )


def _check_file(path: Path) -> None:
    if not path.exists():
        raise CheckpointError(f"{path} is missing")
    if not path.is_file():  # reading a named pipe would wait forever
        raise CheckpointError(f"{path} cannot be read; expected a file")


def _refuse_compressed(path: Path) -> None:
    """Refuse a compressed archive; `torch.save` does not compress."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from None
    if unpacked > path.stat().st_size:
        raise CheckpointError(
            f"{path} cannot be read: its contents are compressed, {unpacked} bytes in total; "
            "save it with torch.save"
        )


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    reason = reason_of(error).split(". ")[0]
    return CheckpointError(f"{path} cannot be read; is the file complete? ({reason})")
