"""Trying things out before a training: a learning rate, one batch, other settings."""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskwright import recipes
from maskwright.api.folders import new_folder
from maskwright.api.looking import Inspection, Watch, look, telling
from maskwright.api.planning import budget_of, decided_for
from maskwright.errors import SettingError
from maskwright.evaluation.batch_picture import draw_batch
from maskwright.evaluation.range_picture import draw_range
from maskwright.plan import Plan
from maskwright.recipes import Recipe
from maskwright.training.callbacks import Callback
from maskwright.training.one_batch import OneBatch, bare, one_batch
from maskwright.training.prepare import housed, prepare
from maskwright.training.range_test import RangeTest, range_test
from maskwright.training.world import here as world_here
from maskwright.tuning import search as searching
from maskwright.tuning.proposal import proposed
from maskwright.tuning.search import Found, Search, SearchWatch
from maskwright.tuning.space import Space
from maskwright.tuning.study import demand_optuna


def find_lr(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> RangeTest:
    """A learning rate for a folder, by a range test of the network that `train` would train, and with its options.

    Nothing is trained. The folder gets `plan.yaml`, `lr-range.json` and the picture `lr-range.png`.

    >>> train("cells", settings=find_lr("cells").settings)  # doctest: +SKIP

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    if world_here().place.started:
        raise SettingError("A learning rate is looked for in one process: start it without torchrun or srun.")
    folder = new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    decided = decided_for(seen, plan, followed, budget_of(minutes, epochs), memory, device, seed, settings or {})
    decided = housed(folder, seen.samples, decided)
    decided.save(folder / "plan.yaml")
    if planned:
        planned(seen, decided, folder)
    try:
        job = prepare(folder, seen.samples, decided, telling(watch, "decoding"))
        test = range_test(job, progress=telling(watch, "finding the rate"))
    finally:
        shutil.rmtree(folder / "cache", ignore_errors=True)
    test.save(folder / "lr-range.json")
    draw_range(test, folder / "lr-range.png")
    return test


def overfit_one_batch(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> OneBatch:
    """Whether the network that `train` would train, with its options, can learn one batch by heart.

    Without augmentation, weight decay and dropout; a network that cannot do that learns nothing in a long training
    either. No run is left behind, only a picture: image, true mask and prediction of each crop.

    out: the picture; `NAME-one-batch.png` if not given.

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    decided = decided_for(seen, plan, followed, budget_of(minutes, epochs), memory, device, seed, settings or {})
    picture = Path(out) if out is not None else Path(f"{Path(seen.samples.root).resolve().stem}-one-batch.png")
    picture = picture if picture.suffix else picture / "one-batch.png"
    if planned:
        planned(seen, decided, picture)
    stripped, few = bare(decided, seen.samples)
    with tempfile.TemporaryDirectory(prefix="maskwright-") as folder:
        job = prepare(Path(folder), few, stripped, telling(watch, "decoding"))
        found, shown = one_batch(job, progress=telling(watch, "learning one batch"))
        draw_batch(shown, seen.samples.labels, picture)
        del job  # its cache is mapped into memory, which on some systems keeps the files from being removed
    return found


def tune(
    data: str | Path | Inspection,
    *,
    trials: int = 20,
    space: str | Path | Space | None = None,
    prune: bool = True,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    callbacks: Sequence[Callback] = (),
    watch: Watch | None = None,
    told: SearchWatch | None = None,
    planned: Callable[[Inspection, Search, Path], None] | None = None,
    **inspection: Any,
) -> Found:
    """Settings that do better than the plan as it stands, by trials on the validation images; `plan.yaml` of the best.

    The options are those of `train`; the budget is that of one trial. Trial 0 is the plan as it stands, so the best is
    never worse by the same measure; that measure favours the best of many, and the test part stays untouched.

    trials: so many trainings. space: what may change, or a `.yaml` of it; None: what `tuning.proposal` thinks of.
    settings: keep their value in all trials. prune: end those early that do worse than most. told: hears of trials.

    >>> train("cells", plan=Plan.load(tune("cells", minutes=2).plan))  # doctest: +SKIP

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
    """
    started = time.monotonic()
    demand_optuna()
    if trials < 1:
        raise SettingError(f"{trials} trials are none. Give at least 2: the plan as it stands, and another.")
    asked = space if isinstance(space, Space) or space is None else Space.load(space)
    folder = new_folder(out, data)
    followed = recipes.recipe(recipe) if recipe else None
    seen = look(data, followed, watch=watch, **inspection)
    fixed = dict(settings or {})
    if plan is not None and (budget := budget_of(minutes, epochs)):
        fixed["training.budget"] = budget.plain()
    decided = decided_for(seen, plan, followed, budget_of(minutes, epochs), memory, device, seed, fixed)
    searching.demand_searchable(seen.samples)
    dimensions = (asked or proposed(decided, fixed)).demanded(decided, fixed)
    search = Search(
        trials=trials,
        prune=prune,
        data=seen.samples.root if isinstance(data, Inspection) else str(data),
        asked={n: v for n, v in inspection.items() if v or (n == "fold" and v is not None)},
        recipe=recipe.name if isinstance(recipe, Recipe) else str(recipe) if recipe else None,
        fixed=fixed,
        space=dimensions,
        plan=housed(folder, seen.samples, decided),
    )
    searching.begin(folder, seen.samples, seen.fingerprint, search)
    if planned:
        planned(seen, search, folder)
    return searching.go_on(folder, callbacks, told, telling(watch, "decoding"), started)


def resume_tune(
    search: str | Path,
    *,
    trials: int | None = None,
    callbacks: Sequence[Callback] = (),
    watch: Watch | None = None,
    told: SearchWatch | None = None,
) -> Found:
    """Go on with a search that was stopped or killed, or help one that is under way in another process.

    trials: so many in all, in place of what was asked for at first.

    Raises:
        CheckpointError: there is no search in the folder.
    """
    demand_optuna()
    searching.demand_begun(Path(search), trials)
    return searching.go_on(Path(search), callbacks, told, telling(watch, "decoding"))
