"""maskwright inspect DATA."""

from maskwright.cli.console import print_inspection, watching
from maskwright.cli.options import Data, Fold, Folds, Groups, Skip, Test, Val


def inspect(
    data: Data,
    test: Test = [],  # noqa: B006  # typer copies it
    val: Val = [],  # noqa: B006
    skip: Skip = [],  # noqa: B006
    groups: Groups = None,
    folds: Folds = None,
    fold: Fold = None,
) -> None:
    """Look at a folder: what was recognised, and the first thing that would stop a training, with its remedy."""
    from maskwright import api

    with watching() as watch:
        seen = api.inspect(data, test=test, val=val, skip=skip, groups=groups, folds=folds, fold=fold, watch=watch)
    print_inspection(seen)
