"""A source for images that several people have drawn: each pixel is what most of them say. H W the picture, A the
people.
"""

from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from maskwright.data.sources.registry import Place, sources
from maskwright.errors import DataError
from maskwright.files import Mask, MaskStyle, read_mask

TIE: Final = 65534
"""The value of pixels on which no one value has the most votes; among colours, `TIE_IN_COLOUR`. They count nowhere."""
TIE_IN_COLOUR: Final = 1 << 24


@sources.register("votes")
class Votes:
    """A mask file an annotator, of one size and of the same values."""

    tells_objects: ClassVar[bool] = False
    paged: ClassVar[bool] = True

    @staticmethod
    def read(place: Place) -> Mask:
        """The value that most annotators give each pixel, `TIE` where several values have as many votes."""
        masks = _read(place, colour=place.colour)
        if len({mask.style.mode == "colour" for mask in masks}) > 1:
            masks = _read(place, colour=True)  # one that happens to be all grey
        first = masks[0]
        in_colour = first.style.mode == "colour"
        values_HW = vote([mask.values for mask in masks], TIE_IN_COLOUR if in_colour else TIE)
        deepest = next((mask.style for mask in masks if mask.style.dtype == "uint16"), first.style)
        return Mask(values_HW, MaskStyle(**deepest.model_dump()), first.orientation)

    @staticmethod
    def objects(place: Place) -> None:
        """Nothing: a value stands for a class, not for an object."""

    @staticmethod
    def files(place: Place) -> list[Path]:
        """The file of each annotator."""
        return list(place.parts.values())


def vote(masks: list[NDArray[np.generic]], tie: int) -> NDArray[np.int32]:
    """The commonest value of each pixel, H W, `tie` where two or more are as common as any.

    masks: H W each, of one size.
    """
    votes_AHW = np.stack([values_HW.astype(np.int32) for values_HW in masks])
    best_HW = np.zeros(votes_AHW.shape[1:], np.int32)
    winner_HW = np.full(votes_AHW.shape[1:], tie, np.int32)
    for value in np.unique(votes_AHW).tolist():
        count_HW = (votes_AHW == value).sum(axis=0, dtype=np.int32)
        winner_HW = np.where(count_HW > best_HW, value, np.where(count_HW == best_HW, tie, winner_HW))
        best_HW = np.maximum(best_HW, count_HW)
    return winner_HW.astype(np.int32)


def _read(place: Place, *, colour: bool) -> list[Mask]:
    masks: list[Mask] = []
    for path in place.parts.values():
        mask = read_mask(path, place.page, colour=colour)
        if masks and mask.values.shape != masks[0].values.shape:
            sizes = " and ".join("×".join(map(str, one.values.shape)) for one in (masks[0], mask))
            raise DataError(
                f"{path} and {next(iter(place.parts.values()))} of the same image are {sizes} (height × width); "
                "annotators' masks have one size. Crop or redraw one, or believe one annotator: annotators: NAME in "
                "dataset.yaml."
            )
        masks.append(mask)
    return masks
