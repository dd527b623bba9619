"""Masks that are not of their image's size: a few pixels off, lying on their side, or scaled."""

from collections.abc import Iterator
from typing import Final

from maskwright.data.doctor.evidence import faulty, said, shown, skip_options
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.survey import Seen, Survey
from maskwright.errors import DataError
from maskwright.files.orientation import swaps_sides

Size = tuple[int, int]

NEARLY: Final = 2
"""Pixels: a mask that misses by so few was cut or rounded, not made for another image."""

_KINDS: Final = {
    "turned": (
        "image-turned-mask-not",
        "{} does not follow the EXIF rotation of its image",
        "{} do not follow the EXIF rotation of their images",
        "The camera notes how to hold the photograph and every viewer turns it; these masks lie as the sensor saw it.",
        "Turn the masks as the note says, or draw them on the upright image.",
    ),
    "transposed": (
        "transposed",
        "{} has height and width exchanged",
        "{} have height and width exchanged",
        "The mask lies on its side: rows were taken for columns, or the image was turned after the mask was drawn.",
        "Transpose or turn the masks, whichever fits the picture.",
    ),
    "off": (
        "off-by-one",
        "{} misses its image's size by a pixel or two",
        "{} miss their image's size by a pixel or two",
        "Something rounded or cut a border, and it is not known at which side: labels may lie a pixel off.",
        "Crop the larger of image and mask at the side where the other was cut.",
    ),
    "scaled": (
        "scaled",
        "{} is its image at another scale",
        "{} are their image at another scale",
        "No pixel of the mask belongs to one of the image.",
        "Use images of the masks' size, or resize the masks by nearest neighbour (never smoothly: that makes new "
        "values).",
    ),
    "other": (
        "unequal-sizes",
        "{} is not of its image's size",
        "{} are not of their image's size",
        "The mask is likely that of another image, or was cropped.",
        "Find the mask that belongs to the image, or crop and redraw it.",
    ),
}


class UnequalSizes:
    """A finding for each way in which masks miss their image's size."""

    quick = True
    tells = frozenset({"unequal-sizes"})

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """The pairs, by kind."""
        found: dict[str, list[tuple[Seen, DataError]]] = {}
        for one, error in faulty(survey, "unequal-sizes"):
            assert isinstance(error, DataError), "only these have a code"
            image, mask = error.facts["image"], error.facts["mask"]
            found.setdefault(_kind(image, mask, error.facts.get("orientation", 1)), []).append((one, error))
        for kind in _KINDS:
            if kind in found:
                yield _finding(survey, kind, found[kind])


def _kind(image: Size, mask: Size, orientation: int) -> str:
    if mask == image[::-1]:
        return "turned" if swaps_sides(orientation) else "transposed"
    if all(abs(a - b) <= NEARLY for a, b in zip(image, mask, strict=True)):
        return "off"
    return "scaled" if _factor(image, mask) else "other"


def _factor(image: Size, mask: Size) -> float | None:
    """How many times the mask is as large, if it is so in both directions, to a pixel of the smaller one."""
    rows, columns = (b / a for a, b in zip(image, mask, strict=True))
    slack = sum(max(1 / a, 1 / b) for a, b in zip(image, mask, strict=True))
    mean = (rows * columns) ** 0.5
    return mean if abs(rows / columns - 1) <= slack and min(*image, *mask) > 4 else None


def _finding(survey: Survey, kind: str, pairs: list[tuple[Seen, DataError]]) -> Finding:
    code, single, several, why, remedy = _KINDS[kind]
    files = tuple(dict.fromkeys(shown(one.entry.shown[0], survey) for one, _ in pairs))
    return Finding(
        code=code,
        severity="error",
        title=(single if len(pairs) == 1 else several).format(said(len(pairs), "mask")),
        files=files,
        why=f"{why} Training is refused.",
        remedy=f"{remedy} Or leave the pairs out: {skip_options(files)}",
        details=tuple(_line(survey, one, error) for one, error in pairs),
    )


def _line(survey: Survey, one: Seen, error: DataError) -> str:
    image, mask = error.facts["image"], error.facts["mask"]
    factor = _factor(image, mask)
    times = f", {factor:.3g} times" if factor and mask != image[::-1] and abs(factor - 1) > 0.02 else ""
    turned = f", EXIF orientation {o}" if (o := error.facts.get("orientation", 1)) > 1 else ""
    path = shown(one.entry.shown[-1], survey)
    return f"{path}: {mask[0]}×{mask[1]}, its image {image[0]}×{image[1]} (height × width){times}{turned}"


checks.register("unequal_sizes")(UnequalSizes())
