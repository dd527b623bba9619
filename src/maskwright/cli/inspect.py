"""maskwright inspect DATA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.console import console, print_data, print_findings, watching
from maskwright.cli.options import Data, Skip, Test, Val

if TYPE_CHECKING:
    from maskwright.api import Diagnosis


def inspect(
    data: Data,
    test: Test = [],  # noqa: B006  # typer copies it
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    page: Annotated[
        Path | None, typer.Option(help="Also write all of it, with pictures, to this HTML file.", show_default=False)
    ] = None,
) -> None:
    """Look at every file of a folder once: what was recognised, and what is wrong, worst first, with the remedy.

    Exit status 1 if a training would be refused or would learn what is wrong.
    """
    from maskwright import api

    with watching() as watch:
        found = api.diagnose(data, test=test, val=val, skip=skip, watch=watch)
    _print(found)
    if page is not None:
        console.print(f"\npage    {found.write_page(page)}", soft_wrap=True)
    if found.errors:
        raise typer.Exit(1)


def _print(found: "Diagnosis") -> None:
    survey = found.survey
    if survey.samples is not None and found.fingerprint is not None:
        print_data(survey.samples, found.fingerprint)
    else:
        console.print(f"[bold]{survey.root}[/]: {len(survey.seen)} images; {survey.pairs.reason}", soft_wrap=True)
    print_findings(found.findings)
    times = {level: sum(f.severity == level for f in found.findings) for level in ("error", "warning", "note")}
    told = ", ".join(f"{n} {level}{'' if n == 1 else 's'}" for level, n in times.items() if n)
    console.print(f"\n{told or 'nothing odd was found'}")
