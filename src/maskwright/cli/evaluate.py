"""maskwright evaluate MODEL DATA."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from maskwright.cli.console import print_scores, watching
from maskwright.cli.options import Device, Groups, ModelFile, Skip, Test, Val


def evaluate(
    model: ModelFile,
    data: Annotated[
        Path | None, typer.Argument(help="Folder of images and masks; default: the run's own.", show_default=False)
    ] = None,
    split: Annotated[str, typer.Option(help="train, val, test, or all.")] = "test",
    metric: Annotated[
        list[str],
        typer.Option("--metric", help="Also score as a contest does, e.g. salt; repeatable.", show_default=False),
    ] = [],  # noqa: B006  # typer copies it
    test: Test = [],  # noqa: B006
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    groups: Groups = None,
    json: Annotated[
        Path | None, typer.Option(help="Write the scores to this file, - for the output.", show_default=False)
    ] = None,
    device: Device = "auto",
) -> None:
    """Score a model on labelled images, at their own size: IoU and Dice per class, mean IoU, pixel accuracy."""
    from maskwright import api
    from maskwright.records import replacing

    with watching() as watch:
        options = {"test": test, "val": val, "skip": skip, "groups": groups} if data is not None else {}
        scores = api.evaluate(model, data, split=split, metrics=metric, device=device, watch=watch, **options)
    if json is not None and str(json) == "-":
        sys.stdout.write(scores.to_json())
        return
    print_scores(scores)
    if json is not None:
        with replacing(json) as temporary:
            temporary.write_text(scores.to_json(), "utf-8")
