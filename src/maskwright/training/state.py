"""Where a training is: the weights, their mean, the optimiser, the counts. A checkpoint holds all of it."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskwright.metrics import confusion_matrix, pixel_accuracy
from maskwright.model import UNet
from maskwright.settings import TrainingSettings, ValidationSettings
from maskwright.training import checkpoint, sharding
from maskwright.training.average import Average
from maskwright.training.callbacks import History, HistoryRow
from maskwright.training.health.monitor import Monitor
from maskwright.training.pace import Clock, Pace
from maskwright.training.schedules import Plateau
from maskwright.training.validation import ValidationScore, decided

ACCURACY_EVERY = 10
"""Steps between two looks at the accuracy on training crops."""


@dataclass
class Progress:
    """What has been counted so far; plain values and the best weights."""

    pace: Pace
    stage: int = 0
    plateau: Plateau = field(default_factory=Plateau)
    best_score: float = -math.inf
    best_loss: float = math.inf
    """Score and loss are those of the weights that are kept, whichever of the two chose them."""
    best: dict[str, Tensor] | None = None
    validations: int = 0
    without_gain: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    accuracy_sum: float = 0.0
    accuracy_count: int = 0
    scores: list[float] = field(default_factory=list)
    """Of all validations."""
    validated_at: int = 0
    """The step of the last validation."""
    rate: float = 0.0
    """Of the last step."""
    ended: str = ""
    """Why there is no further step; nothing while there is."""

    @property
    def score(self) -> float | None:
        """Of the last validation."""
        return self.scores[-1] if self.scores else None

    def due(self, settings: ValidationSettings) -> bool:
        """Whether the next validation has come."""
        if settings.every is not None:
            return self.pace.step - self.validated_at >= settings.every or self.pace.done
        return self.pace.progress * settings.times >= self.validations + 1 - 1e-9

    def count(self, loss: float, logits: Tensor, labels: Tensor) -> None:
        """Take in a step's loss, and now and then its accuracy."""
        self.loss_sum += loss
        self.loss_count += 1
        if self.pace.step % ACCURACY_EVERY == 0:
            matrix = confusion_matrix(decided(logits.detach(), dim=1), labels, max(2, logits.shape[1]))
            if math.isfinite(accuracy := pixel_accuracy(matrix)):
                self.accuracy_sum += accuracy
                self.accuracy_count += 1

    def means(self) -> dict[str, float | None]:
        """Loss and accuracy on training crops since the last call."""
        found = {
            "train_loss": self.loss_sum / max(1, self.loss_count),
            "train_accuracy": self.accuracy_sum / self.accuracy_count if self.accuracy_count else None,
        }
        self.loss_sum = self.accuracy_sum = 0.0
        self.loss_count = self.accuracy_count = 0
        return found

    def begin(self, stage: int) -> None:
        """A stage begins: its plateau and its patience know nothing of the one before."""
        self.stage, self.plateau, self.without_gain = stage, Plateau(), 0

    def judge(self, score: ValidationScore, average: Average, settings: TrainingSettings) -> bool:
        """Keep the averaged weights if they are the best so far; whether they are."""
        self.scores.append(score.mean_iou)
        if settings.schedule.name == "plateau":
            self.plateau.saw(score.loss, settings.schedule)
        by_loss = settings.validation.keep == "loss"
        better = score.loss < self.best_loss if by_loss else score.mean_iou > self.best_score
        if better:
            self.best_score, self.best_loss = score.mean_iou, score.loss
            self.best, self.without_gain = average.weights(), 0
        else:
            self.without_gain += 1
        return better


@dataclass
class State:
    """Everything that changes while training."""

    network: UNet
    average: Average
    optimizer: torch.optim.Optimizer
    progress: Progress
    clock: Clock
    history: History
    health: Monitor
    writes: bool = True
    """Whether this is the process that writes."""
    whole: bool = True
    """Whether no step is half done, so that what is saved now is what a resumed run goes on from exactly."""
    saved: int = 0
    """Step of the checkpoint."""

    def save(self, folder: Path) -> None:
        """Write `last.ckpt`, atomically; whole, whatever the devices. All processes must come here together.

        Raises:
            CheckpointError: the disk is full; the checkpoint before it is untouched.
        """
        state = {
            "network": sharding.whole(self.network.state_dict()),
            "average": self.average.network.state_dict(),
            "optimizer": sharding.whole(self.optimizer.state_dict()),
            "progress": {
                **vars(self.progress),
                "pace": self.progress.pace.state(),
                "plateau": dict(vars(self.progress.plateau)),
            },
            "rows": len(self.history.rows),
            "health": self.health.state(),
            "history": [row.model_dump() for row in self.history.rows],
            "seconds": self.clock.elapsed,
        }
        if self.writes:
            checkpoint.save(folder / checkpoint.NAME, state)
        self.saved = self.progress.pace.step

    def restore(self, saved: dict[str, Any]) -> None:
        """Become what was saved."""
        sharding.load_network(self.network, saved["network"])
        self.average.network.load_state_dict(saved["average"])
        sharding.load_optimizer(self.optimizer, saved["optimizer"])
        parts = {"pace": Pace, "plateau": Plateau}
        for name, value in saved["progress"].items():
            setattr(self.progress, name, parts[name](**value) if name in parts else value)
        # The file may have missed rows while the disk was full, or be damaged.
        self.history.become([HistoryRow.read(row, checkpoint.NAME) for row in saved["history"]])
        self.health.restore(saved["health"])
        self.saved = self.progress.pace.step
        self.clock.used_before += saved["seconds"]  # what starting again took counts, too
