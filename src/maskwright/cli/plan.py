"""maskwright plan DATA."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maskwright.cli.console import console, print_inspection, print_plan, watching
from maskwright.cli.options import (
    Data,
    Device,
    Epochs,
    Fold,
    Folds,
    Groups,
    Memory,
    Minutes,
    Objects,
    Recipe,
    Settings,
    Skip,
    Test,
    Val,
    settings_of,
    with_objects,
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
    memory: Memory = None,
    target: Annotated[
        Literal["cpu", "gpu"] | None,
        typer.Option(
            help="Plan for this kind of device, which may be elsewhere: costs are then estimated.", show_default=False
        ),
    ] = None,
    recipe: Recipe = None,
    objects: Objects = None,
) -> None:
    """Decide a plan without training: every setting with its reason."""
    wishes = settings_of(with_objects(settings, objects))
    if out is not None and out.exists():
        raise SettingError(f"{out} is there already, perhaps edited. Give another --out, or remove it first.")
    if target is not None and device != "auto":
        raise SettingError("Give --device or --target, not both: a device is here, a target may be elsewhere.")
    from maskwright import api
    from maskwright.devices import elsewhere

    with watching() as watch:
        parts = {"test": test, "val": val, "skip": skip, "groups": groups, "folds": folds, "fold": fold}
        seen = api.look(data, recipe, watch=watch, **parts)
    decided = api.plan(
        seen, minutes=minutes, epochs=epochs, memory=memory, device=elsewhere(target) if target else device,
        settings=wishes, recipe=recipe,
    )  # fmt: skip
    print_inspection(seen)
    print_plan(decided)
    if out is not None:
        console.print(
            f"plan: {decided.save(out)}. Follow it with: maskwright train {data} --plan {out}", soft_wrap=True
        )
