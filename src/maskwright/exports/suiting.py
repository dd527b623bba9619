"""What of a model an export can hold, and what it cannot."""

from maskwright.data.preprocess import Preprocess
from maskwright.errors import SettingError
from maskwright.inference.ensemble import Ensemble


def demand_suits(model: Ensemble) -> None:
    """Nothing, if a graph can hold all that a prediction with the model does.

    Raises:
        SettingError: it looks at volumes.
    """
    for member in model.members:
        if member.network.record.dims != 2:
            raise SettingError("This network is for volumes; exported files are for images H W.")


def own_statistics(preprocess: Preprocess) -> bool:
    """Whether each image is normalised by its own mean and deviation."""
    return getattr(preprocess, "statistics", "training") == "image"
