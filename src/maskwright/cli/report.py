"""maskwright report RUN."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console


def report(run: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)]) -> None:
    """Write the report of a run anew, from what lies in its folder."""
    from maskwright.evaluation.report import write_report

    console.print(f"report  {write_report(run)}", soft_wrap=True)
