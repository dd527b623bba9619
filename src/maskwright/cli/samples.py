"""maskwright samples FOLDER."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console


def samples(
    folder: Annotated[Path, typer.Argument(help="Where to paint them.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Other seeds paint other pictures.")] = 0,
) -> None:
    """Paint the demo data: 64 microscopy-like pictures of cells with masks, 16 of them for the test."""
    from maskwright.data.samples import write_samples

    console.print(f"demo data: {write_samples(folder, seed=seed)}", soft_wrap=True)
