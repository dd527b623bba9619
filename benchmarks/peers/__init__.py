"""What Maskwright is compared with: a file a peer, each with a class `Peer` that knows `steps` and `train`.

steps(task, network, workers): an iterator; each `next` is one whole training step, reading and augmentation included.
train(task, seconds): trains so long as is left and gives a function from an image's path to its labels, H W uint8.

A peer is written as a competent user of that library would: its readers, transforms, loader and loop, its usual strong
settings for a few minutes. Random weights, as nothing is downloaded.
"""

import importlib
from typing import Any

PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "maskwright": ("ours", {}),
    "maskwright-adamw": ("ours", {"optimizer": "adamw"}),
    "smp-albumentations": ("smp_albumentations", {}),
    "narrow-albumentations": ("smp_albumentations", {"network": "narrow"}),
    "monai": ("monai_cached", {}),
    "fastai": ("fastai_learner", {}),
    "nnunet": ("nnunet", {}),
    "plain": ("plain", {}),
}
"""Name → file in this folder, and what its `Peer` is made with."""


def peer(name: str) -> Any:
    """The peer of that name, or the name of the package that is not installed."""
    module, options = PEERS[name]
    try:
        return importlib.import_module(f"peers.{module}").Peer(**options)
    except ModuleNotFoundError as error:
        return str(error.name)
