"""maskwright predict MODEL INPUT... --out DIR."""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from maskwright.cli.console import console, duration, errors
from maskwright.cli.options import Device, Flips, ModelFile, Scales, Turns, views_of
from maskwright.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maskwright.api import Written


def _list(wanted: bool) -> None:
    if not wanted:
        return
    from rich.table import Table

    from maskwright.inference.outputs import describe

    table = Table("output", "choices", "what it is", box=None, pad_edge=False)
    for name, choices, about in describe():
        table.add_row(name, escape(choices), escape(about))
    console.print(table)
    raise typer.Exit


def predict(
    model: ModelFile,
    inputs: Annotated[list[str], typer.Argument(help="Images, folders of images, or patterns.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the masks.", show_default=False)],
    others: Annotated[
        list[str],
        typer.Option(
            "--with",
            help="Another model, whose probabilities are averaged with MODEL's; repeatable.",
            show_default=False,
        ),
    ] = [],  # noqa: B006  # typer copies it
    output: Annotated[
        list[str],
        typer.Option(
            "--output",
            "-o",
            help="Also write this of each image, e.g. overlay, geojson, probabilities=uint8; repeatable. --outputs "
            "lists all.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    objects: Annotated[
        str | None,
        typer.Option(
            help="How objects that touch are taken apart: border or centre (if the model learned them), distance, or "
            "none. Not given: as the model was trained.",
            show_default=False,
        ),
    ] = None,
    clean_up: Annotated[
        list[str],
        typer.Option(
            help="Mend the labels first, e.g. drop_specks:smaller_than=50, fill_holes, keep_largest, "
            "smooth:radius=2,classes=cell; repeatable, done in this order.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    flips: Flips = None,
    turns: Turns = None,
    scales: Scales = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Pixels a side of the windows that large images are cut into; larger ones are faster and take more "
            "memory. Not given: as planned.",
            min=1,
            show_default=False,
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse an image that is unlike the training images; else a warning.")
    ] = False,
    guard: Annotated[
        bool, typer.Option("--guard/--no-guard", help="Look whether images are like the training images.")
    ] = True,
    runtime: Annotated[
        str,
        typer.Option(help="What computes: torch, onnxruntime, openvino …; auto: the fastest here, measured once."),
    ] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do all anew, and write over what is there already.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(help="Images worked on at a time; default: as many as cores.", min=1, show_default=False),
    ] = None,
    device: Device = "auto",
    _outputs: Annotated[
        bool,
        typer.Option("--outputs", help="List what can be written of an image, and end.", is_eager=True, callback=_list),
    ] = False,
) -> None:
    """Write a mask for each image, in its own size and with the values of the training masks.

    OUT/STEM.png; .tif where a place on a map is to be kept. Stopped and given again, it goes on where it stopped.
    """
    from maskwright import api

    if strict and not guard:
        raise SettingError("--strict refuses what the guard finds, so it cannot go with --no-guard.")
    started = time.monotonic()
    counts: Counter[str] = Counter()
    done: list[Written] = []
    for result in api.predict_files(
        [model, *others], inputs, out, outputs=output, objects=objects, clean_up=clean_up,
        views=views_of(flips, turns, scales), window=window, guard="strict" if strict else "warn" if guard else "off",
        overwrite=overwrite, jobs=jobs, device=device, runtime=runtime,
    ):  # fmt: skip
        done.append(replace(result, files=result.files[:1]))
        if result.error is not None:
            counts["failed"] += 1
            errors.print(f"[red]{escape(str(result.image))}:[/] {escape(str(result.error))}", soft_wrap=True)
            continue
        counts["done before" if result.was_done else "written"] += 1
        for warning in result.warnings:
            errors.print(f"[yellow]Warning:[/] {escape(warning)}", soft_wrap=True)
        if not result.was_done:
            also = f" and {len(result.files) - 1} more" if len(result.files) > 1 else ""
            console.print(f"{escape(str(result.image))} → {escape(str(result.mask))}{also}", soft_wrap=True)
    _sum_up(done, counts, out, time.monotonic() - started)
    if counts["failed"]:
        raise typer.Exit(1)


def _sum_up(done: "Sequence[Written]", counts: "Counter[str]", out: Path, seconds: float) -> None:
    """One line of all: how many, how fast, at what overhead."""
    new = [one for one in done if one.error is None and not one.was_done]
    pixels = sum(one.pixels for one in new)
    said = [f"{counts[what]} {what}" for what in ("written", "done before", "failed") if counts[what]]
    line = f"{', '.join(said)} in {out}"
    if pixels:
        overhead = sum(one.computed * one.pixels for one in new) / pixels
        line += f"; {duration(seconds)}, {pixels / 1e6 / seconds:.3g} million pixels a second"
        line += f", {overhead:.2f} computed for each" if overhead > 1.005 else ""
    console.print(escape(line), soft_wrap=True)
