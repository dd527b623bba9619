"""maskwright tune DATA."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from maskwright.cli.console import console, duration, errors, line, print_inspection, print_plan, watching
from maskwright.cli.options import (
    Device,
    Epochs,
    Fold,
    Folds,
    Groups,
    Memory,
    Minutes,
    Recipe,
    Settings,
    Skip,
    Test,
    Val,
    settings_of,
)
from maskwright.errors import SettingError

if TYPE_CHECKING:
    from maskwright.api import Inspection
    from maskwright.tuning.search import Found, Search
    from maskwright.tuning.space import Dimension, Space
    from maskwright.tuning.trials import Trial

STATES = {"pruned": "pruned", "refused": "refused", "failed": "[yellow]failed[/]", "running": "not over"}


def tune(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of images and masks, or a dataset.yaml.", show_default=False)
    ] = None,
    settings: Settings = None,
    trials: Annotated[
        int | None, typer.Option(help="So many trainings in all; default: 20.", min=1, show_default=False)
    ] = None,
    space: Annotated[
        Path | None, typer.Option(help="What to search, as a .yaml file; default: decided.", show_default=False)
    ] = None,
    prune: Annotated[bool, typer.Option(help="End trials early that do worse than most.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the search; default: a new one under runs/.", show_default=False)
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
        Path | None, typer.Option(help="Start from this plan.yaml instead of deciding one.", show_default=False)
    ] = None,
    recipe: Recipe = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Seed of everything random: the draws, and each trial.")] = 0,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the search in this folder, or help it.", show_default=False)
    ] = None,
) -> None:
    """Search for settings by trials: which plan scores best on the validation images. The result is a plan.

    The budget is that of one trial. Trial 0 is the plan as it stands; KEY=VALUE keeps a setting out of the search.
    """
    if (data is None) == (resume is None):
        raise SettingError("Give a folder of images and masks, or --resume SEARCH to go on with a search.")
    if plan is not None and recipe is not None:
        raise SettingError("Give --plan or --recipe, not both: each says everything.")
    wishes = settings_of(settings)
    from maskwright import api
    from maskwright.plan import Plan

    lines, folders = TrialLines(), [resume] if resume else []

    def planned(seen: "Inspection", search: "Search", folder: Path) -> None:
        folders.append(folder)
        show(seen, search, folder)

    options: dict[str, Any] = {
        "space": space, "prune": prune, "out": out, "minutes": minutes, "epochs": epochs, "memory": memory,
        "device": device, "seed": seed, "settings": wishes, "plan": Plan.load(plan) if plan else None, "recipe": recipe,
        "test": test, "val": val, "skip": skip, "groups": groups, "folds": folds, "fold": fold,
    }  # fmt: skip
    try:
        with watching() as watch:
            common: dict[str, Any] = {"callbacks": [lines], "told": lines, "watch": watch}
            if data is not None:
                found = api.tune(data, trials=20 if trials is None else trials, planned=planned, **options, **common)
            else:
                found = api.resume_tune(resume or "", trials=trials, **common)
    except KeyboardInterrupt:
        lines.clear()
        if folders:
            errors.print(f"Go on with: maskwright tune --resume {folders[0]}", soft_wrap=True, markup=False)
        raise
    finally:
        lines.clear()
    tell(found)


def show(seen: "Inspection", search: "Search", folder: Path) -> None:
    """Print what was found, the plan as it stands, and what is searched around it."""
    print_inspection(seen)
    print_plan(search.plan)
    print_space(search.space)
    console.print(
        f"{search.trials} trials of {search.plan.training.budget}; Ctrl-C stops, and --resume goes on\n"
        f"search folder: {folder}",
        soft_wrap=True, markup=False,
    )  # fmt: skip


def print_space(space: "Space") -> None:
    """What is searched, a line a setting."""
    table = Table(title="searched", title_justify="left")
    table.add_column("setting")
    table.add_column("values", overflow="fold")
    for key, dimension in space.dimensions.items():
        names = ", ".join([key, *dimension.along])
        table.add_row(names, escape(_values(dimension)))
    console.print(table)


def _values(dimension: "Dimension") -> str:
    if dimension.choices is not None:
        return ", ".join(map(str, dimension.ends))
    steps = f" in steps of {dimension.step:g}" if dimension.step else ""
    together = ", in proportion" if dimension.along else ""
    return f"{dimension.low:g} … {dimension.high:g}{steps}{' (logarithmic)' if dimension.log else ''}{together}"


class TrialLines:
    """Two lines a trial, and on a terminal a bar while it trains."""

    def __init__(self) -> None:
        self._bar: Any = None

    def begun(self, trial: "Trial", trials: int) -> None:
        """Say what the trial changes."""
        console.print(f"trial {trial.number} of {trials}: {trial.changes}", soft_wrap=True, markup=False)

    def over(self, trial: "Trial", leader: "Trial | None") -> None:
        """Say how it did."""
        self.clear()
        best = f"; best so far {leader.score:.4f}, trial {leader.number}" if leader else ""
        console.print(f"  {escape(outcome(trial))} in {duration(trial.seconds)}{best}", soft_wrap=True)

    def clear(self) -> None:
        """Take the bar away, if there is one: a trial that fails does not say that it has ended."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def started(self, about: dict[str, Any]) -> None:
        """Show the bar."""
        if not console.is_terminal:
            return
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24))
        self._bar = Progress(*columns, console=console, transient=True)
        self._bar.add_task("training", total=1.0)
        self._bar.start()

    def stepped(self, news: Any) -> None:
        """Move the bar."""
        if self._bar is not None:
            done = news.step / max(1, news.total)
            self._bar.update(self._bar.task_ids[0], completed=done, description=line(news))

    def validated(self, row: Any) -> None:
        """Nothing: the bar has the score."""

    def warned(self, text: str) -> None:
        """The warning."""
        errors.print(f"[yellow]Warning:[/] {escape(text)}", soft_wrap=True)

    def ended(self, reason: str) -> None:
        """Take the bar away."""
        self.clear()


def outcome(trial: "Trial") -> str:
    """How a trial did, in words."""
    if trial.state == "finished":
        return f"mean IoU {trial.score:.4f}"
    score = f" at mean IoU {trial.score:.4f}" if trial.score is not None else ""
    return f"{trial.state}{score}: {trial.said}"


def tell(found: "Found") -> None:
    """Print the trials, best first, what mattered, and how to go on."""
    from maskwright.tuning.trials import ranked

    table = Table(title="trials, best first", title_justify="left")
    for name in ("trial", "mean IoU", "time"):
        table.add_column(name, justify="right")
    table.add_column("what differs from the plan as it stands", overflow="fold")
    for trial in ranked(found.trials):
        score = f"{trial.score:.4f}" if trial.score is not None and trial.state == "finished" else STATES[trial.state]
        table.add_row(str(trial.number), score, duration(trial.seconds), escape(trial.changes))
    console.print(table)
    if found.importances:
        shares = ", ".join(f"{key.removeprefix('training.')} {share:.0%}" for key, share in found.importances.items())
        console.print(f"what told the best from the others (a rough guess): {shares}", soft_wrap=True, markup=False)
    if found.best is not None:
        _tell_best(found, found.best)
    if not found.finished:
        console.print(f"Stopped early. Go on with: maskwright tune --resume {found.folder}", soft_wrap=True)
    elif away := [str(trial.number) for trial in found.trials if trial.state == "running"]:
        console.print(f"Another process is still at work on trial {', '.join(away)}; it will write the result anew.")


def _tell_best(found: "Found", best: "Trial") -> None:
    if best.number == 0:
        console.print("No trial did better than the plan as it stands.")
    finished = sum(trial.state == "finished" for trial in found.trials)
    console.print(
        f"The score {best.score:.4f} is the best of {finished} on the same validation images, and so flatters: expect "
        "less on others. The test part was not touched; score the model you train with it, once.",
        soft_wrap=True,
    )
    console.print(f"table  {found.folder / 'trials.csv'}\nplan   {found.plan}", soft_wrap=True, markup=False)
    console.print("Train with it:")
    console.print(f"  {shlex.join(['maskwright', 'train', *words(found, best)])}", soft_wrap=True, markup=False)


def words(found: "Found", best: "Trial") -> list[str]:
    """The arguments of the `train` that does what the best trial did, on the same parts of the data."""
    search = found.search
    said = [search.data, "--plan", str(found.plan)]
    if search.recipe is not None:  # it divides the data too, which a plan does not
        settings = {**search.fixed, "training.budget": search.plan.training.budget.plain(), **best.settings}
        pairs = (f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in settings.items())
        said = [search.data, "--recipe", search.recipe, *pairs]
    for name in ("test", "val", "skip", "groups", "folds", "fold"):
        value = search.asked.get(name, [])
        for each in value if isinstance(value, list | tuple) else [value]:
            said += [f"--{name}", str(each)]
    return said
