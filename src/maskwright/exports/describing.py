"""What an exported file says of itself: all that its user needs besides the numbers, as one JSON text."""

import json
import math
from fractions import Fraction
from typing import Any, Final

from maskwright._version import __version__
from maskwright.data.preprocess import Preprocess
from maskwright.exports.suiting import own_statistics
from maskwright.inference.ensemble import Ensemble
from maskwright.inference.looks import looks_of
from maskwright.model import UNetRecord
from maskwright.model.sizes import geometry

KEY: Final = "maskwright"
"""Under which the text stands in every kind of file."""
SIDE: Final = 2048
"""Pixels a side of the largest piece that the runner script gives to the graph at once: about 1 GB for base 32."""
SMOOTH: Final = 2
"""Working pixels beyond a piece that the resizing to and fro looks at."""
SHARE: Final = 8
"""Where a network looks at the whole image no halo is exact; it is this part of the piece then."""


def described(ensemble: Ensemble) -> dict[str, Any]:
    """The description, as plain values.

    classes: name, the value written for it in masks, and its colour. objects: what the networks learned of objects that
    touch; it is a part of the classes in the file, and takes nothing apart there. mask: how mask files hold the values.
    image: what goes in. preprocess: what the graph does to it, a member each; views: in which ways that member looks at
    it. tiling: how a large image is cut, None: not at all.
    """
    about = ensemble.description
    style = about.labels.style
    return {
        "version": 1,
        "maskwright": __version__,
        "classes": [{"name": c.name, "value": c.values[0], "colour": list(c.colour)} for c in about.labels.classes],
        "ignored": list(about.labels.ignored),
        "objects": about.labels.objects and about.labels.objects.plain(),
        "mask": {
            "mode": style.mode,
            "dtype": style.dtype,
            "palette": style.palette and [list(c) for c in style.palette],
        },
        "image": {"layout": "BHWC", "dtype": about.preprocess.dtype, "channels": about.preprocess.channels},
        "preprocess": [member.description.preprocess.plain() for member in ensemble.members],
        "views": [member.description.plan.views.plain() for member in ensemble.members],
        "networks": [member.description.network.plain() for member in ensemble.members],
        "tiling": _tiling(ensemble),
        "scores": {part: _mean_iou(scores) for part, scores in about.scores.items()},
        "provenance": about.provenance,
    }


def text_of(ensemble: Ensemble) -> str:
    """The description as JSON."""
    return json.dumps(described(ensemble), ensure_ascii=False)


def _mean_iou(scores: Any) -> Any:
    return scores.get("mean_iou") if isinstance(scores, dict) else None


def _tiling(ensemble: Ensemble) -> dict[str, Any] | None:
    """Pieces of up to `side` pixels, with `halo` of their neighbours around them, that begin at multiples of `step`."""
    looks = looks_of(ensemble.members)
    each = [_of_one(look.preprocess, ensemble.members[look.member].network.record) for look in looks]
    if any(one is None for one in each):
        return None  # an image that is made one size, or normalised by itself, must be seen as a whole
    steps, halos, exact = zip(*(one for one in each if one is not None), strict=True)
    step = math.lcm(*steps)
    if step > SIDE // 4:  # scales that go badly together; with those no cut is exact, so the strides' own grid will do
        step = math.lcm(*(member.network.record.stride for member in ensemble.members))
    halo = -(-max(halos) // step) * step
    side = max(SIDE, 4 * halo) // step * step
    return {"side": side, "halo": halo, "step": step, "exact": all(exact)}


def _of_one(preprocess: Preprocess, network: UNetRecord) -> tuple[int, int, bool] | None:
    """Step and halo in pixels of the image, and whether pieces with these say what the whole image says."""
    if preprocess.size is not None or own_statistics(preprocess):
        return None
    reach = geometry(network)
    scale = Fraction(preprocess.scale).limit_denominator(64)
    # So many pixels of the image are a whole number of strides.
    step = (reach.stride / scale).numerator
    halo = math.ceil((max(reach.before, reach.after) + SMOOTH) / scale) if reach.is_local else SIDE // SHARE
    return step, halo, reach.is_local and preprocess.scale == 1
