"""Files that do not open, or are cut short."""

from collections.abc import Iterator

from maskwright.data.doctor.evidence import code_of, faulty, said, shown, skip_options
from maskwright.data.doctor.registry import Finding, checks
from maskwright.data.survey import Seen, Survey
from maskwright.errors import MaskwrightError
from maskwright.files import files_in


class Unreadable:
    """One finding for all files that do not open: missing, empty, damaged, cut short or of a kind nobody knows."""

    quick = True
    tells = frozenset({"unreadable"})

    def __call__(self, survey: Survey) -> Iterator[Finding]:
        """The files, and what each one is."""
        broken = faulty(survey, "unreadable")
        of_entries = {str(error) for _, error in broken}
        # A stack that does not open has no entry: nobody knows its pages.
        others = [f for f in survey.faults if code_of(f) == "unreadable" and str(f) not in of_entries]
        if not broken and not others:
            return
        files = tuple(dict.fromkeys(_file(survey, one, error) for one, error in broken))
        count = len(files) + len(others)
        skip = list(dict.fromkeys(shown(one.entry.shown[0], survey) for one, _ in broken))
        yield Finding(
            code="unreadable",
            severity="error",
            title=f"{said(count, 'file does', 'files do')} not open",
            files=files,
            why="There is nothing to learn from a file that cannot be read, and training stops at the first one.",
            remedy=f"Copy, download or export them again, or leave them out: "
            f"{skip_options(skip, fixed=not others) if skip else '--skip NAME'}",
            fix={"skip": skip} if skip and not others else None,
            details=tuple(dict.fromkeys(str(error) for error in (*(e for _, e in broken), *others))),
        )


def _file(survey: Survey, one: Seen, error: MaskwrightError) -> str:
    """Which file of the entry the error speaks of: its text begins with the path."""
    entry = one.entry
    paths = [entry.image, *entry.bands, *entry.parts.values()]
    paths += [path for path in (entry.mask, entry.valid) if path]
    if entry.mask and entry.mask.is_dir():
        paths += files_in(entry.mask)
    meant = [path for path in paths if str(error).startswith(str(path))]
    return shown(max(meant, key=lambda path: len(str(path)), default=entry.image), survey)


checks.register("unreadable")(Unreadable())
