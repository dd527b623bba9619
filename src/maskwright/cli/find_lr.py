"""maskwright train DATA --find-lr: what a range test found, and the command that trains with it."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from maskwright.cli.console import console, print_inspection, print_plan, watching

if TYPE_CHECKING:
    from maskwright.api import Inspection
    from maskwright.plan import Plan
    from maskwright.training.range_test import RangeTest

ROWS = 12
"""About so many rates are printed; the picture has them all."""


def find_lr(data: Path, options: Mapping[str, Any], words: list[str]) -> None:
    """Run the range test and print it.

    options: as `api.train` takes them. words: the same as they are written on a command line.
    """
    from maskwright import api

    folders = []

    def planned(seen: "Inspection", plan: "Plan", folder: Path) -> None:
        folders.append(folder)
        print_inspection(seen)
        print_plan(plan)

    with watching() as watch:
        found = api.find_lr(data, watch=watch, planned=planned, **options)
    print_range(found)
    if found.suggestion is not None:
        ready = shlex.join(["maskwright", "train", str(data), *suggested(words, found.settings)])
        console.print(f"suggested learning rate: [bold]{found.suggestion:.3g}[/]. Train with it:")
        console.print(f"  {ready}", soft_wrap=True, markup=False)
    else:
        console.print(
            "[yellow]The loss fell nowhere[/]: look at the labels (maskwright inspect) and at the loss first."
        )
    console.print(f"picture {folders[0] / 'lr-range.png'}", soft_wrap=True)


def print_range(found: "RangeTest") -> None:
    """A few rates with their losses, those that matter named."""
    count = len(found.rates)
    marks = {
        min(range(count), key=lambda i: abs(found.rates[i] - rate)): name
        for rate, name in ((found.lowest, "lowest"), (found.steepest, "steepest fall"), (found.suggestion, "suggested"))
        if rate is not None
    }
    table = Table(title=f"learning rates: {count} steps", title_justify="left")
    for name in ("rate", "loss", "smoothed"):
        table.add_column(name, justify="right")
    table.add_column("")
    for i in sorted({*range(0, count, max(1, count // ROWS)), *marks}):
        numbers = f"{found.rates[i]:.2e}", f"{found.losses[i]:.4f}", f"{found.smoothed[i]:.4f}"
        table.add_row(*numbers, marks.get(i, ""))
    console.print(table)
    if found.diverged_at is not None:
        console.print(f"The loss diverged at a rate of {found.diverged_at:.2g}; the test ended there.")


def suggested(words: list[str], settings: Mapping[str, float]) -> list[str]:
    """The words of the command with the suggested settings in place of those that named the same."""
    kept = [word for word in words if not any(_means(word.partition("=")[0], key) for key in settings)]
    return [*kept, *(f"{key}={value:g}" for key, value in settings.items())]


def _means(key: str, known: str) -> bool:
    """Whether a key, in its short form or with its whole way, is the known one."""
    return key == known or key.endswith(f".{known}") or known.endswith(f".{key}")
