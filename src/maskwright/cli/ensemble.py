"""maskwright ensemble MODEL MODEL... --out FILE."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console
from maskwright.cli.options import A_MODEL


def ensemble(
    models: Annotated[list[str], typer.Argument(help=f"Two or more, each {A_MODEL}.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The model file to write.", show_default=False)],
) -> None:
    """Write several models as one file, whose prediction is the mean of their probabilities."""
    from maskwright import api

    console.print(f"model   {api.ensemble(models, out)}", soft_wrap=True)
