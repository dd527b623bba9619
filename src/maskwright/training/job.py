"""All that one training needs, and what comes of it."""

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from maskwright.data.dataset import Crops, Finish
from maskwright.devices import DeviceSettings
from maskwright.losses import Loss
from maskwright.model import UNet
from maskwright.settings import TrainingSettings
from maskwright.training.callbacks import HistoryRow
from maskwright.training.validation import Validation
from maskwright.training.world import World


@dataclass
class Job:
    """All that one training needs."""

    network: UNet
    crops: Crops
    finish: Finish
    loss: Loss
    validation: Validation | None
    settings: TrainingSettings
    device: DeviceSettings
    folder: Path
    seed: int
    workers: int = 0
    """Processes that read crops beside the training."""
    seconds_used: float = 0.0
    """Of a budget in minutes, before the loop began."""
    world: World = field(default_factory=World)
    """The processes that train together; one, if not said otherwise."""
    names: tuple[str, ...] = ()
    """Of the training images, in the order of the crops' cache; empty: not known."""
    classes: tuple[str, ...] = ()
    """Names of the classes by label; empty: not known."""


@dataclass(frozen=True)
class Outcome:
    """A trained network: weights by name, how they scored, and why training ended."""

    weights: dict[str, Tensor]
    score: float | None
    reason: str
    finished: bool
    steps: int
    seconds: float
    history: list[HistoryRow] = field(default_factory=list)
    saved: bool = True
    """Whether `last.ckpt` holds all of it."""
