"""maskwright show MODEL."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console, percent


def show(
    model: Annotated[Path, typer.Argument(help="A model.safetensors.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Everything the file says, as JSON.")] = False,
) -> None:
    """Print what is in a model file: network, classes, data, scores, how it was made."""
    from maskwright import modelfile

    if json:
        print(modelfile.describe(model).to_json(), end="")
        return
    loaded = modelfile.load(model)
    d = loaded.description
    weights = sum(p.numel() for p in loaded.network.parameters())
    console.print(f"[bold]{model}[/], format {d.version}, written by Maskwright {d.maskwright}", soft_wrap=True)
    n = d.network
    console.print(
        f"network   U-Net, {weights:,} weights, widths {' '.join(map(str, n.level_widths))}, {n.block} blocks, "
        f"{n.norm} norm, {n.padding} padding, stem {n.stem}",
        soft_wrap=True,
    )
    p = d.preprocess
    size = f"resized to {p.size[0]}×{p.size[1]}" if p.size else f"at {p.scale:g} of their size"
    console.print(f"images    {p.channels} × {p.dtype}, {size}")
    for c in d.labels.classes:
        console.print(f"class     {c.name}: mask value {', '.join(map(str, c.values))}")
    if d.labels.ignored:
        console.print(f"ignored   mask value {', '.join(map(str, d.labels.ignored))}")
    for split, scores in d.scores.items():
        console.print(f"scores    {split}: mean IoU {percent(scores['mean_iou'])} on {scores['images']} images")
    for key, value in d.provenance.items():
        console.print(f"{key:9} {value}", soft_wrap=True)
    console.print("checked   the golden sample gives the logits it gave when the file was written")
