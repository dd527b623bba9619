"""The open list of checks, and what they find."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

from maskwright.data.survey import Survey
from maskwright.records import Record
from maskwright.registry import Registry

Severity = Literal["error", "warning", "note"]
"""error: training would be refused or would learn what is wrong; warning: the model may be worse, or its score not
what it seems; note: worth knowing.
"""
_WORST_FIRST = ("error", "warning", "note")


class Finding(Record):
    """One thing that is wrong with a data set, or looks so."""

    code: str
    """What kind of thing, in the words of the check: `unequal-sizes`."""
    severity: Severity
    title: str
    """One line with the count: "3 masks are not of their image's size"."""
    files: tuple[str, ...] = ()
    """All the files it is about, inside the data set; the first are shown as examples."""
    why: str
    """Why it hurts."""
    remedy: str
    """One line: what to do, the option or the line of dataset.yaml to write."""
    fix: dict[str, Any] | None = None
    """What `inspect --fix` would put into dataset.yaml, e.g. {"skip": ["img_07"]}; None where a person must decide."""
    pictures: tuple[str, ...] = ()
    """Names of samples to show for it."""
    details: tuple[str, ...] = ()
    """Lines of numbers, one for each of the first files or for the whole."""


class Check(Protocol):
    """Looks at a survey and tells what it finds."""

    quick: bool
    """Whether it needs nothing but the survey; others open files again and are left out before a training."""

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """What is found; nothing where all is well."""


checks: Registry[Check] = Registry("check", "maskwright.data.doctor")


def diagnose(
    survey: Survey, *, deep: bool = True, progress: Callable[[int, int], None] | None = None
) -> tuple[Finding, ...]:
    """All that the checks find, worst first, then what asks for something, then what most files have.

    deep: also the checks that open files again.
    progress: told how many checks of how many are done.
    """
    wanted = [check for _, check in checks.items() if deep or check.quick]
    found: list[Finding] = []
    for done, check in enumerate(wanted, start=1):
        found += check(survey)
        if progress:
            progress(done, len(wanted))
    return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[int, bool, int]:
    """Of equals those first that ask for something, though what asks for nothing is often true of all files."""
    idle = finding.remedy.startswith("Nothing")
    return _WORST_FIRST.index(finding.severity), idle, -len(finding.files)
