"""maskwright datasets, maskwright datasets show NAME, maskwright datasets get NAME."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskwright.cli.console import console
from maskwright.errors import SettingError

if TYPE_CHECKING:
    from maskwright.datasets import DatasetCard, Download
    from maskwright.datasets.getting import Progress

app = typer.Typer(
    add_completion=False, help="Public data sets that the recipes use: list them, look at one, fetch one."
)

Name = Annotated[str, typer.Argument(help="A data set, as `maskwright datasets` lists them.", show_default=False)]


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context) -> None:
    """Public data sets that the recipes use: list them, look at one, fetch one."""
    if context.invoked_subcommand:
        return
    from rich.table import Table

    from maskwright.datasets import cards

    table = Table(title="public data sets", title_justify="left")
    for column in ("name", "title", "download", "recipes"):
        table.add_column(column, overflow="fold")
    for card in cards():
        table.add_row(card.name, card.title, _size(card), ", ".join(card.recipes))
    console.print(table)
    _say("maskwright datasets show NAME: images, classes, terms, layout", "maskwright datasets get NAME:  fetch it")


@app.command()
def show(name: Name) -> None:
    """Print a data set's card: images, classes, terms, source, layout, recipes."""
    from maskwright.datasets import card

    c = card(name)
    lines = {
        "images": c.images,
        "classes": c.classes,
        "terms": c.terms,
        "homepage": c.homepage,
        "cite": c.citation,
        "recipes": ", ".join(c.recipes) or "none",
        "download": _size(c),
    }
    _say(f"{c.name}: {c.title}", *(f"{key:9} {value}" for key, value in lines.items()))
    _say(*(_archive(download) for download in c.downloads))
    if c.steps:
        from maskwright.datasets.getting import by_hand

        _say("", by_hand(c, Path("data")))
    else:
        _say("", c.layout.rstrip())


@app.command()
def get(
    name: Name,
    to: Annotated[Path, typer.Option(help="Folder that data sets lie in; this one gets its own, by name.")] = Path(
        "data"
    ),
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the data set's terms without being asked.")] = False,
) -> None:
    """Fetch a data set, check it and unpack it; interrupted, the same command goes on.

    Exit status 2 where a data set can only be got by hand: the steps are printed, and nothing is there yet.
    """
    from maskwright.datasets import card, prepare, there
    from maskwright.datasets.getting import bring

    c = card(name)
    if there(c, to):
        _say(f"{to / c.name} is already there")
        return
    prepare(c, to)
    _ask(c, yes)
    with _bar() as progress:
        folder = bring(c, to, agree=True, progress=progress)
    _say(f"data     {folder}")
    for download in c.downloads:
        if not download.checksum:
            _say(f"checksum {to / c.name}.sha256: the publisher names none, so this one is checked from now on")


def _ask(card: "DatasetCard", yes: bool) -> None:
    """The terms, and whether they are agreed to."""
    _say(f"{card.name}, {_size(card)}", f"terms    {card.terms}", f"homepage {card.homepage}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingError("Nobody is there to agree to the terms: read them, then say --yes.")
    if not typer.confirm("Do you agree to these terms?"):
        raise SettingError(f"{card.name} was not fetched: its terms were not agreed to.")


@contextmanager
def _bar() -> Iterator["Progress | None"]:
    """A bar an archive; nothing where the output is no terminal."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield told


def _size(card: "DatasetCard") -> str:
    from maskwright.datasets.dataset_card import megabytes

    if not card.automatic:
        return "by hand"
    return megabytes(card.bytes) if card.bytes else "size not stated"


def _archive(download: "Download") -> str:
    size = f"{download.bytes:,} bytes" if download.bytes else "size not stated"
    checksum = download.checksum or "no published checksum: the first download's is noted and checked from then on"
    return f"archive   {download.url} ({size}; {checksum})"


def _say(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
