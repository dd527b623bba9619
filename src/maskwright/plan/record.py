"""The plan itself, a record."""

from collections.abc import Mapping
from typing import Any

from maskwright.data.augment import Augment
from maskwright.data.dataset import Sampling
from maskwright.data.learned_objects import ObjectsAsked, ObjectSettings
from maskwright.data.preprocess import Preprocess
from maskwright.devices import DeviceSettings
from maskwright.losses import LossSettings
from maskwright.model import UNetRecord
from maskwright.plan.costs import Measurement
from maskwright.records import Record
from maskwright.settings import TrainingSettings
from maskwright.tiling import Tiles, Views


class _Objects(Record):
    objects: ObjectsAsked = None


def objects_asked(decided: ObjectSettings | None, wishes: Mapping[str, Any]) -> ObjectSettings | None:
    """How objects are taken apart where so much is decided, and some of it wished: how many classes a network has, and
    how they are weighed, hangs on it.
    """
    asked = {key: value for key, value in wishes.items() if key.split(".")[0] == "objects"}
    return _Objects(objects=decided).with_settings(asked).objects


class Plan(Record):
    """Everything that a training does, decided. Saved as `plan.yaml`, it can be edited and run again."""

    recipe: str | None = None
    """The recipe that was followed; None: decided."""
    seed: int = 0
    preprocess: Preprocess
    model: UNetRecord
    sampling: Sampling
    augment: Augment
    loss: LossSettings
    training: TrainingSettings
    tiles: Tiles
    views: Views = Views()
    """Test-time augmentation, as part of the model."""
    objects: ObjectsAsked = None
    """How objects that touch are taken apart; None: they are not."""
    metrics: tuple[str, ...] = ()
    """Contest scores that evaluation adds to the usual ones."""
    device: DeviceSettings
    reasons: dict[str, str] = {}
    """Setting, or group of settings → why it is so."""
    measured: tuple[Measurement, ...] = ()
    """What was measured, or estimated, to decide it."""

    def with_wishes(self, wishes: Mapping[str, Any]) -> "Plan":
        """The plan with some settings replaced by the user's, and that noted as their reason.

        Short forms are understood where only one setting can be meant: `optimizer.lr` is `training.optimizer.lr`.
        """
        full = {self.full_key(key): value for key, value in wishes.items()}
        changed = self.with_settings(full)
        return changed.model_copy(update={"reasons": {**self.reasons, **dict.fromkeys(full, "as asked for")}})

    def full_key(self, key: str) -> str:
        """The whole dotted key that a short form means: training.optimizer.lr for optimizer.lr."""
        keys = self.keys()
        if key in keys or key.startswith("loss.terms"):
            return key
        longer = [known for known in keys if known.endswith(f".{key}")]
        return longer[0] if len(longer) == 1 else key
