"""What the monitor says, how often, and that a resumed run says the same."""

import json

import pytest
import torch

from maskwright.training.callbacks import Listener
from maskwright.training.health import Finding, HealthRow, causes, journal, read_health
from maskwright.training.health.monitor import MOST, QUIET, Monitor
from maskwright.training.loop import fit
from maskwright.training.step import Stepped
from maskwright.training.vitals import EVERY, Look, Vitals, slope


class Scripted:
    """A cause that says at each look what a script says: how strong it is, or nothing."""

    moments = frozenset({"steps"})
    tells = {"scripted": "by a script"}

    def __init__(self, *script):
        self.script = list(script)

    def __call__(self, seen):
        strength = self.script.pop(0) if self.script else None
        if strength is not None:
            severity = "note" if strength < 0 else "warning"
            yield Finding(
                code="scripted", severity=severity, title="It is", why="So.", remedy="Do.", strength=abs(strength)
            )


@pytest.fixture
def said(job_of, monkeypatch):
    """What a monitor says of a script, look by look."""

    def run(*script):
        monkeypatch.setattr(causes, "_parts", {"scripted": Scripted(*script)})
        monkeypatch.setattr(causes, "_sorted", [])
        monkeypatch.setattr(causes, "_complete", True)
        monitor = Monitor(job_of())
        heard = []
        for look in range(1, len(script) + 1):
            for step in range(EVERY):
                monitor.stepped(stepped(1.0), 0.1, EVERY * (look - 1) + step + 1, 0.5)
            heard.append(len(monitor.news()))
        return heard, [row.state for row in monitor.journal.rows]

    return run


def stepped(loss):
    return Stepped(loss, torch.zeros(0), torch.zeros(0), 1.0, vitals=Vitals(0.01, 1.0, (), 3))


def test_what_stays_as_it_is_is_told_once(said):
    assert said(1.0, 1.0, 1.5, 1.9) == ([1, 0, 0, 0], ["begun"])


def test_what_grows_twice_as_bad_is_told_again(said):
    assert said(1.0, 1.5, 2.0, 3.0, 4.0) == ([1, 0, 1, 0, 1], ["begun", "worse", "worse"])


def test_what_is_gone_for_some_looks_is_over_and_may_come_again(said):
    quiet = [None] * QUIET
    assert said(1.0, None, 1.0, *quiet, 1.0)[1] == ["begun", "over", "begun"]


def test_what_comes_and_goes_is_not_told_for_ever(said):
    heard, _ = said(*([1.0] + [None] * QUIET) * 6)
    assert sum(heard) <= 2 * MOST


def test_a_note_stands_in_the_journal_alone(said):
    assert said(-1.0) == ([0], ["begun"])


def test_the_journal_leaves_out_a_line_that_was_cut_short_and_lines_beyond_a_checkpoint(tmp_path):
    path = tmp_path / journal.NAME
    finding = Finding(code="a", severity="note", title="A", why="B.", remedy="C.")
    kept = journal.Journal(path)
    for step in range(3):
        kept.add(HealthRow(step=step, epoch=0.0, state="begun", finding=finding))
    with path.open("a") as file:
        file.write('{"step": 3, "epo')

    assert [row.step for row in read_health(path)] == [0, 1, 2]
    assert [row.step for row in journal.Journal(path, 2).rows] == [0, 1]
    assert [json.loads(line)["step"] for line in path.read_text("utf-8").splitlines()] == [0, 1]


class Texts(Listener):
    def __init__(self):
        self.texts = []

    def warned(self, text):
        self.texts.append(text)


def test_a_resumed_run_says_what_an_uninterrupted_one_says(job_of, listeners):
    settings = {
        "training__budget": {"steps": 70},
        "validation__times": 6,
        "training__checkpoint_seconds": 0,
        "optimizer__lr": 1e-6,
        "optimizer__side_lr": 1e-6,
        "schedule__name": "constant",
    }
    whole = job_of("whole", **settings)
    fit(whole)
    for after in (34, 41):  # before the rate was found too low, and after
        name = f"killed{after}"
        with pytest.raises(listeners.Killed):
            fit(job_of(name, **settings), [listeners.DiesAfter(after)])
        again, heard = job_of(name, **settings), Texts()
        fit(again, [heard], resume=True)

        lines = [(job.folder / journal.NAME).read_text("utf-8") for job in (whole, again)]
        assert lines[0] == lines[1] != ""
        assert (len(heard.texts) == 1) == (after == 34), "told before it was killed"


def test_a_disk_that_is_full_costs_the_line_and_not_the_training(job_of, monkeypatch):
    def full(self, row):
        raise OSError("no space left")

    monkeypatch.setattr(journal.Journal, "add", full)
    job, heard = job_of(sampling__batch=1), Texts()
    outcome = fit(job, [heard])

    assert outcome.steps == 12
    assert any("no space left" in text for text in heard.texts)


def test_a_look_measures_slope_and_step_as_they_are():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Conv2d(3, 2, 1))
    network(torch.rand(1, 1, 5, 5)).sum().backward()
    network[2].weight.grad.zero_()
    gradients = torch.cat([p.grad.flatten() for p in network.parameters()])
    torch.testing.assert_close(slope(network), gradients.norm())
    look = Look(network)
    with torch.no_grad():
        network[0].weight *= 1.01
        network[2].weight *= 0.98
    vitals = look.vitals()

    assert vitals.moved == pytest.approx(0.02, rel=1e-3), "of two the larger"
    assert vitals.idle == ("2.weight",)
    assert vitals.kernels == 2
    assert slope(torch.nn.Conv2d(1, 1, 1)) == 0
