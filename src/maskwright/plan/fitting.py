"""Whether a plan suits the data."""

from maskwright.data.fingerprint import Fingerprint
from maskwright.errors import SettingError
from maskwright.metrics import image_metrics
from maskwright.model.sizes import demand_fit
from maskwright.plan.record import Plan


def demand_fitting(plan: Plan, fingerprint: Fingerprint) -> None:
    """Nothing, if the plan's network suits the data and the crops suit the network.

    Raises:
        SettingError, DataError: they do not, as when a plan of other data is used; says what to set.
    """
    wanted = len(fingerprint.classes)
    if plan.model.classes != wanted and not (plan.model.classes == 1 and wanted == 2):
        raise SettingError(
            f"The plan's network tells {plan.model.classes} classes apart, the data has {wanted}: "
            f"{', '.join(fingerprint.classes)}. Set model.classes={wanted}, or make a new plan."
        )
    if plan.model.in_channels != plan.preprocess.channels:
        raise SettingError(
            f"The plan's network takes {plan.model.in_channels} channels, its preprocessing gives "
            f"{plan.preprocess.channels}. Set both to the same."
        )
    if plan.model.dims != 2:
        raise SettingError(f"The plan's network has {plan.model.dims} dimensions, images have 2. Set model.dims=2.")
    if plan.model.padding == "valid":
        demand_fit(plan.model, *plan.sampling.crop)
    for name in plan.metrics:
        image_metrics[name]
