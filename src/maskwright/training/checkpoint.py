"""`last.ckpt`: all that a run needs to go on as if nothing had happened. Written whole or not at all.

The one before it is kept as `previous.ckpt`, for the day a disk gives back something else than was written.
"""

import os
from pathlib import Path
from typing import Any, Final

import torch

from maskwright.errors import CheckpointError
from maskwright.records import replacing, sync_folder

NAME: Final = "last.ckpt"
PREVIOUS: Final = "previous.ckpt"
VERSION: Final = 2


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state, atomically; when this returns it survives a loss of power. What was there becomes `PREVIOUS`.

    Raises:
        CheckpointError: the disk is full or cannot be written to; what was there before is still there.
    """
    previous = path.with_name(PREVIOUS)
    try:
        try:
            _write(path, state)
        except (OSError, RuntimeError):
            if not previous.exists():
                raise
            previous.unlink()  # a full disk has room for two, not for three
            _write(path, state)
    except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
        raise CheckpointError(
            f"{path} could not be written ({error}). Free some space; the checkpoint before it is untouched."
        ) from error


def _write(path: Path, state: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        torch.save({"version": VERSION, **state}, temporary)
        if path.exists():
            previous = path.with_name(PREVIOUS)
            previous.unlink(missing_ok=True)
            try:
                os.link(path, previous)
            except OSError:  # a file system without second names; for a moment there is only the previous one
                path.replace(previous)
    sync_folder(path.parent)


def exists(folder: Path) -> bool:
    """Whether there is anything to go on from."""
    return (folder / NAME).is_file() or (folder / PREVIOUS).is_file()


def latest(folder: Path, device: torch.device) -> tuple[dict[str, Any], str]:
    """The newest state of a run that can be read, and what is to be said of it: nothing, or why it is the one before.

    Raises:
        CheckpointError: there is none that can be read.
    """
    try:
        return load(folder / NAME, device), ""
    except CheckpointError as error:
        if not (folder / PREVIOUS).is_file():
            raise
        try:
            state = load(folder / PREVIOUS, device)
        except CheckpointError:
            raise error from None
        return state, f"{error} The one before it is whole: training goes on from there, to the same result."


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
        raise CheckpointError(
            f"{path} is damaged and cannot be resumed ({error}). Where no other is left, delete it: --resume then "
            "begins again from the plan."
        ) from None
    if version != VERSION:
        raise CheckpointError(f"{path} has version {version}, this Maskwright reads {VERSION}.")
    return state
