"""maskwright train DATA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from maskwright.cli.find_lr import find_lr as print_lr
from maskwright.cli.folds import is_cross_validation, resume_folds, train_folds
from maskwright.cli.one_batch import overfit_one_batch as print_one_batch
from maskwright.cli.options import (
    Device,
    Devices,
    Epochs,
    Fold,
    Folds,
    Groups,
    Memory,
    Minutes,
    Nodes,
    Objects,
    Recipe,
    Settings,
    Skip,
    Strategy,
    Test,
    Val,
    Workers,
    settings_of,
    with_objects,
)
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
    memory: Memory = None,
    test: Test = [],  # noqa: B006  # typer copies it
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    groups: Groups = None,
    folds: Folds = None,
    fold: Fold = None,
    plan: Annotated[
        Path | None, typer.Option(help="Follow this plan.yaml instead of deciding one.", show_default=False)
    ] = None,
    recipe: Recipe = None,
    objects: Objects = None,
    device: Device = "auto",
    devices: Devices = None,
    nodes: Nodes = None,
    strategy: Strategy = None,
    workers: Workers = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.", show_default=False)] = None,
    track: Annotated[
        list[str],
        typer.Option(
            "--track", help="Also tell tensorboard, mlflow or wandb of the training; repeatable.", show_default=False
        ),
    ] = [],  # noqa: B006
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Train nothing: try rates from tiny to huge and suggest one.")
    ] = False,
    overfit_one_batch: Annotated[
        bool,
        typer.Option(
            "--overfit-one-batch",
            help="Train nothing: test whether the network can learn one batch by heart. --out names the picture.",
        ),
    ] = False,
) -> None:
    """Train a model: the data are looked at, a plan is made, and the run's folder gets model and report.

    Every value of the plan can be set: maskwright train DATA model.depth=3 optimizer.lr=1e-3

    With --folds 5 all folds are trained in turn, and one model file holds them all; with --fold 2 only that one.
    """
    if (data is None) == (resume is None):
        raise SettingError("Give a folder of images and masks, or --resume RUN to go on with a run.")
    if plan is not None and recipe is not None:
        raise SettingError("Give --plan or --recipe, not both: each says everything.")
    if find_lr and data is None:
        raise SettingError("--find-lr looks at a folder of images and masks, not at a run: give that folder instead.")
    if find_lr and track:
        raise SettingError("--find-lr trains nothing that could be tracked: leave --track out.")
    if overfit_one_batch and (data is None or find_lr):
        raise SettingError("--overfit-one-batch looks at a folder of images and masks, and at nothing else: give that.")
    settings = with_objects(settings, objects)
    wishes = settings_of(settings)
    if workers is not None:
        wishes["device.workers"] = workers
    from maskwright import api
    from maskwright.plan import Plan as PlanRecord

    options: dict[str, Any] = {
        "out": out,
        "minutes": minutes,
        "epochs": epochs,
        "memory": memory,
        "device": device,
        "seed": seed,
        "settings": wishes,
        "plan": PlanRecord.load(plan) if plan else None,
        "recipe": recipe,
        "test": test,
        "val": val,
        "skip": skip,
        "groups": groups,
        "folds": folds,
        "fold": fold,
    }
    if find_lr and data is not None:
        print_lr(data, options, _words(settings, {**options, "plan": plan}))
        return
    if overfit_one_batch and data is not None:
        print_one_batch(data, options)
        return
    if data is not None and folds is not None and fold is None:
        train_folds(data, options, track, show)
        return
    if resume is not None and is_cross_validation(resume):
        resume_folds(resume, show)
        return
    with watching() as watch:
        common: dict[str, Any] = {"callbacks": [training_progress()], "track": track, "watch": watch, "planned": show}
        common |= {"devices": devices, "nodes": nodes, "strategy": strategy}
        if data is not None:
            run = api.train(data, **options, **common)
        else:
            run = api.resume(resume or "", workers=workers, **common)
    _tell(run)
    if not run.outcome.finished:
        raise typer.Exit(130)  # what comes next in a script should not take the model for a finished one


def _words(settings: list[str] | None, options: dict[str, Any]) -> list[str]:
    """The options that were given, but the run's folder, as they are written on a command line."""
    words = list(settings or [])
    for name in (
        "minutes",
        "epochs",
        "memory",
        "device",
        "seed",
        "plan",
        "recipe",
        "test",
        "val",
        "skip",
        "groups",
        "folds",
        "fold",
    ):
        value = options[name]
        for each in value if isinstance(value, list) else [value]:
            if each not in (None, "auto", 0) or (name == "fold" and each is not None):
                words += [f"--{name}", f"{each:g}" if isinstance(each, float) else str(each)]
    return words


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
