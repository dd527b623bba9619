"""maskwright train DATA --folds 5: all folds in turn, and what they say together."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from maskwright.cli.console import console, duration, print_scores, training_progress, watching

if TYPE_CHECKING:
    from maskwright.api import CrossValidated


def is_cross_validation(folder: Path | None) -> bool:
    """Whether a folder is that of several folds."""
    return folder is not None and (folder / "cross-validation.json").is_file()


def train_folds(data: Path, options: dict[str, Any], track: list[str], planned: Any) -> None:
    """Train all folds of a data set and print what they say."""
    from maskwright import api

    said = {name: value for name, value in options.items() if name != "fold"}
    with watching() as watch:
        found = api.cross_validate(data, **said, callbacks=_listeners, track=track, watch=watch, planned=planned)
    _tell(found)


def resume_folds(folder: Path, planned: Any) -> None:
    """Go on with the folds in a folder and print what they say."""
    from maskwright import api

    with watching() as watch:
        found = api.resume_folds(folder, callbacks=_listeners, watch=watch, planned=planned)
    _tell(found)


def _listeners(fold: int) -> list[Any]:
    console.print(f"[bold]fold {fold}[/]")
    return [training_progress()]


def _tell(found: "CrossValidated") -> None:
    record = found.record
    table = Table(title=f"{len(record.done)} of {record.folds} folds", title_justify="left")
    table.add_column("fold")
    for name in ("images", "mean IoU", "accuracy", "steps", "time"):
        table.add_column(name, justify="right")
    for one in record.done:
        scores = ("–" if value is None else f"{value:.4f}" for value in (one.mean_iou, one.accuracy))
        table.add_row(str(one.fold), str(one.images), *scores, str(one.steps), duration(one.seconds))
    table.add_row("mean ± deviation", "", str(record.mean_iou or "–"), str(record.accuracy or "–"), "", "")
    console.print(table)
    if record.pooled is not None:
        print_scores(record.pooled)
    if found.finished:
        console.print(f"model   {found.model}\nreport  {found.report}", soft_wrap=True)
    else:
        console.print(f"Stopped early. Go on with: maskwright train --resume {found.folder}", soft_wrap=True)
