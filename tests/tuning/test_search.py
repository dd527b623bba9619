"""Searches on painted discs, a dozen steps a trial."""

import csv
import sys

import pytest

from maskwright import api
from maskwright.errors import CheckpointError, DataError, SettingError, TrainingError
from maskwright.plan import Plan
from maskwright.training.callbacks import Listener
from maskwright.tuning import search as room
from maskwright.tuning.space import Space
from maskwright.tuning.study import Study


@pytest.fixture
def tuned(discs, quick, space, tmp_path):
    """Searches; in the folder of that name."""

    def tune(name="search", settings=None, **options):
        common = {"trials": 3, "space": space, "device": "cpu", **options}
        return api.tune(discs, out=tmp_path / name, settings={**quick, **(settings or {})}, **common)

    # What is searched is not fixed.
    quick = {key: value for key, value in quick.items() if not key.startswith(("optimizer", "sampling.batch"))}
    return tune


class KilledError(BaseException):
    """Stands for kill -9."""


class DiesIn(Listener):
    """Kills the search in a step of one of its trials."""

    def __init__(self, trial, step):
        self.trial, self.step, self.begun_trials, self.steps = trial, step, [], []

    def begun(self, trial, trials):
        self.begun_trials.append(trial.number)

    def over(self, trial, leader):
        pass

    def stepped(self, news):
        self.steps.append(news.step)
        if self.begun_trials[-1] == self.trial and news.step == self.step:
            raise KilledError


class Stops(DiesIn):
    """Presses Ctrl-C instead."""

    def stepped(self, news):
        import signal

        if self.begun_trials[-1] == self.trial and news.step == self.step:
            signal.raise_signal(signal.SIGINT)


def told(found):
    return [trial.model_dump(exclude={"seconds"}) for trial in found.trials]


def test_the_best_plan_trains_to_the_score_of_its_trial_and_trial_0_is_the_plan_as_it_stands(tuned, discs, tmp_path):
    found = tuned()

    assert [trial.number for trial in found.trials] == [0, 1, 2]
    assert found.finished
    assert found.best is not None
    assert found.best.score == max(trial.score for trial in found.trials if trial.state == "finished")
    for name, plan, trial in (
        ("best", Plan.load(found.plan), found.best),
        ("first", found.search.plan, found.trials[0]),
    ):
        assert api.train(discs, out=tmp_path / name, plan=plan).outcome.score == trial.score
    reasons = Plan.load(found.plan).reasons
    for key in found.best.settings:
        assert reasons[key].startswith(f"found by tune: trial {found.best.number} of 3, validation mean IoU 0.")
        assert f"against {found.trials[0].score:.3f} of the plan as it was" in reasons[key]


def test_the_folder_holds_what_is_needed_and_no_decoded_images(tuned):
    found = tuned()

    assert {path.name for path in found.folder.iterdir()} == {
        "data", "plan.yaml", "search.yaml", "study", "trials", "trials.csv",
    }  # fmt: skip
    assert {path.name for path in (found.folder / "trials" / "002").iterdir()} == {
        "plan.yaml", "history.jsonl", "history.csv", "health.jsonl",
    }  # fmt: skip
    with (found.folder / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mean_iou"]) for row in rows] == pytest.approx([t.score for t in found.trials], abs=1e-6)
    with pytest.raises(CheckpointError, match="is not a run"):
        api.resume(found.folder)


def test_images_are_decoded_once_for_all_trials(tuned, monkeypatch):
    from maskwright.data import cache

    filled = []
    fill = cache._fill
    monkeypatch.setattr(cache, "_fill", lambda place, *rest: (filled.append(place.parent.name), fill(place, *rest)))
    tuned()

    assert filled == ["train", "val"]


@pytest.mark.parametrize("ckpt", [0, 60])
def test_a_search_that_was_killed_goes_on_to_the_same_end(ckpt, tuned, tmp_path):
    """With checkpoints after every step the trial goes on, with none it is run anew; neither changes anything."""
    settings = {"training.checkpoint_seconds": ckpt}
    whole = tuned("whole", settings)
    deadly = DiesIn(1, 7)
    with pytest.raises(KilledError):
        tuned("killed", settings, callbacks=[deadly], told=deadly)
    assert (tmp_path / "killed" / "plan.yaml").is_file()
    assert (tmp_path / "killed" / "trials" / "001" / "last.ckpt").is_file() == (ckpt == 0)

    watch = DiesIn(99, 0)
    resumed = api.resume_tune(tmp_path / "killed", callbacks=[watch], told=watch)

    assert watch.begun_trials == [1, 2]
    assert watch.steps[0] == (7 if ckpt == 0 else 1)  # killed in its seventh step, before the checkpoint of that one
    assert told(resumed) == told(whole)
    assert resumed.plan.read_text("utf-8") == whole.plan.read_text("utf-8")


def test_ctrl_c_stops_the_search_and_keeps_what_there_is(tuned, tmp_path):
    whole = tuned("whole")
    stops = Stops(1, 7)
    found = tuned("stopped", callbacks=[stops], told=stops)

    assert not found.finished
    assert [trial.state for trial in found.trials] == ["finished", "running"]
    assert found.plan.is_file()
    assert told(api.resume_tune(tmp_path / "stopped")) == told(whole)


def test_a_finished_search_can_be_made_longer(tuned, tmp_path):
    first = tuned(trials=2)
    assert told(api.resume_tune(tmp_path / "search")) == told(first)
    longer = api.resume_tune(tmp_path / "search", trials=3)

    assert told(longer)[:2] == told(first)
    assert len(longer.trials) == 3


def test_a_trial_that_the_study_prunes_ends_there_and_is_not_the_best(tuned, monkeypatch):
    """Which trials it prunes is tested with the study; here the second is, at its first validation."""
    tell, heard = Study.told, []

    def prunes(study, number, validation, score):
        tell(study, number, validation, score)
        heard.append((number, validation))
        return (number, validation) == (1, 1)

    monkeypatch.setattr(Study, "told", prunes)
    found = tuned()

    assert heard == [(0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (2, 2), (2, 3)]
    assert [trial.state for trial in found.trials] == ["finished", "pruned", "finished"]
    assert found.trials[1].said == "below the median after 33% of the training"
    assert found.best != found.trials[1]
    rows = (found.folder / "trials" / "001" / "history.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == 2  # a run that is asked to end scores once more


def test_values_that_do_not_go_together_are_refused_and_the_search_goes_on(tuned):
    space = Space.read({"model.norm_at": ["convolution", "block"], "model.block": ["plain", "residual"]})
    found = tuned(trials=8, settings={"training.budget": {"steps": 4}}, space=space)

    refused = [trial for trial in found.trials if trial.state == "refused"]
    assert refused
    for trial in refused:
        assert trial.settings == {"model.norm_at": "block", "model.block": "residual"}
        assert "norm_at=block is for plain blocks only" in trial.said
    assert len(found.trials) == 8
    assert found.best is not None


def test_a_trial_that_diverges_has_failed_and_the_search_goes_on(tuned):
    found = tuned(trials=6, space=Space.read({"optimizer.lr": [3e-3, 1e30], "training.ema": [None, 0.9]}))

    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert failed
    assert "The loss is nan" in failed[0].said
    assert failed[0].settings["training.optimizer.lr"] == 1e30
    assert found.best is not None
    assert found.best.settings.get("training.optimizer.lr") != 1e30


def test_if_every_trial_diverges_that_is_an_error(tuned):
    with pytest.raises(TrainingError, match=r"None of the 2 trials.*trial 0: .*nan.*trial 1: "):
        tuned(trials=2, settings={"optimizer.lr": 1e30}, space=Space.read({"training.ema": [None, 0.9]}))


def test_a_fault_of_torch_fails_a_trial_but_is_not_hidden_in_the_plan_as_it_stands(tuned, monkeypatch, tmp_path):
    fit, faulty = room.fit, []

    def faults(job, *args, **options):
        if job.folder.name in faulty:
            raise RuntimeError("CUDA out of memory\nmore")
        return fit(job, *args, **options)

    monkeypatch.setattr(room, "fit", faults)
    faulty.append("001")
    found = tuned("later", trials=3)
    assert [(trial.state, trial.said) for trial in found.trials][1] == ("failed", "CUDA out of memory")
    faulty.append("000")
    with pytest.raises(RuntimeError, match="CUDA"):
        tuned("first")


def test_a_fault_of_the_data_stops_at_once_and_the_search_can_go_on(tuned, monkeypatch, tmp_path):
    fit = room.fit

    def fails(job, *args, **options):
        if job.folder.name == "001":
            raise DataError("img_03.png is gone")
        return fit(job, *args, **options)

    monkeypatch.setattr(room, "fit", fails)
    with pytest.raises(DataError, match="is gone"):
        tuned()
    monkeypatch.setattr(room, "fit", fit)
    assert [trial.state for trial in api.resume_tune(tmp_path / "search").trials] == ["finished"] * 3


def test_trials_are_alike_in_seed_and_in_what_is_fixed(tuned):
    found = tuned(settings={"model.dropout": 0.1})
    plans = [Plan.load(path) for path in sorted(found.folder.glob("trials/*/plan.yaml"))]

    assert len(plans) == 3
    assert {plan.seed for plan in plans} == {0}
    assert {plan.model.dropout for plan in plans} == {0.1}
    assert len({plan.training.optimizer.lr for plan in plans}) == 3


def test_each_trial_counts_the_reading_that_was_done_once(tuned, monkeypatch):
    fit, used = room.fit, []
    monkeypatch.setattr(
        room, "fit", lambda job, *args, **more: (used.append(job.seconds_used), fit(job, *args, **more))[1]
    )
    found = tuned(trials=2)

    read = room.Search.load(found.folder / "search.yaml").read_seconds
    assert read > 0
    assert all(read <= seconds for seconds in used)


def test_a_given_plan_takes_the_budget_that_is_given(discs, plan, space, tmp_path):
    found = api.tune(discs, out=tmp_path / "s", plan=plan, epochs=0.5, trials=1, space=space)
    assert found.search.plan.training.budget.epochs == 0.5


def test_what_does_not_fit_leaves_nothing(tuned, discs, tmp_path, monkeypatch):
    with pytest.raises(SettingError, match="Did you mean"):
        tuned(space=Space.read({"optimizer.lrr": [1, 2]}))
    with pytest.raises(SettingError, match="searched as well"):
        tuned(settings={"training.ema": 0.9})
    with pytest.raises(SettingError, match="0 trials"):
        tuned(trials=0)
    parts = discs.samples.model_copy(
        update={"samples": tuple(s.model_copy(update={"split": "train"}) for s in discs.samples.samples)}
    )
    with pytest.raises(SettingError, match="--val"):
        api.tune(api.Inspection(parts, discs.fingerprint), out=tmp_path / "search")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingError, match=r'pip install "maskwright\[tune\]"'):
        api.tune("nowhere", out=tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_a_folder_without_a_search_is_told(tmp_path):
    with pytest.raises(CheckpointError, match=r"no search\.yaml"):
        api.resume_tune(tmp_path)
