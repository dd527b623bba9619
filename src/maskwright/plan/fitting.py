"""Whether a plan suits the data."""

from maskwright.data.fingerprint import Fingerprint
from maskwright.errors import SettingError
from maskwright.metrics import image_metrics
from maskwright.model.sizes import demand_fit
from maskwright.plan.record import Plan


def with_outputs(plan: Plan, before: Plan) -> Plan:
    """The plan, its network with an output more than before if it now learns something of objects, and with one less if
    it no longer does; unless the outputs were stated too.
    """
    learns, learnt = (bool(one.objects and one.objects.learned) for one in (plan, before))
    if learns == learnt or plan.model.classes != before.model.classes:
        return plan
    classes = max(2, plan.model.classes) + 1 if learns else plan.model.classes - 1
    return plan.model_copy(update={"model": plan.model.model_copy(update={"classes": classes})})


def demand_fitting(plan: Plan, fingerprint: Fingerprint) -> None:
    """Nothing, if the plan's network suits the data and the crops suit the network.

    Raises:
        SettingError, DataError: they do not, as when a plan of other data is used; says what to set.
    """
    learned = plan.objects.learned if plan.objects else None
    names = [*fingerprint.classes, *([learned.name] if learned else [])]
    wanted = len(names)
    if plan.model.classes != wanted and not (plan.model.classes == 1 and wanted == 2):
        raise SettingError(
            f"The plan's network tells {plan.model.classes} classes apart, the data has {wanted}: "
            f"{', '.join(names)}. Set model.classes={wanted}, or make a new plan."
        )
    if learned and fingerprint.objects is None:
        raise SettingError(
            f"{learned.name.capitalize()}s are to be learned (objects={learned.kind}), but the masks do not tell one "
            "object from another. Number the objects and say instances: true in dataset.yaml, or give a mask file an "
            "object; or take apart what is predicted, with nothing learned: objects=distance."
        )
    if learned and plan.loss.border:
        raise SettingError(
            f"Objects are kept apart in two ways: by background that weighs more (loss.border) and by a class of their "
            f"own (objects={learned.kind}). Set loss.border=null or objects=none."
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
