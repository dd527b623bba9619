import math
from types import SimpleNamespace

import pytest
import torch

from maskwright.model import UNet
from maskwright.settings import Budget, ScheduleSettings, TrainingSettings, ValidationSettings
from maskwright.training import checkpoint, optimisers
from maskwright.training.average import Average
from maskwright.training.callbacks import History
from maskwright.training.pace import Clock, Pace
from maskwright.training.state import Progress, State
from maskwright.training.validation import ValidationScore


def settings(keep="score", schedule="onecycle"):
    return TrainingSettings(
        budget=Budget(steps=9),
        validation=ValidationSettings(keep=keep),
        schedule=ScheduleSettings(name=schedule, patience=1),
    )


def score(loss, mean_iou):
    return ValidationScore(loss, mean_iou, 0.5)


class Numbered:
    """Stands for the mean of the weights: tells when it was asked for them."""

    def __init__(self):
        self.asked = 0

    def weights(self):
        self.asked += 1
        return {"a": torch.tensor(self.asked)}


SEEN = [score(1.0, 0.5), score(0.8, 0.4), score(0.9, 0.6), score(0.8, 0.6), score(0.7, 0.3)]


@pytest.mark.parametrize(
    ("keep", "best", "waits", "kept"),
    [
        ("score", [True, False, True, False, False], [0, 1, 0, 1, 2], (0.6, 0.9)),
        ("loss", [True, True, False, False, True], [0, 0, 1, 2, 0], (0.3, 0.7)),
    ],
)
def test_what_is_kept_and_how_long_it_is_waited_follow_the_choice(keep, best, waits, kept):
    progress, average = Progress(Pace(9)), Numbered()
    found, waited = [], []
    for each in SEEN:
        found.append(progress.judge(each, average, settings(keep)))
        waited.append(progress.without_gain)

    assert (found, waited) == (best, waits)
    assert (progress.best_score, progress.best_loss) == kept
    assert average.asked == sum(best)
    assert progress.score == 0.3, "the last, whatever is kept"


@pytest.mark.parametrize("keep", ["score", "loss"])
def test_what_is_no_number_is_never_the_best(keep):
    progress = Progress(Pace(9))

    assert not progress.judge(score(math.nan, math.nan), Numbered(), settings(keep))
    assert progress.best is None
    assert progress.judge(score(1.0, 0.1), Numbered(), settings(keep))


def test_the_plateau_follows_the_loss_whatever_is_kept_and_only_where_it_is_the_schedule():
    for schedule, share in (("plateau", 0.1), ("onecycle", 1.0)):
        progress = Progress(Pace(9))
        for loss in (0.5, 0.6):
            progress.judge(score(loss, 1 - loss), Numbered(), settings(schedule=schedule))
        assert progress.plateau.share == pytest.approx(share)


@pytest.fixture
def state_of(tmp_path):
    def build(progress):
        network = UNet(1, 2, depth=1, base=2)
        optimizer = optimisers.build(network, settings().optimizer)
        history, health = History(tmp_path / "h.jsonl"), SimpleNamespace(state=dict, restore=dict)
        return State(network, Average(network, 0.9), optimizer, progress, Clock(None), history, health)

    return build


def test_a_checkpoint_gives_back_stage_plateau_and_what_was_kept(state_of, tmp_path):
    progress = Progress(Pace(9), stage=2, validations=3, without_gain=1)
    for loss in (0.5, 0.6, 0.4, 0.45):
        progress.judge(score(loss, 1 - loss), Numbered(), settings("loss", "plateau"))
    state_of(progress).save(tmp_path)
    again = state_of(Progress(Pace(1)))
    again.restore(checkpoint.load(tmp_path / checkpoint.NAME, torch.device("cpu")))

    assert again.progress == progress
    assert again.progress.plateau.share == pytest.approx(0.01)


def test_a_checkpoint_from_before_there_were_stages_is_read(state_of, tmp_path):
    state_of(Progress(Pace(9, step=4))).save(tmp_path)
    saved = checkpoint.load(tmp_path / checkpoint.NAME, torch.device("cpu"))
    for name in ("stage", "plateau", "best_loss"):
        del saved["progress"][name]
    again = state_of(Progress(Pace(1)))
    again.restore(saved)

    assert again.progress == Progress(Pace(9, step=4))
