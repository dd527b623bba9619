"""maskwright plan DATA."""

from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import console, print_inspection, print_plan, watching
from maskwright.cli.options import (
    Data,
    Device,
    Epochs,
    Fold,
    Folds,
    Groups,
    Minutes,
    Recipe,
    Settings,
    Skip,
    Test,
    Val,
    settings_of,
)
from maskwright.errors import SettingError


def plan(
    data: Data,
    settings: Settings = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    test: Test = [],  # noqa: B006  # typer copies it
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    groups: Groups = None,
    folds: Folds = None,
    fold: Fold = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the plan to this .yaml file, to edit and follow.", show_default=False)
    ] = None,
    device: Device = "auto",
    recipe: Recipe = None,
) -> None:
    """Decide a plan without training: every setting with its reason."""
    wishes = settings_of(settings)
    if out is not None and out.exists():
        raise SettingError(f"{out} is there already, perhaps edited. Give another --out, or remove it first.")
    from maskwright import api

    with watching() as watch:
        parts = {"test": test, "val": val, "skip": skip, "groups": groups, "folds": folds, "fold": fold}
        seen = api.look(data, recipe, watch=watch, **parts)
    decided = api.plan(seen, minutes=minutes, epochs=epochs, device=device, settings=wishes, recipe=recipe)
    print_inspection(seen)
    print_plan(decided)
    if out is not None:
        console.print(
            f"plan: {decided.save(out)}. Follow it with: maskwright train {data} --plan {out}", soft_wrap=True
        )
