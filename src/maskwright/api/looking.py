"""Looking at a folder: what is in it, what is wrong with it, and a plain copy."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright import recipes
from maskwright.data import doctor
from maskwright.data.cleaning import write_clean
from maskwright.data.doctor import Finding
from maskwright.data.fingerprint import Fingerprint, fingerprint
from maskwright.data.sample import Samples
from maskwright.data.survey import Asked, survey
from maskwright.devices import cores
from maskwright.errors import DataError
from maskwright.evaluation.diagnosis import Diagnosis
from maskwright.recipes import Recipe

Watch = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much of it is done."""


@dataclass(frozen=True)
class Inspection:
    """What a training starts from: the samples, their fingerprint, and what the quick part of the doctor warns of."""

    samples: Samples
    fingerprint: Fingerprint
    findings: tuple[Finding, ...] = ()


def inspect(data: str | Path, *, watch: Watch | None = None, **asked: Any) -> Inspection:
    """The samples of a folder and its fingerprint: every file is opened once, and what does not fit is an error.

    asked: what is wanted of the data besides what its `dataset.yaml` says, by the names of `data.survey.Asked`: test,
    val, skip (names or patterns of images, e.g. `2[4-9].png`), share, stratify …

    Raises:
        DataError, ReadError: names the file, what was expected and what to do.
    """
    seen = survey(data, Asked(**asked), workers=cores(), progress=telling(watch, "reading"), strict=True)
    assert seen.samples is not None, "a strict survey raises what is wrong"
    findings = doctor.diagnose(seen, deep=False)
    if wrong := [finding for finding in findings if finding.severity == "error"]:
        more = f" And {len(wrong) - 1} more: maskwright inspect {data} tells all." if len(wrong) > 1 else ""
        raise DataError(f"{wrong[0].title}. {wrong[0].why} {wrong[0].remedy}{more}", code=wrong[0].code)
    return Inspection(seen.samples, fingerprint(seen.samples), findings)


def diagnose(data: str | Path, *, watch: Watch | None = None, **asked: Any) -> Diagnosis:
    """Everything that is wrong with a folder, or looks so, worst first; each with its remedy.

    asked: as for `inspect`.

    Raises:
        DataError: there is nothing in the folder that could be looked at.
    """
    seen = survey(data, Asked(**asked), workers=cores(), progress=telling(watch, "reading"))
    findings = doctor.diagnose(seen, progress=telling(watch, "examining"))
    healthy = all(finding.severity != "error" for finding in findings)
    measured = fingerprint(seen.samples) if seen.samples is not None and healthy else None
    return Diagnosis(seen, findings, measured)


def clean(samples: Samples, out: str | Path, *, watch: Watch | None = None) -> Path:
    """Write the samples anew, in the plainest form: upright images, masks of labels, a folder a part. Returns the
    `dataset.yaml` of the copy.

    Raises:
        DataError: `out` is there already and not empty, or lies inside the data.
    """
    return write_clean(samples, out, workers=cores(), progress=telling(watch, "writing"))


def look(data: str | Path | Inspection, recipe: str | Path | Recipe | None = None, **options: Any) -> Inspection:
    """The folder, inspected, in the parts that a recipe asks for, unless others are."""
    if isinstance(data, Inspection):
        return data
    followed = recipes.recipe(recipe) if recipe else None
    asked = {name: value for name, value in options.items() if value or (name == "fold" and value is not None)}
    said = followed.parts.model_dump() if followed else {}
    if asked.get("folds"):
        said |= {"share": None, "val": ()}  # folds that are asked for say what validates
    return inspect(data, **{**said, **asked})


def telling(watch: Watch | None, what: str) -> Callable[[int, int], None] | None:
    """What tells a watch of one thing that is being done."""
    return None if watch is None else lambda done, total: watch(what, done, total)
