"""`last.ckpt`: all that a run needs to go on as if nothing had happened. Written whole or not at all."""

from pathlib import Path
from typing import Any, Final

import torch

from maskwright.errors import CheckpointError
from maskwright.records import replacing

NAME: Final = "last.ckpt"
VERSION: Final = 2


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state, atomically.

    Raises:
        CheckpointError: the disk is full or cannot be written to; what was there before is still there.
    """
    try:
        with replacing(path) as temporary:
            torch.save({"version": VERSION, **state}, temporary)
    except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
        raise CheckpointError(
            f"{path} could not be written ({error}). Free some space; the checkpoint before it is untouched."
        ) from error


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """The state of a run. Nothing but tensors and plain values is ever read from it.

    Raises:
        CheckpointError: there is none, or it is damaged, or from a later version.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist: there is nothing to resume. Start the training anew.")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        version = state.get("version")
    except Exception as error:  # damaged bytes make the reader stumble anywhere: IndexError, KeyError, TypeError …
        raise CheckpointError(f"{path} is damaged and cannot be resumed ({error}). Start the training anew.") from None
    if version != VERSION:
        raise CheckpointError(f"{path} has version {version}, this Maskwright reads {VERSION}.")
    return state
