"""maskwright pull OWNER/NAME --out DIR."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console


def pull(
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the model and its card.", show_default=False)],
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit; default: the newest.", show_default=False)
    ] = None,
) -> None:
    """Get a model from the Hugging Face Hub, and check it."""
    from maskwright import api

    console.print(f"model   {api.pull(repo, out, revision=revision)}", soft_wrap=True)
