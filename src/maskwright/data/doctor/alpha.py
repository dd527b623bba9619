"""Images one can see through in places."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from maskwright.data.doctor.evidence import image_files, labelled, names, said, spread
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.sample import Sample
from maskwright.data.survey import Survey
from maskwright.errors import MaskwrightError
from maskwright.files import read_alpha

LOOKED_AT: Final = 48
"""Images that are opened again …"""
PIXELS: Final = 60_000_000
"""… and pixels."""
OPAQUE: Final = 250
"""From here on nothing is seen through: a rim is softened a little by every program."""
LEAST: Final = 0.001
"""Share of an image below which it is a speck."""


class Alpha:
    """Images with an alpha channel that is not opaque. Alpha is no colour, so it is dropped; what is stored beneath is
    learned as if it were seen. Of many images some are looked at; those with a file of valid pixels are not.
    """

    quick = False

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """One finding for all."""
        looked_at = spread([one for one in labelled(survey) if not one.bands and not one.valid], LOOKED_AT, PIXELS)
        shares = {one.name: share for one in looked_at if (share := see_through(survey, one)) > LEAST}
        if shares:
            yield _finding([one for one in looked_at if one.name in shares], shares, len(looked_at))


def see_through(survey: Survey, sample: Sample) -> float:
    """Share of the image's pixels that can be seen through."""
    try:
        alpha_HW = read_alpha(survey.root / sample.image, sample.page)
    except MaskwrightError:  # it changed since it was surveyed; the next survey tells
        return 0.0
    return 0.0 if alpha_HW is None else float(np.mean(alpha_HW < OPAQUE))


def _finding(clear: list[Sample], shares: dict[str, float], looked_at: int) -> Finding:
    most = 2 * len(clear) > looked_at
    of = f"{len(clear):,} of {said(looked_at, 'image')} that {'was' if looked_at == 1 else 'were'} looked at"
    return Finding(
        code="see-through",
        severity="warning" if most else "note",
        title=f"{of} can be seen through in places, {np.mean(list(shares.values())):.0%} of their pixels",
        files=image_files(clear),
        why="Alpha is no colour and is not read: what is stored beneath, often black or left-over colours, is learned "
        "as if it were seen.",
        remedy="If nothing is to be learned there, save the alpha of each image as a mask in a folder alpha/ and write "
        "valid: alpha in dataset.yaml; else nothing.",
        pictures=names(clear),
        details=tuple(f"{one.image}: {shares[one.name]:.1%} can be seen through" for one in clear),
    )


checks.register("alpha")(Alpha())
