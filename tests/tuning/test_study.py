"""The search's memory: draws, pruning, and what a kill leaves behind. No training happens here."""

import logging
import subprocess
import sys

import pytest

from maskwright.tuning import study as room
from maskwright.tuning.locks import FileLock
from maskwright.tuning.study import JOURNAL, Study
from maskwright.tuning.trials import best, ranked, write_table


@pytest.fixture
def opened(plan, space, tmp_path):
    """Opens the study in a folder, as each process does anew."""
    space = space.demanded(plan)

    def open_study(trials=12, folder="study", prune=True, times=3):
        judged = plan.with_settings({"training.validation.times": times})
        return Study(tmp_path / folder, judged, space, trials, prune=prune)

    return open_study


def curve(study, number, scores):
    """Run a made-up trial; how many of its scores were told before it was pruned."""
    for at, score in enumerate(scores, start=1):
        if study.told(number, at, score):
            study.end(number, "pruned", None, 1.0, "below the median")
            return at
    study.end(number, "finished", max(scores), 1.0)
    return len(scores)


def worked(study, most=100):
    """Made-up trials until none is left: the nearer the rate is to 0.03, the better."""
    for _ in range(most):
        if (number := study.take()) is None:
            return
        rate = study.settings(number).get("training.optimizer.lr", 0.02)
        curve(study, number, [0.3, 0.5, 0.9 - abs(rate - 0.03)])


def test_trial_0_is_the_plan_and_the_others_are_drawn_from_the_space(opened):
    study = opened()
    worked(study)

    first, *others = study.rows()
    assert first.settings == {}
    assert first.score == pytest.approx(0.89)
    for trial in others:
        assert 0.004 <= trial.settings["training.optimizer.lr"] <= 0.1
        assert trial.settings["training.optimizer.side_lr"] == pytest.approx(
            trial.settings["training.optimizer.lr"] / 2, rel=1e-3
        )
        assert trial.settings.get("sampling.batch") in {1, 3, 4, None}
        assert trial.settings.get("training.ema", 0.99) in {None, 0.9, 0.99}
    assert len({str(trial.settings) for trial in others}) == len(others)


def test_a_search_in_many_processes_draws_what_one_would(opened):
    """Each process opens the journal anew; a generator that began again would repeat its first draws."""
    whole = opened(folder="whole")
    worked(whole)
    for _ in range(12):
        worked(opened(folder="parts"), most=1)

    settings = [[trial.settings for trial in study.rows()] for study in (whole, opened(folder="parts"))]
    assert settings[0] == settings[1]


def test_the_sampler_learns_what_is_good(opened):
    study = opened(trials=30)
    worked(study)

    found = best(study.rows())
    assert found is not None
    assert found.settings["training.optimizer.lr"] == pytest.approx(0.03, abs=0.005)


def test_a_trial_below_the_median_is_pruned_once_some_are_finished(opened):
    study = opened()
    for _ in range(room.STARTUP):
        assert curve(study, study.take(), [0.1, 0.5, 0.6]) == 3
    assert curve(study, study.take(), [0.2, 0.55, 0.7]) == 3
    assert curve(study, study.take(), [0.05, 0.3, 0.6]) == 1
    assert [trial.state for trial in study.rows()][-1] == "pruned"
    assert study.rows()[-1].score == 0.05


def test_nothing_is_pruned_in_its_first_third_at_its_end_or_if_that_is_off(opened):
    for times, low, told in ((9, [0.0] * 9, 3), (1, [0.0], 1)):
        study = opened(folder=f"{times}", times=times)
        for _ in range(room.STARTUP):
            curve(study, study.take(), [0.5] * times)
        assert curve(study, study.take(), low) == told
    assert study.rows()[-1].state == "finished"
    off = opened(folder="off", prune=False)
    for _ in range(room.STARTUP):
        curve(off, off.take(), [0.5] * 3)
    assert curve(off, off.take(), [0.0] * 3) == 3


def test_the_plan_as_it_stands_is_never_pruned(opened):
    study = opened()
    assert study.take() == 0
    for _ in range(room.STARTUP):
        curve(study, study.take(), [0.5, 0.5, 0.5])
    assert curve(study, 0, [0.0, 0.0, 0.0]) == 3


def test_a_line_that_a_kill_cut_short_is_taken_away(opened, tmp_path):
    worked(opened(), most=2)
    journal = tmp_path / "study" / JOURNAL
    kept = journal.read_bytes()
    journal.write_bytes(kept + b'{"op_code":4,"worker_id":"x","stu')

    worked(opened())

    assert journal.read_bytes().startswith(kept)
    assert len(opened().rows()) == 12


def test_a_trial_whose_process_is_gone_is_taken_again_with_its_values(opened):
    dead = opened()
    worked(dead, most=2)
    assert dead.take() == 2
    drawn = dead.settings(2)
    dead.told(2, 1, 0.4)
    dead.leave(2)  # as the system does when a process ends

    other = opened()
    assert other.take() == 2
    assert other.settings(2) == drawn
    curve(other, 2, [0.4, 0.5, 0.6])
    assert other.take() == 3


HOLD = """
import sys
from pathlib import Path
from maskwright.tuning.locks import FileLock
assert FileLock(Path(sys.argv[1])).attempt()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_trial_of_a_living_process_is_left_alone_and_free_once_it_is_killed(opened, tmp_path):
    study = opened()
    worked(study, most=1)
    assert study.take() == 1
    study.leave(1)
    lock = tmp_path / "study" / "trial-001.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        assert not FileLock(lock).attempt()
        assert study.take() == 2
        other.kill()
        other.wait()
    assert opened().take() == 1


def test_importances_name_what_mattered_and_wait_for_enough_trials(opened):
    few, many = opened(trials=5, folder="few", prune=False), opened(trials=30, folder="many", prune=False)
    worked(few)
    worked(many)

    assert few.importances() == {}
    assert next(iter(many.importances())) == "training.optimizer.lr"


def test_optuna_says_nothing_and_its_own_settings_are_left_as_they_were(opened, capfd):
    import optuna

    before = optuna.logging.get_verbosity()
    study = opened()
    worked(study)
    study.importances()

    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before != logging.CRITICAL


def test_the_best_come_first_and_of_equals_the_earlier(opened, tmp_path):
    study = opened()
    for score in (0.5, 0.7, 0.7):
        curve(study, study.take(), [score] * 3)
    study.end(study.take(), "refused", None, 0.0, "these do not go together")

    rows = study.rows()
    assert [trial.number for trial in ranked(rows)] == [1, 2, 0, 3]
    write_table(tmp_path / "trials.csv", rows)
    head, first, *_, last = (tmp_path / "trials.csv").read_text("utf-8").splitlines()
    assert head.startswith("trial,state,mean_iou,seconds,training.optimizer.lr,training.optimizer.side_lr")
    assert first == "0,finished,0.500000,1.0," + "," * head.count("training.") + ","
    assert last.startswith("3,refused,,0.0,")
    assert last.endswith(",these do not go together")
