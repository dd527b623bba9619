"""maskwright train DATA --overfit-one-batch: whether the network can learn a single batch by heart."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape

from maskwright.cli.console import console, percent, print_inspection, print_plan, watching

if TYPE_CHECKING:
    from maskwright.api import Inspection
    from maskwright.plan import Plan
    from maskwright.training.one_batch import OneBatch


def overfit_one_batch(data: Path, options: Mapping[str, Any]) -> None:
    """Run the test and print it. Exit status 1: the batch is not learnt.

    options: as `api.train` takes them.
    """
    from maskwright import api

    pictures = []

    def planned(seen: "Inspection", plan: "Plan", picture: Path) -> None:
        pictures.append(picture)
        print_inspection(seen)
        print_plan(plan)

    with watching() as watch:
        found = api.overfit_one_batch(data, watch=watch, planned=planned, **options)
    print_one_batch(found)
    console.print(f"picture {pictures[0]}: image, true mask, prediction", soft_wrap=True)
    if not found.learnt:
        raise typer.Exit(1)


def print_one_batch(found: "OneBatch") -> None:
    """Verdict, loss, accuracy and the IoU of each class."""
    colour, word = ("green", "learnt") if found.learnt else ("bold red", "not learnt")
    console.print(f"[{colour}]{word}[/]: {escape(found.verdict)}", soft_wrap=True)
    if found.remedy:
        console.print(f"  [bold]→[/] {escape(found.remedy)}", soft_wrap=True)
    each = ", ".join(f"{name} {'not shown' if value is None else percent(value)}" for name, value in found.iou.items())
    console.print(
        f"loss {found.losses[0]:.4f} → {found.losses[-1]:.4f} in {found.steps} steps, accuracy "
        f"{percent(found.accuracy)}, mean IoU {percent(found.mean_iou)} ({escape(each)})",
        soft_wrap=True,
    )
