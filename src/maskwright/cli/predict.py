"""maskwright predict MODEL INPUT... --out DIR."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console, errors
from maskwright.cli.options import Device


def predict(
    model: Annotated[Path, typer.Argument(help="The model.safetensors of a run.", show_default=False)],
    inputs: Annotated[list[str], typer.Argument(help="Images, folders of images, or patterns.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the masks.", show_default=False)],
    others: Annotated[
        list[Path],
        typer.Option(
            "--with",
            help="Another model, whose probabilities are averaged with MODEL's; repeatable.",
            show_default=False,
        ),
    ] = [],  # noqa: B006  # typer copies it
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write STEM.overlay.png, the mask over the image.")
    ] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write STEM.probabilities.npy, K H W float32.")
    ] = False,
    runs: Annotated[
        Path | None,
        typer.Option(help="Also write this CSV of the foreground as run lengths, for contests.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over masks that are there already.")] = False,
    device: Device = "auto",
) -> None:
    """Write a mask for each image: OUT/STEM.png, in its own size and with the values of the training masks."""
    from maskwright import api

    written = failed = 0
    options = {"overlays": overlay, "probabilities": probabilities, "overwrite": overwrite}
    for result in api.predict_files([model, *others], inputs, out, runs=runs, device=device, **options):
        if result.error is not None:
            failed += 1
            errors.print(f"[red]{result.image}:[/] {result.error}", soft_wrap=True)
        else:
            written += 1
            console.print(f"{result.image} → {result.mask}", soft_wrap=True)
    console.print(f"{written} masks in {out}" + (f"; {failed} images failed" if failed else ""), soft_wrap=True)
    if runs is not None:
        console.print(f"run lengths of {written} images in {runs}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)
