import copy
import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskwright.devices import DeviceSettings
from maskwright.settings import Budget, OptimizerSettings, TrainingSettings
from maskwright.training.job import Job
from maskwright.training.loop import fit
from maskwright.training.range_test import HIGHEST, LOWEST, RangeTest, range_test, read, smooth


def rates_of(steps):
    return [LOWEST * (HIGHEST / LOWEST) ** (i / (steps - 1)) for i in range(steps)]


class Bowl(nn.Module):
    """Logits that are the weights themselves; a loss of curvature 1 … 1 · spread, lowest at 0."""

    def __init__(self, curvatures):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(len(curvatures)))
        self.encoder = nn.ModuleList()
        self.curvatures = torch.tensor(curvatures)

    def forward(self, images):
        return (self.weight * self.curvatures.sqrt())[None, :, None, None] + 0 * images.sum()


class Everywhere:
    """Data that do not matter, as many steps an epoch as one likes."""

    steps_per_epoch = 1000

    def __getitem__(self, step):
        return SimpleNamespace(step=step)


def bowl(curvatures, name="sgd", noise=0.0):
    """A job whose loss is half the sum of curvature · weight², and a bit of noise that teaches nothing."""

    def loss(logits, labels, weights):
        return logits.square().sum() / 2 + 0.01 + noise * torch.randn(())

    return Job(
        network=Bowl(curvatures),
        crops=Everywhere(),
        finish=lambda batch, device: (torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1), None),
        loss=loss,
        settings=TrainingSettings(
            budget=Budget(steps=1), optimizer=OptimizerSettings(name=name, momentum=0, weight_decay=0)
        ),
        validation=None,
        device=DeviceSettings(),
        folder=Path(),
        seed=0,
    )


@pytest.mark.parametrize("steepest", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_on_a_bowl_the_suggestion_lies_within_a_decade_of_the_best_rate(steepest, noise):
    """Gradient descent on curvatures 1 … k converges fastest at the rate 2 / (1 + k), and not above 2 / k."""
    best = 2 / (1 + steepest)
    found = range_test(bowl([steepest, math.sqrt(steepest), 1.0], noise=noise))

    assert best / 10 <= found.suggestion <= best
    assert found.settings == {"optimizer.lr": pytest.approx(found.suggestion, rel=0.01)}


def test_divergence_ends_the_test_and_is_told():
    found = range_test(bowl([1000.0, 1.0]))

    assert 2e-3 < found.diverged_at < 1
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 100
    assert found.smoothed[-1] > 4 * min(found.smoothed)
    assert found.diverged_at == found.rates[-1]


@pytest.mark.parametrize("last", [math.nan, math.inf])
def test_a_loss_that_is_no_number_has_diverged_and_is_left_out(last):
    found = read(rates_of(50), [1.0] * 20 + [0.9] * 10 + [0.8, last], 50)

    assert found.diverged_at == pytest.approx(rates_of(50)[31])
    assert len(found.losses) == len(found.smoothed) == len(found.rates) == 31
    assert found.lowest == pytest.approx(rates_of(50)[30])
    assert found.suggestion is not None


@pytest.mark.parametrize(
    "losses", [[math.nan], [1.0 + i / 50 for i in range(50)], [1.0, 0.9, 0.9, *([1.1] * 47)], [1.0] * 50]
)
def test_where_the_loss_falls_nowhere_no_rate_is_suggested(losses):
    found = read(rates_of(50), losses, 50)

    assert (found.suggestion, found.steepest, found.lowest, found.settings) == (None, None, None, {})


def test_the_suggestion_is_a_tenth_of_the_lowest_where_the_loss_diverged():
    rates = rates_of(801)  # a hundred steps a decade
    losses = np.interp(np.log10(rates), [-7, -4, -3, -1, 1], [1, 1, 0.4, 0.3, 90]).tolist()
    end = next(i for i, loss in enumerate(smooth(losses, 801)) if loss > 4 * min(smooth(losses, 801)[: i + 1]))
    found = read(rates, losses[: end + 1], 801)

    assert found.lowest == pytest.approx(0.1, rel=0.5)
    assert 1e-4 < found.steepest < 2e-3
    assert found.suggestion == found.lowest / 10


def test_where_it_never_diverged_it_is_the_steepest_fall_if_that_is_lower():
    levels = [1, 1, 0.4, 0.3]
    early, late = ([-7, -2, -1, 1], [-7, 0, 0.9, 1])
    for knees, lower in ((early, True), (late, False)):
        found = read(rates_of(801), np.interp(np.log10(rates_of(801)), knees, levels).tolist(), 801)
        assert (found.lowest, found.diverged_at) == (pytest.approx(10), None)
        assert found.suggestion == (found.steepest if lower else found.lowest / 10)
        assert (found.steepest < 1) == lower


def test_a_fall_long_before_the_lowest_point_is_luck():
    losses = np.full(801, 1.0)
    losses[:5] = 3.0  # the first batches were hard ones
    losses[500:] = np.linspace(0.99, 0.5, 301)
    found = read(rates_of(801), losses.tolist(), 801)

    assert found.lowest / 100 <= found.suggestion <= found.lowest / 10


@given(losses=st.lists(st.floats(0, 100), min_size=1, max_size=60), steps=st.integers(60, 100))
def test_smoothing_is_the_weighted_mean_of_what_came_before(losses, steps):
    back = 0.5 * (steps - 1) / 8
    decay = back / (1 + back)
    for n, found in enumerate(smooth(losses, steps), start=1):
        weights = [decay ** (n - 1 - i) for i in range(n)]
        assert found == pytest.approx(sum(w * x for w, x in zip(weights, losses, strict=False)) / sum(weights))


@given(value=st.floats(1e-6, 1e6))
def test_what_stands_still_is_its_own_smoothing(value):
    assert smooth([value] * 30, 40) == pytest.approx([value] * 30)


def test_nothing_of_the_job_is_touched_and_twice_is_the_same(job_of):
    """Dropout, the norms' statistics and the order of the batches are in it."""
    settings = {"model__dropout": 0.3, "model__dropout_at": "all", "optimizer__clip": 1.0}
    job, untouched = job_of("a", **settings), job_of("b", **settings)
    before = copy.deepcopy(job.network.state_dict())
    told = []
    first = range_test(job, steps=12, progress=lambda *counts: told.append(counts))
    second = range_test(job, steps=12)

    assert first == second
    assert told[-1] == (12, 12)
    assert all(torch.equal(before[name], now) for name, now in job.network.state_dict().items())
    assert all(p.grad is None for p in job.network.parameters())
    assert sorted(path.name for path in job.folder.iterdir()) == ["cache"]
    tested, plain = fit(job), fit(untouched)
    assert all(torch.equal(tensor, plain.weights[name]) for name, tensor in tested.weights.items())


def test_the_rates_are_those_of_the_optimiser_s_own_steps_in_every_group(job_of, monkeypatch):
    seen = []
    real = torch.optim.SGD.step

    def step(self, *args):
        seen.append({group["forward"]: group["lr"] for group in self.param_groups})
        return real(self, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    found = range_test(job_of(optimizer__name="sgd", optimizer__front=0.25), steps=9)

    assert found.rates == pytest.approx([1e-7 * 10**i for i in range(9)][: len(found.rates)])
    for rate, groups in zip(found.rates, seen, strict=False):
        assert groups == pytest.approx({0.0: rate, 0.5: rate / 2, 1.0: rate / 4})


def test_muon_s_two_rates_keep_their_proportion(job_of):
    found = range_test(job_of(optimizer__name="muon", optimizer__lr=0.02, optimizer__side_lr=0.005))

    assert len(found.rates) <= 40, "a tiny set gets fewer steps"
    assert found.settings["optimizer.lr"] == pytest.approx(found.suggestion, rel=0.01)
    assert found.settings["optimizer.side_lr"] == pytest.approx(found.suggestion / 4, rel=0.01)


def test_on_painted_discs_the_suggestion_learns_them(job_of):
    """A training at the suggested rate ends lower than one at a hundredth of it."""
    settings = {"optimizer__name": "adam", "training__budget": {"steps": 30}}
    rate = range_test(job_of("test", **settings)).suggestion
    ends = [
        fit(job_of(f"run-{share}", **settings, optimizer__lr=rate * share)).history[-1].train_loss
        for share in (1, 0.01)
    ]

    assert ends[0] < 0.7 * ends[1]


def test_a_range_test_comes_back_from_its_file(tmp_path):
    found = read(rates_of(50), [1.0] * 20 + [0.9] * 10 + [0.8, math.inf], 50)

    assert RangeTest.load(found.save(tmp_path / "lr-range.json")) == found
    assert list(itertools.pairwise(found.rates))
