"""maskwright export MODEL --to onnx."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console, errors, watching
from maskwright.cli.options import A_MODEL, Flips, Scales, Turns, settings_of, views_of


def export(
    model: Annotated[str | None, typer.Argument(help=f"The model: {A_MODEL}.", show_default=False)] = None,
    to: Annotated[str, typer.Option(help="What to write; --list tells what there is.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="The file; default: beside the model, named as it is.", show_default=False)
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of labelled images to compare on; default: the run's own.", show_default=False),
    ] = None,
    images: Annotated[int, typer.Option(help="Validation images to compare on.", min=0)] = 16,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest difference of a probability, 0.001; with --int8 the mean IoU that may be lost, 0.005.",
            show_default=False,
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Compute in 8-bit integers, fitted to training images.")] = False,
    flips: Flips = None,
    turns: Turns = None,
    scales: Scales = None,
    said: Annotated[
        list[str] | None,
        typer.Option(
            "--say", help="KEY=TEXT that only you know, e.g. author='Ada Lovelace'; repeatable.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over a file that is there already.")] = False,
    every: Annotated[bool, typer.Option("--list", help="List what can be written, and end.")] = False,
) -> None:
    """Write a model for other programs, and certify it: it is run beside PyTorch, and kept only if it says the same.

    Exit status 1: it did not.
    """
    from maskwright import api
    from maskwright.errors import ExportError, SettingError

    if every:
        _list()
        return
    if model is None:
        raise SettingError("Say which model to export: maskwright export runs/…/model.safetensors --to onnx")
    try:
        with watching() as watch:
            certificate = api.export(
                model,
                to,
                out,
                data=data,
                images=images,
                tolerance=tolerance,
                int8=int8,
                views=views_of(flips, turns, scales),
                said=settings_of(said),
                overwrite=overwrite,
                watch=watch,
            )
    except ExportError as error:
        errors.print(f"[red]{error}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    for name, text in certificate.lines().items():
        console.print(f"{name + ':':26}{text}", soft_wrap=True, markup=False, highlight=False)
    place = Path(out or model).parent
    console.print(f"{place / certificate.file}, beside it {certificate.file}.certificate.md and .json", soft_wrap=True)


def _list() -> None:
    from rich.table import Table

    from maskwright.exports import exports

    table = Table(title="exports", title_justify="left")
    for column in ("--to", "what it is", "needs"):
        table.add_column(column, overflow="fold")
    for name, part in exports.items():
        extras = dict.fromkeys(part.packages.values())
        table.add_row(name, part.about, ", ".join(f"maskwright[{extra}]" for extra in extras).replace("[", "\\["))
    console.print(table)
