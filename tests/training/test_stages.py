import copy
import itertools
import re
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskwright.settings import Budget, Stage, TrainingSettings
from maskwright.training.loop import fit
from maskwright.training.pace import Clock, Pace
from maskwright.training.stages import place
from maskwright.training.state import Progress

lists = st.lists(st.floats(0.5, 50), min_size=1, max_size=5).map(lambda n: tuple(Stage(epochs=e) for e in n))


def test_places_by_hand():
    stages = (Stage(epochs=3), Stage(epochs=6), Stage(epochs=1))
    found = [place(stages, step / 10) for step in range(11)]

    assert [stage for stage, _ in found] == [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2]
    assert [share for _, share in found] == pytest.approx([0, 1 / 3, 2 / 3, 0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 0, 1])


def test_a_border_that_binary_numbers_miss_by_a_bit_is_still_met():
    stages = tuple(Stage(epochs=epochs) for epochs in (0.1, 0.2, 0.7))  # which add up to 0.30000000000000004 and 1
    found = [place(stages, step / 10) for step in range(10)]

    assert [stage for stage, _ in found] == [0, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    assert found[3].progress == pytest.approx(0)


@given(progress=st.floats(0, 1))
def test_a_single_stage_is_the_training_itself(progress):
    assert place((Stage(epochs=7),), progress) == (0, progress)


@given(stages=lists, a=st.floats(0, 1), b=st.floats(0, 1))
def test_stages_come_one_after_the_other(stages, a, b):
    first, second = (place(stages, p) for p in sorted((a, b)))

    assert first.stage < second.stage or (first.stage == second.stage and first.progress <= second.progress)
    assert 0 <= first.progress <= 1 + 1e-9


@given(stages=lists, steps=st.integers(1, 300))
def test_every_step_of_a_budget_in_steps_falls_into_the_stage_whose_share_it_is(stages, steps):
    pace = Pace(steps)
    counts = [0] * len(stages)
    while not pace.done:
        counts[place(stages, pace.progress).stage] += 1
        pace.step += 1

    whole = sum(stage.epochs for stage in stages)
    for stage, count in zip(stages, counts, strict=True):
        assert abs(count - steps * stage.epochs / whole) <= 1


STAGES = [{"epochs": 4, "freeze": True}, {"epochs": 5, "lr": 0.004, "front": 0.25}, {"epochs": 3, "freeze": True}]


def groups_after_each_step(job, listeners, monkeypatch):
    """The optimiser's groups, as they were when each step was made."""
    seen = []
    real = torch.optim.SGD.step

    def step(self, *args):
        seen.append(copy.deepcopy([{k: v for k, v in g.items() if k != "params"} for g in self.param_groups]))
        return real(self, *args)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    watch = listeners.Watches(job)
    fit(job, [watch])
    return seen, watch


def test_each_stage_runs_the_whole_schedule_at_its_own_top(job_of, listeners, monkeypatch):
    job = job_of(
        training__stages=STAGES, optimizer__name="sgd", optimizer__lr=0.01, schedule__name="polynomial",
        schedule__power=1, schedule__warmup=0, schedule__last=0,
    )  # fmt: skip
    seen, _ = groups_after_each_step(job, listeners, monkeypatch)

    tops = [0.01] * 4 + [0.004] * 5 + [0.01] * 3
    shares = [1, 3 / 4, 2 / 4, 1 / 4, 1, 4 / 5, 3 / 5, 2 / 5, 1 / 5, 1, 2 / 3, 1 / 3]
    for step, groups in enumerate(seen):
        rates = {group["forward"]: group["lr"] for group in groups}
        front = 0.25 if 4 <= step < 9 else 1.0
        for forward in (0.0, 0.5, 1.0):
            assert rates[forward] == pytest.approx(tops[step] * shares[step] * front**forward), (step, forward)


def test_momentum_is_cycled_in_each_stage(job_of, listeners, monkeypatch):
    job = job_of(
        training__stages=[{"epochs": 1}, {"epochs": 2}], optimizer__name="sgd", optimizer__momentum=0.9,
        schedule__low_momentum=0.5, schedule__warmup=0.5,
    )  # fmt: skip
    seen, _ = groups_after_each_step(job, listeners, monkeypatch)

    assert [groups[0]["momentum"] for groups in seen] == pytest.approx(
        [0.9, 0.7, 0.5, 0.7, 0.9, 0.8414213562373095, 0.7, 0.5585786437626905, 0.5, 0.5585786437626905, 0.7,
         0.8414213562373095]
    )  # fmt: skip


def of_encoder(network, state):
    ours = tuple(f"{name}." for name in ("stem", "encoder", "downs"))
    return {name: tensor for name, tensor in state.items() if name.startswith(ours)}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_a_frozen_encoder_is_the_same_bit_for_bit_with_its_statistics(name, job_of):
    job = job_of(
        training__stages=[{"epochs": 1, "freeze": True}], optimizer__name=name, optimizer__weight_decay=0.5,
        model__stem=2, model__down="strided", model__dropout=0.5, model__dropout_at="all",
    )  # fmt: skip
    before = copy.deepcopy(job.network.state_dict())
    outcome = fit(job)

    for after in (job.network.state_dict(), outcome.weights):
        assert same(of_encoder(job.network, before), of_encoder(job.network, after))
        assert not torch.equal(before["head.weight"], after["head.weight"])
    assert any("num_batches_tracked" in key for key in of_encoder(job.network, before))


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "rmsprop", "muon"])
def test_neither_momentum_nor_decay_moves_an_encoder_that_freezes_later(name, job_of, listeners):
    job = job_of(
        training__stages=[{"epochs": 5}, {"epochs": 5, "freeze": True}, {"epochs": 2}], optimizer__name=name,
        optimizer__weight_decay=0.1, optimizer__lr=0.003,
    )  # fmt: skip
    watch = listeners.Watches(job)
    fit(job, [watch])
    parts = [of_encoder(job.network, state) for state in watch.weights]

    assert not same(parts[3], parts[4])
    assert all(same(parts[4], part) for part in parts[5:10])
    assert not same(parts[9], parts[10])
    heads = [state["head.weight"] for state in watch.weights]
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(heads))


def test_while_it_is_frozen_its_dropout_is_off_and_afterwards_on(job_of, listeners):
    job = job_of(training__stages=[{"epochs": 1, "freeze": True}, {"epochs": 1}], model__dropout=0.5)
    dropouts = [m for m in job.network.encoder.modules() if isinstance(m, nn.Dropout2d)]
    modes = []

    class Looks(listeners.Watches):
        def stepped(self, news):
            modes.append({m.training for m in dropouts})
            assert job.network.decoder.training

    fit(job, [Looks(job)])

    assert dropouts
    assert modes == [{False}] * 6 + [{True}] * 6


def test_what_an_encoder_keeps_fixed_itself_is_not_set_free(job_of):
    job = job_of(training__stages=[{"epochs": 1, "freeze": True}, {"epochs": 1}])
    fixed = next(job.network.encoder.parameters()).requires_grad_(False)
    before = fixed.detach().clone()
    fit(job)

    assert torch.equal(fixed, before)
    assert all(p.requires_grad for p in job.network.parameters() if p is not fixed)


def test_an_encoder_that_learns_after_a_frozen_stage_starts_muon_s_counts_then(job_of):
    """One count for frozen and learning parameters would take the young means of the thawed for old ones."""
    job = job_of(training__stages=[{"epochs": 9, "freeze": True}, {"epochs": 3}], optimizer__name="muon")
    fit(job)
    saved = torch.load(job.folder / "last.ckpt", weights_only=True)["optimizer"]["param_groups"]
    side = [group for group in saved if not group["orthogonal"]]

    assert {group["step"] for group in side} == {3, 12}


STEERED = {
    "one-cycle": {"optimizer__name": "adamw", "schedule__low_momentum": 0.6},
    "plateau": {
        "optimizer__name": "sgd",
        "schedule__name": "plateau",
        "schedule__patience": 1,
        "schedule__factor": 0.5,
    },
    "muon": {"optimizer__name": "muon", "schedule__name": "cosine"},
}


@pytest.mark.parametrize(("how", "steps"), [("one-cycle", (3, 4, 5)), ("plateau", (4,)), ("muon", (9,))])
def test_killed_anywhere_and_resumed_it_is_the_same_bit_for_bit(how, steps, job_of, listeners):
    settings = {
        "training__stages": STAGES, "training__checkpoint_seconds": 0, "validation__times": 8,
        "model__dropout": 0.3, "model__dropout_at": "all", "validation__keep": "loss", **STEERED[how],
    }  # fmt: skip
    whole_job = job_of("whole", **settings)
    whole = fit(whole_job)
    for step in steps:
        run = f"killed-{step}"
        with pytest.raises(listeners.Killed):
            fit(job_of(run, **settings), [listeners.DiesAfter(step)])
        assert (
            torch.load(whole_job.folder.parent / run / "last.ckpt", weights_only=True)["progress"]["pace"]["step"]
            == step
        )
        job = job_of(run, **settings)
        again = fit(job, resume=True)

        assert same(whole.weights, again.weights), step
        assert same(whole_job.network.state_dict(), job.network.state_dict()), step
        rows = [[row.model_dump(exclude={"seconds"}) for row in outcome.history] for outcome in (whole, again)]
        assert rows[0] == rows[1]
        assert (whole.score, whole.steps) == (again.score, again.steps)


def test_a_stage_begins_with_fresh_patience_and_a_fresh_plateau():
    progress = Progress(Pace(10))
    progress.without_gain, progress.plateau.share, progress.plateau.best = 3, 0.1, 0.5
    progress.begin(1)

    assert (progress.stage, progress.without_gain, progress.plateau.share) == (1, 0, 1.0)
    assert progress.plateau.best == float("inf")


def test_with_a_budget_in_minutes_the_stages_share_it(job_of, listeners, monkeypatch):
    """In pretended time: whoever looks at the clock finds a second gone."""
    job = job_of(training__stages=[{"epochs": 1, "freeze": True}, {"epochs": 1}], training__budget={"minutes": 6})
    seconds = itertools.count()
    monkeypatch.setattr("maskwright.training.loop.Clock", partial(Clock, now=lambda: float(next(seconds))))
    modes = []
    watch = listeners.Watches(job)
    watch.stepped = lambda _: modes.append(job.network.encoder.training)
    outcome = fit(job, [watch])

    assert outcome.reason == "the budget was used"
    assert modes == sorted(modes), "frozen first, then not"
    # Nothing is known of the pace before it is measured, in the first eleven steps.
    assert modes.index(True) - 11 == pytest.approx((len(modes) - 11) / 2, abs=0.15 * len(modes))


def test_no_stages_and_one_stage_are_the_same_training(job_of):
    none, one = (fit(job_of(run, training__stages=stages)) for run, stages in (("a", []), ("b", [{"epochs": 5}])))

    assert same(none.weights, one.weights)


def test_the_record_of_the_stages_stands_in_the_plan_that_is_saved(job_of):
    settings = TrainingSettings(budget=Budget(steps=3), stages=(Stage(epochs=1, freeze=True),))

    assert re.search(r"stages:\n- epochs: 1.0\n  freeze: true", str(settings))
