"""maskwright push MODEL OWNER/NAME."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console
from maskwright.cli.options import ModelFile, settings_of


def push(
    model: ModelFile,
    repo: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub.", show_default=False)],
    said: Annotated[
        list[str] | None,
        typer.Option(
            "--say",
            help="KEY=TEXT for the card: author, description, licence, tags, use; repeatable.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="The run's report too, which shows some of the images.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="A new repository is seen by you alone.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Only write the folder, to look at; nothing is sent.", show_default=False),
    ] = None,
) -> None:
    """Put a model with its card on the Hugging Face Hub; log in first, with `hf auth login`."""
    from maskwright import api

    if folder is not None:
        name = repo.partition("/")[2]
        console.print(f"folder  {api.hub_folder(model, folder, name=name, said=settings_of(said), report=report)}")
        return
    address = api.push(model, repo, said=settings_of(said), report=report, private=private)
    console.print(f"model   {address}", soft_wrap=True)
