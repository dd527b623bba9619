"""How models look at an image: each member at each of its scales and in each of its ways, and how much that counts.

Prediction and exported files both follow it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from maskwright.data.preprocess import Preprocess
from maskwright.inference.ensemble import Ensemble
from maskwright.modelfile import Description, Model
from maskwright.tiling import View, Views


@dataclass(frozen=True)
class Look:
    """One member at one scale."""

    member: int
    """Which of the members, from 0."""
    preprocess: Preprocess
    """Its own at this scale."""
    ways: tuple[View, ...]
    """What is looked at is averaged in them before it is brought to the image's own size."""
    weight: float
    """Of its probabilities in the mean; over all looks the weights add up to 1."""


def looks_of(members: Sequence[Model], views: Views | None = None) -> tuple[Look, ...]:
    """All looks at an image, the members in turn. views: None: those of each member's plan."""
    found = []
    for n, member in enumerate(members):
        about = member.description
        own = views or about.plan.views
        for scale in own.scales:
            preprocess = about.preprocess if scale == 1 else about.preprocess.enlarged(scale)
            found.append(Look(n, preprocess, own.ways, 1 / len(members) / len(own.scales)))
    return tuple(found)


def with_views(ensemble: Ensemble, views: Views | None) -> Ensemble:
    """The same models, all with these views in their plans; None: as they are."""
    if views is None:
        return ensemble

    def planned(about: Description) -> Description:
        plan = about.plan.model_copy(update={"views": views})
        return about.model_copy(update={"plan": plan, "members": tuple(map(planned, about.members))})

    members = tuple(Model(member.network, planned(member.description)) for member in ensemble.members)
    return Ensemble(members, planned(ensemble.description))
