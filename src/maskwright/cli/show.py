"""maskwright show MODEL."""

from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.console import console, percent
from maskwright.cli.options import ModelFile

if TYPE_CHECKING:
    from maskwright.modelfile import Description, Model


def show(
    model: ModelFile,
    json: Annotated[bool, typer.Option("--json", help="Everything the file says, as JSON.")] = False,
) -> None:
    """Print what is in a model file: network, classes, data, scores, how it was made."""
    from maskwright import modelfile
    from maskwright.inference import ensemble

    if json:
        print(modelfile.describe(model).to_json(), end="")
        return
    found = ensemble.load(model)
    d = found.description
    console.print(f"[bold]{model}[/], format {d.version}, written by Maskwright {d.maskwright}", soft_wrap=True)
    several = len(found.members) > 1
    if several:
        console.print(f"ensemble  of {len(found.members)} models: the mean of their probabilities decides")
    for n, member in enumerate(found.members):
        if several:
            console.print(f"[bold]member {n}[/]")
        _print_network(member)
    for c in d.labels.classes:
        console.print(f"class     {c.name}: mask value {', '.join(map(str, c.values))}")
    if d.labels.ignored:
        console.print(f"ignored   mask value {', '.join(map(str, d.labels.ignored))}")
    if d.labels.objects is not None:
        console.print(f"objects   taken apart by a class of their own: {d.labels.objects.name}", soft_wrap=True)
    _print_scores(d)
    for key, value in d.provenance.items():
        console.print(f"{key:9} {value}", soft_wrap=True)
    what = (
        "the golden samples of the members and of the ensemble give what they"
        if several
        else ("the golden sample gives the logits it")
    )
    console.print(f"checked   {what} gave when the file was written")


def _print_network(member: "Model") -> None:
    """Network and images of one model."""
    n, p = member.description.network, member.description.preprocess
    weights = sum(weight.numel() for weight in member.network.parameters())
    console.print(
        f"network   U-Net, {weights:,} weights, widths {' '.join(map(str, n.level_widths))}, {n.block} blocks, "
        f"{n.norm} norm, {n.padding} padding, stem {n.stem}",
        soft_wrap=True,
    )
    size = f"resized to {p.size[0]}×{p.size[1]}" if p.size else f"at {p.scale:g} of their size"
    console.print(f"images    {p.channels} × {p.dtype}, {size}")


def _print_scores(d: "Description") -> None:
    for of, one in [("", d), *((f"member {n}, ", member) for n, member in enumerate(d.members))]:
        for split, scores in one.scores.items():
            console.print(f"scores    {of}{split}: mean IoU {percent(scores['mean_iou'])} on {scores['images']} images")
