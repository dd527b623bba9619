"""What a training would be refused for, as the survey found it."""

from collections.abc import Iterator

from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.fingerprint import fingerprint
from maskwright.data.survey import Survey
from maskwright.errors import DataError


class Faults:
    """A finding for each fault of the survey that no other check tells in better words."""

    quick = True

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """The faults, one by one."""
        for fault in (*survey.faults, *_mixed(survey)):
            files = fault.files if isinstance(fault, DataError) else ()
            code = (fault.code if isinstance(fault, DataError) else "") or "refused"
            text = str(fault)
            yield Finding(
                code=code,
                severity="error",
                title=text.split(". ")[0] + ".",
                files=files,
                why="Training is refused.",
                remedy=text,
            )


def _mixed(survey: Survey) -> list[DataError]:
    """What cannot be trained on together, though each sample is sound."""
    if survey.samples is None:
        return []
    try:
        fingerprint(survey.samples)
    except DataError as error:
        return [error]
    return []


checks.register("faults")(Faults())
