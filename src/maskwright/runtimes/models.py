"""Converted networks, kept on the disk by their weights: the second start is quick.

They lie in the user's cache folder in `runtimes/`, and may be deleted at any time. Where nothing can be written or
what lies there is damaged, the network is converted again.
"""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import torch

from maskwright.data.remembered import cache_folder
from maskwright.files import hashed
from maskwright.model import UNet
from maskwright.records import replacing
from maskwright.runtimes.conversion import onnx_model

LIMIT: Final = 1 << 30
"""Bytes of all converted networks; those that were not used longest go first."""
DIGEST: Final = 24
"""Bytes at the start of a file that tell whether the rest is whole."""


def converted(network: UNet) -> bytes:
    """The network as the bytes of an ONNX file, as `conversion.onnx_model` gives it.

    Raises:
        SettingError: as `conversion.onnx_model`.
    """
    path = place_of(network)
    if (found := _read(path)) is not None:
        return found
    model = onnx_model(network).SerializeToString()
    with suppress(OSError):
        with replacing(path) as temporary:
            temporary.write_bytes(hashed(model).encode() + model)
        _tidy(path)
    return model


def is_converted(network: UNet) -> bool:
    """Whether it has been converted before."""
    return place_of(network).is_file()


def place_of(network: UNet) -> Path:
    """Where the converted network lies, or would."""
    return folder() / f"{hash_of(network)}.onnx"


def folder() -> Path:
    """Where all of them lie."""
    return cache_folder() / "runtimes"


def hash_of(network: UNet) -> str:
    """A hash of all that a converted network hangs on: record, weights, what is trimmed, and the code that converts."""
    told = hashlib.blake2b(
        f"{_code()} {torch.__version__} {network.record.to_json()} {network.trimmed}".encode(), digest_size=12
    )
    for name, weight in sorted(network.state_dict().items()):
        told.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        told.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return told.hexdigest()


@cache
def _code() -> str:
    here = Path(__file__).parent
    return hashed(b"".join((here / name).read_bytes() for name in ("conversion.py", "folding.py")))


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    model = data[DIGEST:]
    if hashed(model).encode() != data[:DIGEST]:
        return None
    with suppress(OSError):  # it was used just now
        path.touch()
    return model


def _tidy(kept: Path) -> None:
    paths = [(path.stat(), path) for path in folder().glob("*.onnx") if path != kept]
    total = kept.stat().st_size + sum(stat.st_size for stat, _ in paths)
    for stat, path in sorted(paths, key=lambda one: one[0].st_mtime):
        if total <= LIMIT:
            break
        path.unlink(missing_ok=True)
        total -= stat.st_size
