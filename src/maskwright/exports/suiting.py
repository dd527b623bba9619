"""What of a model an export can hold, and what it cannot."""

from maskwright.data.preprocess import Preprocess
from maskwright.errors import SettingError
from maskwright.inference.ensemble import Ensemble


def demand_suits(model: Ensemble) -> None:
    """Nothing, if a graph can hold all that a prediction with the model does.

    Raises:
        SettingError: it looks at each image several times, or at volumes.
    """
    for member in model.members:
        views = getattr(member.description.plan, "views", None)
        if views is not None and views != type(views)():
            raise SettingError(
                "This model's plan looks at each image in several ways (views), which an exported file cannot do. Set "
                "views to its defaults in the model's plan, and average in your own program."
            )
        if member.network.record.dims != 2:
            raise SettingError("This network is for volumes; exported files are for images H W.")


def own_statistics(preprocess: Preprocess) -> bool:
    """Whether each image is normalised by its own mean and deviation."""
    return getattr(preprocess, "statistics", "training") == "image"
