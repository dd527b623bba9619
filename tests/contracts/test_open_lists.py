"""What every part of an open list owes those who use it. A new part is found here by itself.

Each contract is a function over one part, so that a planted part that breaks it shows that it bites.
"""

import pytest

from maskwright.data.doctor import checks
from maskwright.data.layouts import layouts
from maskwright.data.sources import sources
from maskwright.errors import SettingError
from maskwright.exports import exports
from maskwright.files import readers
from maskwright.files.annotations import formats
from maskwright.inference.outputs import outputs
from maskwright.losses import losses
from maskwright.metrics import class_metrics, image_metrics
from maskwright.regions.clean_up import steps
from maskwright.runtimes import runtimes
from maskwright.training.health import causes
from maskwright.training.tracking import trackers

LISTS = {
    "check": checks,
    "mask source": sources,
    "loss": losses,
    "metric": class_metrics,
    "image metric": image_metrics,
    "reader": readers,
    "annotation format": formats,
    "layout": layouts,
    "cleaning step": steps,
    "output": outputs,
    "runtime": runtimes,
    "export": exports,
    "cause": causes,
    "tracker": trackers,
}
PARTS = [pytest.param(part, id=f"{kind} {name}") for kind, parts in LISTS.items() for name, part in parts.items()]


def documented(part):
    """The part says in its own words what it is; a class's own text, not one that it inherits."""
    owner = part if isinstance(part, type) or hasattr(part, "__code__") else type(part)
    text = vars(owner).get("__doc__") if isinstance(owner, type) else owner.__doc__
    assert text, f"{owner} has no docstring"
    assert len(text.split()) >= 5, f"{owner} says too little: {text!r}"


@pytest.mark.parametrize("part", PARTS)
def test_every_part_says_what_it_is(part):
    documented(part)


@pytest.mark.parametrize("kind", LISTS)
def test_every_list_has_parts_and_names_the_nearest(kind):
    names = LISTS[kind].names()

    assert names == sorted(names)
    with pytest.raises(SettingError, match=f"no {kind} called .*Did you mean '{names[0]}'"):
        LISTS[kind][f"{names[0]}x"]


def test_a_part_without_a_word_is_found():
    class Silent:
        def __call__(self):
            pass

    for part in (Silent, Silent(), lambda: None):
        with pytest.raises(AssertionError, match="docstring"):
            documented(part)
