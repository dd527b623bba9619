"""Objects that touch come apart in what a model says, as its plan has it or as is asked for."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from maskwright.data.learned_objects import OFF, ObjectSettings
from maskwright.errors import SettingError
from maskwright.files import MemoryPlane
from maskwright.inference.parting import objects_in
from maskwright.inference.predictor import Prediction
from maskwright.modelfile import Description


def apart(description: Description, objects: str | ObjectSettings | None) -> ObjectSettings | None:
    """How objects are taken apart: as asked for; None: as the model's plan says.

    Raises:
        SettingError: it is unknown, or the model has not learned what it needs.
    """
    planned = description.plan.objects
    if objects is None or objects == OFF:
        return None if objects else planned
    asked = ObjectSettings.read({"how": objects}, "--objects") if isinstance(objects, str) else objects
    learned = description.labels.objects
    if asked.learned is not None and (learned is None or learned.kind != asked.how):
        has = f"it has learned {learned.name}s" if learned else "it has learned nothing of objects"
        raise SettingError(
            f"The model cannot take objects apart by their {asked.how}: {has}. Train one with --objects {asked.how}, "
            "or predict with --objects distance, which needs nothing learned."
        )
    return asked


def separation(description: Description) -> Callable[[Prediction], NDArray[np.int32]] | None:
    """What gives the objects of a prediction by number, H W; None where the model's plan does not take them apart."""
    settings, classes = description.plan.objects, description.labels
    if settings is None:
        return None

    def objects(prediction: Prediction) -> NDArray[np.int32]:
        by_class = settings.learned is not None and prediction.marked is not None
        labels_HW = prediction.marked if by_class else prediction.labels
        assert labels_HW is not None, "there are labels"
        found = objects_in(MemoryPlane(labels_HW), classes, settings)
        height, width = labels_HW.shape
        return np.asarray(found.ids.read(slice(0, height), slice(0, width)), np.int32)

    return objects
