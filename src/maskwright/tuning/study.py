"""The search's memory and its choices: the one place that knows Optuna.

What has been tried lies in a journal file that survives a kill at any moment; several processes may write to it. Every
draw is a function of (seed, number of the trial) and of the trials before it: so a search that was killed goes on as it
would have.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from maskwright.data.randomness import number as seed_of
from maskwright.errors import SettingError
from maskwright.plan import Plan
from maskwright.tuning.locks import FileLock
from maskwright.tuning.space import Dimension, Space
from maskwright.tuning.trials import State, Trial

JOURNAL = "journal.jsonl"
NAME = "maskwright"
STARTUP = 4
"""So many trials must have been finished before any is pruned, and at least so many are drawn evenly at first."""
SPARED = 1 / 3
"""Of its training, no trial is pruned before so much is done."""
IMPORTANT = 8
"""With fewer finished trials nothing is said about which settings mattered."""

P = ParamSpec("P")
T = TypeVar("T")


def demand_optuna() -> Any:
    """Optuna.

    Raises:
        SettingError: it is not installed; says the line that does it.
    """
    try:
        import optuna
    except ImportError as error:
        raise SettingError(
            'Searching for settings needs the package optuna. Install it: pip install "maskwright[tune]"'
        ) from error
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing for a while, and warns of nothing: what a user should know, we say."""
    optuna = demand_optuna()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _quietly(method: Callable[Concatenate["Study", P], T]) -> Callable[Concatenate["Study", P], T]:
    @wraps(method)
    def quietly(self: "Study", *args: P.args, **kwargs: P.kwargs) -> T:
        with quiet():
            return method(self, *args, **kwargs)

    return quietly


class Study:
    """The trials of one search, each of which changes `plan` within `space`. `folder` holds its journal and locks.

    Raises:
        SettingError: Optuna is missing.
    """

    def __init__(self, folder: Path, plan: Plan, space: Space, trials: int, *, prune: bool = True):
        self.folder, self.plan, self.space, self.trials, self.prune = folder, plan, space, trials, prune
        self.lock = FileLock(folder / "lock")
        """Held while a trial begins or ends, and while results are written."""
        self._claims: dict[int, FileLock] = {}
        self._running: dict[int, Any] = {}
        with quiet():
            self._open()

    def _open(self) -> None:
        optuna = demand_optuna()
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        path = self.folder / JOURNAL
        # Optuna's own kind of lock outlives a killed process, and is then waited for half a minute.
        lock = FileLock(self.folder / f"{JOURNAL}.lock")
        with self.lock, lock:
            _mend(path)
        self._storage = JournalStorage(JournalFileBackend(str(path), lock_obj=cast("Any", lock)))
        # The median rule (Golovin et al. 2017): a trial ends early if its best score so far is below the median of the
        # finished trials at the same share of the training. Successive halving would keep a quarter at each rung; but
        # one-cycle spends most of a training at high rates, where ranks still change, and 20 trials fill no rungs.
        median = optuna.pruners.MedianPruner(STARTUP, math.ceil(SPARED * self.plan.training.validation.times))
        with self.lock:
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=NAME,
                direction="maximize",
                load_if_exists=True,
                pruner=median if self.prune else optuna.pruners.NopPruner(),
            )

    @_quietly
    def take(self) -> int | None:
        """The number of the next trial to work on, its values drawn; None when all have been begun.

        One that was begun by a process that is no more comes first.
        """
        with self.lock:
            begun = self._begun()
            running = [t.number for t in begun if t.state.name == "RUNNING" and t.number not in self._claims]
            left = next((number for number in running if self._claim(number)), None)
            if left is None and len(begun) >= self.trials:
                return None
            number = len(begun) if left is None else left
            self._study.sampler = self._sampler(number)
            trial = self._asked(number) if left is None else self._taken_over(number)
            for key, dimension in self.space.dimensions.items():
                if number > 0 or key in self._start:
                    _suggest(trial, key, dimension)
            self._running[number] = trial
            return number

    def _asked(self, number: int) -> Any:
        if number == 0 and not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(self._start)  # so that the sampler learns from the plan as it stands, too
        trial = self._study.ask()
        if trial.number != number or not self._claim(number):
            raise AssertionError(f"trial {number} was begun under the lock, and is another's")
        return trial

    def _taken_over(self, number: int) -> Any:
        study_id = self._storage.get_study_id_from_name(NAME)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return demand_optuna().trial.Trial(self._study, trial_id)

    def _sampler(self, number: int) -> Any:
        # A generator that went on from trial to trial would begin anew in each process, and repeat itself.
        seed = seed_of(self.plan.seed, "tune", number) % 2**32
        startup = max(STARTUP, min(10, self.trials // 3))
        return demand_optuna().samplers.TPESampler(seed=seed, n_startup_trials=startup)

    @property
    def _start(self) -> dict[str, Any]:
        return self.space.of(self.plan)

    def _begun(self) -> list[Any]:
        return [t for t in self._study.get_trials(deepcopy=False) if t.state.name != "WAITING"]

    def _claim(self, number: int) -> bool:
        claim = FileLock(self.folder / f"trial-{number:03d}.lock")
        if claim.attempt():
            self._claims[number] = claim
            return True
        return False

    @_quietly
    def settings(self, number: int) -> dict[str, Any]:
        """What a trial changes in the plan, by full key; nothing in trial 0, which is the plan as it stands."""
        return self._changes(number, self._study.get_trials(deepcopy=False)[number].params)

    def _changes(self, number: int, drawn: dict[str, Any]) -> dict[str, Any]:
        return self.space.settings(self.plan, drawn) if number else {}

    @_quietly
    def told(self, number: int, validation: int, score: float) -> bool:
        """Take in a running trial's score at one of its validations, from 1; whether it should end."""
        trial = self._running[number]
        trial.report(score, validation)
        return number > 0 and validation < self.plan.training.validation.times and bool(trial.should_prune())

    @_quietly
    def end(self, number: int, state: State, score: float | None, seconds: float, said: str = "") -> None:
        """A trial is over."""
        optuna = demand_optuna()
        states = {"finished": "COMPLETE", "pruned": "PRUNED", "refused": "PRUNED", "failed": "FAIL"}
        with self.lock:
            trial = self._running.pop(number)
            for name, value in (("state", state), ("seconds", round(seconds, 2)), ("said", said)):
                trial.set_user_attr(name, value)
            values = score if state == "finished" else None
            self._study.tell(trial, values, state=optuna.trial.TrialState[states[state]])
            claim = self._claims[number]
            self.leave(number)
            claim.path.unlink(missing_ok=True)  # nobody claims what is over

    def leave(self, number: int) -> None:
        """Let another process go on with a trial that is not over."""
        self._running.pop(number, None)
        if claim := self._claims.pop(number, None):
            claim.release()

    @_quietly
    def rows(self) -> tuple[Trial, ...]:
        """All trials that have been begun, as records."""
        return tuple(self._row(trial) for trial in self._begun())

    def _row(self, trial: Any) -> Trial:
        reported = trial.intermediate_values
        ended = trial.state.is_finished()
        return Trial(
            number=trial.number,
            state=trial.user_attrs["state"] if ended else "running",
            score=trial.value if trial.value is not None else reported[max(reported)] if reported else None,
            seconds=trial.user_attrs["seconds"] if ended else 0.0,
            settings=self._changes(trial.number, trial.params),
            said=trial.user_attrs["said"] if ended else "",
        )

    @_quietly
    def importances(self) -> dict[str, float]:
        """Setting → its share in what tells the best trials from the others, 0 … 1, the largest first.

        By PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255). Empty where too few trials were finished.
        """
        optuna = demand_optuna()
        finished = [t for t in self._begun() if t.state.name == "COMPLETE"]
        if len(finished) < IMPORTANT:
            return {}
        found = optuna.importance.get_param_importances(
            self._study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
        return {key: float(share) for key, share in found.items()}


def _suggest(trial: Any, key: str, dimension: Dimension) -> None:
    if dimension.choices is not None:
        trial.suggest_categorical(key, dimension.names)
    elif dimension.whole:
        low, high = dimension.ends
        trial.suggest_int(key, low, high, step=int(dimension.step or 1), log=dimension.log)
    else:
        trial.suggest_float(key, dimension.low, dimension.high, step=dimension.step, log=dimension.log)


def _mend(path: Path) -> None:
    """Cut off a last line that a killed process did not write to its end; the next one would be joined to it."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        whole = file.read().rpartition(b"\n")
        if whole[2]:
            file.truncate(len(whole[0]) + len(whole[1]))
