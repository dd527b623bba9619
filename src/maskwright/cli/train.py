"""maskwright train DATA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskwright.cli.console import (
    console,
    duration,
    print_inspection,
    print_plan,
    print_scores,
    training_progress,
    watching,
)
from maskwright.cli.options import Device, Epochs, Minutes, Recipe, Settings, Skip, Test, Val, settings_of
from maskwright.errors import SettingError

if TYPE_CHECKING:
    from maskwright.api import Inspection, Run
    from maskwright.plan import Plan


def train(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of images and masks, or a dataset.yaml.", show_default=False)
    ] = None,
    settings: Settings = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the run; default: a new one under runs/.", show_default=False)
    ] = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    test: Test = [],  # noqa: B006  # typer copies it
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    plan: Annotated[
        Path | None, typer.Option(help="Follow this plan.yaml instead of deciding one.", show_default=False)
    ] = None,
    recipe: Recipe = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.", show_default=False)] = None,
) -> None:
    """Train a model: the data are looked at, a plan is made, and the run's folder gets model and report.

    Every value of the plan can be set: maskwright train DATA model.depth=3 optimizer.lr=1e-3
    """
    if (data is None) == (resume is None):
        raise SettingError("Give a folder of images and masks, or --resume RUN to go on with a run.")
    if plan is not None and recipe is not None:
        raise SettingError("Give --plan or --recipe, not both: each says everything.")
    wishes = settings_of(settings)
    from maskwright import api
    from maskwright.plan import Plan as PlanRecord

    with watching() as watch:
        common = {"callbacks": [training_progress()], "watch": watch, "planned": show}
        if resume is not None:
            run = api.resume(resume, **common)  # type: ignore[arg-type]
        else:
            assert data is not None
            run = api.train(
                data,
                out=out,
                minutes=minutes,
                epochs=epochs,
                device=device,
                seed=seed,
                settings=wishes,
                plan=PlanRecord.load(plan) if plan else None,
                recipe=recipe,
                test=test,
                val=val,
                skip=skip,
                **common,  # type: ignore[arg-type]
            )
    _tell(run)


def show(seen: "Inspection", plan: "Plan", folder: Path) -> None:
    """Print what was found and decided, before training begins."""
    print_inspection(seen)
    print_plan(plan)
    console.print(f"run folder: {folder}", soft_wrap=True)


def _tell(run: "Run") -> None:
    if run.scores is not None:
        print_scores(run.scores)
    console.print(f"{run.outcome.steps} steps in {duration(run.outcome.seconds)}")
    console.print(f"model   {run.model}\nreport  {run.report}", soft_wrap=True)
    if not run.outcome.finished:
        console.print(f"Stopped early. Go on with: maskwright train --resume {run.folder}", soft_wrap=True)
