"""What a training would be refused for, where no other check tells it."""

from collections.abc import Iterator

from maskwright.data.doctor.evidence import code_of
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.fingerprint import kind_of_values
from maskwright.data.survey import Survey
from maskwright.errors import DataError, MaskwrightError


class Faults:
    """A finding for each fault of the survey whose kind no other check tells in better words.

    A check that does has a set `tells` of the kinds: `tells = frozenset({"unequal-sizes"})`.
    """

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """The faults, one by one."""
        told = frozenset[str]().union(*(getattr(check, "tells", ()) for _, check in checks.items()))
        for fault in (*survey.faults, *_mixed(survey)):
            if code_of(fault) not in told:
                yield _finding(fault)


def _finding(fault: MaskwrightError) -> Finding:
    text = str(fault)
    return Finding(
        code=code_of(fault),
        severity="error",
        title=text.split(". ")[0].rstrip("."),
        files=fault.files if isinstance(fault, DataError) else (),
        why="Training is refused.",
        remedy=text,
    )


def _mixed(survey: Survey) -> list[DataError]:
    """What cannot be trained on together, though each sample is sound."""
    if survey.samples is None:
        return []
    try:
        kind_of_values(survey.samples)
    except DataError as error:
        return [error]
    return []


checks.register("faults")(Faults())
