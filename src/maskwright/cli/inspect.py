"""maskwright inspect DATA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.console import console, print_data, print_findings, watching
from maskwright.cli.options import Data, Fold, Folds, Groups, Skip, Test, Val

if TYPE_CHECKING:
    from maskwright.api import Diagnosis


def inspect(
    data: Data,
    test: Test = [],  # noqa: B006  # typer copies it
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    groups: Groups = None,
    folds: Folds = None,
    fold: Fold = None,
    page: Annotated[
        Path | None, typer.Option(help="Also write all of it, with pictures, to this HTML file.", show_default=False)
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Also write what was recognised, with its reasons, to this dataset.yaml (or into this folder): to be "
            "edited, and law from then on.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Also write the remedies that need no person to a new dataset.yaml in DATA.")
    ] = False,
    fix_to: Annotated[
        Path | None, typer.Option(help="The same, to this file; DATA stays as it is.", show_default=False)
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option(
            help="Also write a cleaned copy to this new folder: upright images, plain masks, a folder a part.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look at every file of a folder once: what was recognised, and what is wrong, worst first, with the remedy.

    Exit status 1 if a training would be refused or would learn what is wrong.
    """
    from maskwright import api

    with watching() as watch:
        parts = {"test": test, "val": val, "skip": skip, "groups": groups, "folds": folds, "fold": fold}
        found = api.diagnose(data, watch=watch, **parts)
    _print(found)
    if page is not None:
        console.print(f"\npage    {found.write_page(page)}", soft_wrap=True)
    if write is not None:
        console.print(f"\nwritten {found.write(write)}", soft_wrap=True)
    if fix or fix_to is not None:
        _fix(found, fix_to)
    if copy is not None:
        with watching() as watch:
            console.print(f"copy    {api.clean(found.samples, copy, watch=watch)}", soft_wrap=True)
    if found.errors:
        raise typer.Exit(1)


def _fix(found: "Diagnosis", fix_to: Path | None) -> None:
    """Write the remedies, and say what is left then."""
    from maskwright import api

    written, mended = found.write_fixed(fix_to)
    console.print(f"\nfixed   {written}", soft_wrap=True)
    for one in mended:
        console.print(f"        {one.title}", soft_wrap=True, markup=False)
    with watching() as watch:
        left = api.diagnose(written, watch=watch)
    if left.errors:
        count = f"{len(left.errors)} error{'' if len(left.errors) == 1 else 's'}"
        console.print(f"left    {count}; maskwright inspect {written}", soft_wrap=True)
    else:
        console.print(f"train   maskwright train {written}", soft_wrap=True)


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
