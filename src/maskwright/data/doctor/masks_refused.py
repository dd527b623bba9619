"""Masks whose values are no classes: what a training is refused for, with every file it is about."""

from collections.abc import Iterator
from typing import Any, Final

from maskwright.data.classes import PALETTES
from maskwright.data.doctor.label_evidence import SHOWN, counted, faults_of, first, masks
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.labels import STRANGE
from maskwright.data.survey import Survey
from maskwright.data.values import MANY, UNMATCHED
from maskwright.errors import DataError

_FEW: Final = 1e-3
"""Of all pixels: so many slips are left out without losing anything."""


class RefusedMasks:
    """Values that are no class, pictures in the place of masks, and palettes and tables that fit nothing."""

    quick = True
    tells = frozenset({STRANGE, MANY, PALETTES, UNMATCHED})

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """A finding for each such fault of the survey."""
        names = {sample.mask_shown: sample for sample, _ in masks(survey)}
        for code, look in ((STRANGE, _strange), (MANY, _pictures), (PALETTES, _palettes), (UNMATCHED, _unmatched)):
            for fault in faults_of(survey, code):
                known = [names[file].name for file in fault.files if file in names]
                found = look(survey, fault)
                yield Finding(
                    code=code, severity="error", files=fault.files, remedy=str(fault), pictures=tuple(known[:SHOWN]),
                    **found,
                )  # fmt: skip


def _strange(survey: Survey, fault: DataError) -> dict[str, Any]:
    odd: dict[str, dict[int, int]] = fault.facts.get("strange", {})
    values = sorted({value for of_file in odd.values() for value in of_file})
    pixels = sum(sum(of_file.values()) for of_file in odd.values())
    total = sum(sum(stored.values.values()) for _, stored in masks(survey))
    colour = any(sample.values and max(sample.values) > 65535 for sample, _ in masks(survey))
    shown = [f"#{value:06x}" if colour else str(value) for value in values]
    fix = {"ignore": shown if colour else values} if pixels <= _FEW * total and len(values) <= 8 else None
    return {
        "title": f"{counted(len(odd), 'mask has', 'masks have')} pixels of a value that is no class: {first(shown, 6)}",
        "why": "Nobody says what these pixels show, so nothing can be learned from them.",
        "fix": fix,
        "details": tuple(
            f"{file}: {counted(sum(of_file.values()), 'pixel')}" for file, of_file in list(odd.items())[:SHOWN]
        ),
    }


def _pictures(survey: Survey, fault: DataError) -> dict[str, Any]:
    files, all_ = fault.files, masks(survey)
    few = len(files) <= len(all_) / 4
    return {
        "title": f"{counted(len(files), 'mask looks', 'masks look')} like a picture, not like labels",
        "why": "A mask has one value a class; these have many, so no value means anything.",
        "fix": {"skip": list(files)} if few else None,
    }


def _palettes(survey: Survey, fault: DataError) -> dict[str, Any]:
    return {
        "title": f"The palettes of {counted(len(fault.files), 'mask')} differ from file to file",
        "why": "One number is one colour here and another there: whether the number or the colour means the class "
        "is not ours to guess.",
    }


def _unmatched(survey: Survey, fault: DataError) -> dict[str, Any]:
    return {
        "title": f"{first(fault.files)} names colours of which no mask has any",
        "why": "Every pixel would be of no class.",
    }


checks.register("masks-refused")(RefusedMasks())
