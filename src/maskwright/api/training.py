"""Training a model, and going on with it; in one process or with others."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from maskwright import recipes
from maskwright.api.folders import (
    BEGUN,
    UNFINISHED,
    begin,
    demand_nothing,
    found,
    holds_nothing,
    is_stopped,
    new_folder,
    said_when_full,
)
from maskwright.api.looking import Inspection, Watch, look, telling
from maskwright.api.planning import budget_of, decided_for
from maskwright.api.running import Audience, Run, run_in
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.sample import Samples
from maskwright.data.unchanged import demand_unchanged
from maskwright.devices import choose, cores, spread
from maskwright.errors import CheckpointError, SettingError
from maskwright.evaluation import cross_validation as crossing
from maskwright.plan import Plan
from maskwright.recipes import Recipe
from maskwright.records import sweep
from maskwright.training import lock, tracking
from maskwright.training.callbacks import Callback
from maskwright.training.loop import fit
from maskwright.training.prepare import housed, prepare
from maskwright.training.world import World, demand_shares
from maskwright.training.world import here as world_here


def train(
    data: str | Path | Inspection,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    memory: float | None = None,
    device: str = "auto",
    devices: int | None = None,
    nodes: int | None = None,
    strategy: str | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    recipe: str | Path | Recipe | None = None,
    callbacks: Sequence[Callback] = (),
    track: Sequence[str] = (),
    watch: Watch | None = None,
    planned: Callable[[Inspection, Plan, Path], None] | None = None,
    **inspection: Any,
) -> Run:
    """Train a model on a folder of images and masks.

    out: the run's folder, which must not exist or be empty; a new one under `runs/` if not given.
    minutes, epochs: the budget; minutes count from reading the data to the model file. Without one, training goes on
        until the validation score has settled.
    memory: gigabytes (10⁹ bytes) that training may take, on the device.
    devices, nodes, strategy: train with so many devices on each of so many machines, by "ddp" or "fsdp". The script
        that is running is then started once more for each; `torchrun` and SLURM may have done that already. All but the
        first process end here, quietly, when training is over.
    settings: values of the plan by dotted key, e.g. {"model.depth": 3}.
    plan: a whole plan to follow instead of deciding one.
    recipe: a recipe to follow, by name or as a `.yaml` file (`maskwright recipes` lists them).
    track: trackers that are told of the training besides, by name: tensorboard, mlflow, wandb …
    planned: told what was found and decided before training begins.

    Raises:
        DataError, ReadError, SettingError: something does not fit; nothing has been written then.
        TrainingError: the loss is no longer a number, or another process failed.
        TerminatedError: SIGTERM came; `resume` goes on.
        MaskwrightError: training broke off, or its model could not be written; the notes say what is kept.
    """
    started = time.monotonic()
    if inspection.get("folds") and inspection.get("fold") is None:
        raise SettingError("One run trains one fold: say which with fold=0, or train all with api.cross_validate.")
    tracking.demand(track)
    world = world_here()
    wishes = settings or {}
    where = choose(wishes.get("device.name", plan.device.name if plan else device))
    with world.together():
        if world.place.started:
            world.join(world.settings(where))
        if not world.first:
            world.join(spread(where, devices or 1, nodes or 1))
            _follow(world)
        folder = new_folder(out, data)
        followed = recipes.recipe(recipe) if recipe else None
        seen = look(data, followed, watch=watch, **inspection)
        decided = decided_for(seen, plan, followed, budget_of(minutes, epochs), memory, device, seed, wishes)
        decided = _spread(decided, world, devices, nodes, strategy)
        decided = housed(folder, seen.samples, decided)
        folder.mkdir(parents=True, exist_ok=True)
        with lock.held(folder):
            demand_nothing(folder)  # since it was looked at, another may have begun and ended there
            found(folder, seen, decided)
            if planned:
                planned(seen, decided, folder)
            return run_in(folder, seen, decided, Audience(callbacks, watch, track), started=started, world=world)


def resume(
    run: str | Path, *, workers: int | None = None, callbacks: Sequence[Callback] = (), track: Sequence[str] = (),
    watch: Watch | None = None, planned: Callable[[Inspection, Plan, Path], None] | None = None,
    devices: int | None = None, nodes: int | None = None, strategy: str | None = None,
) -> Run:  # fmt: skip
    """Go on with a run that was stopped or killed, at whatever moment; also only to write its model and report. On a
    CPU the model is the one it would have been, bit for bit.

    workers: so many processes that read crops, instead of as many as before.
    track: trackers besides those that were told of it before.
    devices, nodes, strategy: as for `train`, where they are to be others than before; sums are then added up in another
        order, and the model is the same but for rounding.

    Raises:
        CheckpointError: there is nothing to resume, the run is finished, or another process is at work in it.
        DataError: images or masks are gone or changed since the run began.
        TerminatedError, MaskwrightError: as for `train`.
    """
    started = time.monotonic()
    folder, world = Path(run), world_here()
    if (folder / crossing.NAME).is_file():
        raise CheckpointError(f"{folder} holds the runs of several folds: go on with api.resume_folds.")
    _demand_stopped(folder)
    decided = Plan.load(folder / "plan.yaml")
    with world.together():
        if world.place.started:
            world.join(world.settings(decided.device))
        if not world.first:
            world.join(spread(decided.device, devices or decided.device.devices, nodes or decided.device.nodes))
            _follow(world)
        with lock.held(folder):
            with said_when_full(folder):
                sweep(folder)
                begin(folder)
            seen = inspection_of(folder)
            now = _spread(decided, world, devices, nodes, strategy)
            if now.device != decided.device:
                now.save(folder / "plan.yaml")
            if workers is not None:
                now = now.with_settings({"device.workers": workers})
            demand_unchanged(
                seen.samples, [*seen.samples.part("train"), *seen.samples.part("val")],
                since=(folder / "samples.json").stat().st_mtime_ns, workers=cores(),
                progress=telling(watch, "checking"),
            )  # fmt: skip
            if planned:
                planned(seen, now, folder)
            return run_in(folder, seen, now, Audience(callbacks, watch, track), started=started, world=world)


def inspection_of(folder: Path) -> Inspection:
    """What a run was begun with."""
    return Inspection(Samples.load(folder / "samples.json"), Fingerprint.load(folder / "fingerprint.json"))


def _demand_stopped(folder: Path) -> None:
    """Nothing, if a run was begun in a folder and is not finished.

    Raises:
        CheckpointError: none was, or it is.
    """
    if not (folder / "plan.yaml").is_file() and holds_nothing(folder) and (folder / UNFINISHED).is_file():
        raise CheckpointError(
            f"Nothing was learnt yet in {folder}: the run was stopped before it had a plan. Give the command that "
            "began it again; it writes over what lies there."
        )
    for name in BEGUN:
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is not a run: it has no {name}. Give the folder that train made.")
    if (folder / "model.safetensors").exists() and not is_stopped(folder):
        raise CheckpointError(f"{folder} is finished: its model is {folder / 'model.safetensors'}.")


def _follow(world: World) -> NoReturn:
    """What all but the first process do: learn with it, and end."""
    folder, again = world.called()
    seen, decided = inspection_of(folder), Plan.load(folder / "plan.yaml")
    with world.in_turn():
        job = prepare(folder, seen.samples, decided, world=world)
    fit(job, resume=again)
    world.leave()
    raise SystemExit(0)


def _spread(decided: Plan, world: World, devices: int | None, nodes: int | None, strategy: str | None) -> Plan:
    """The plan for as many processes as there are, or are asked for.

    Raises:
        SettingError: they cannot share the training.
    """
    now = decided.device
    if world.place.started:
        device = world.settings(now, strategy)
    else:
        device = spread(now, devices or now.devices, nodes or now.nodes, strategy)
    freezes = any(stage.freeze for stage in decided.training.stages)
    demand_shares(decided.sampling.batch, device, freezes=freezes)
    said = "as many as have been started" if world.place.started else "as asked for"
    reasons = {"device.devices": said} if device.processes > 1 else {}
    return decided.model_copy(update={"device": device, "reasons": {**decided.reasons, **reasons}})
