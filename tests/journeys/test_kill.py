"""Killed at any moment and resumed, a run ends with the weights of the uninterrupted one, bit for bit."""

import os
import random
import signal

import pytest
import torch
from safetensors.torch import load_file
from tests.journeys.killing import Moment, Zygote

from maskwright.training.callbacks import read_history

SETTINGS = {
    "model.base": 4, "sampling.crop": [16, 16], "model.dropout": 0.2, "model.dropout_at": "all",
    "augment.elastic": 2.0, "device.threads": 1, "loss.border": {"w0": 5.0},
}  # fmt: skip
BUDGETS = {"epochs": "training.budget={epochs: 3}", "steps": "training.budget={steps: 11}"}

PLACES = [
    # file, function, most calls of it, most calls after it
    ("data/survey.py", "survey", 1, 3000),
    ("maskwright/records.py", "Record.save", 3, 30),
    ("data/cache.py", "_fill", 2, 300),
    ("training/step.py", "Step.__call__", 1, 2000),
    ("training/step.py", "Step.__call__", 11, 2000),
    ("training/stages.py", "Stages.steer", 11, 20),
    ("training/checkpoint.py", "_write", 11, 1500),
    ("training/checkpoint.py", "_write", 4, 1500),
    ("training/validation.py", "Validation.__call__", 3, 1500),
    ("training/callbacks.py", "History.add", 3, 60),
    ("training/state.py", "Progress.judge", 3, 100),
    ("training/state.py", "State.restore", 1, 300),
    ("training/lock.py", "held", 1, 60),
    ("maskwright/records.py", "sweep", 1, 60),
    ("maskwright/modelfile.py", "save", 2, 300),
    ("maskwright/api.py", "_mark", 1, 30),
    ("evaluation/gallery.py", "data_pictures", 1, 3000),
    ("evaluation/report.py", "write_report", 1, 3000),
    ("shutil.py", "rmtree", 2, 30),
    ("maskwright/records.py", "sync_folder", 2, 12),
]
"""Where a kill would hurt."""


def moment(rng):
    """Anywhere, or where it would hurt."""
    if rng.random() < 0.3:
        return Moment(int(10 ** rng.uniform(2, 6)))
    file, function, nth, calls = rng.choice(PLACES)
    # The later, the rarer: a resumed run has fewer of all left, and one that is not killed is over.
    return Moment(rng.randrange(calls), file, function, 1 + int(nth * rng.random() ** 3))


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    with Zygote(tmp_path_factory.mktemp("zygote")) as zygote:
        yield zygote


@pytest.fixture(scope="module")
def words(paint_blobs, tmp_path_factory, tiny):
    """What trains in a moment, but the budget and the run's folder."""
    folder = paint_blobs(tmp_path_factory.mktemp("kill") / "blobs", size=(24, 20))
    return ["train", folder, "--device", "cpu", *(f"{k}={v}" for k, v in {**tiny, **SETTINGS}.items())]


@pytest.fixture(scope="module")
def whole(zygote, words, tmp_path_factory):
    """The uninterrupted run of a budget: weights and history."""
    known = {}

    def of(budget):
        if budget not in known:
            run = tmp_path_factory.mktemp("whole") / budget
            ended = zygote(*words, BUDGETS[budget], "--out", run)
            assert ended.code == 0, ended.said
            known[budget] = found(run)
        return known[budget]

    return of


def found(run):
    rows = read_history(run / "history.jsonl")
    return load_file(run / "model.safetensors"), [row.model_dump(exclude={"seconds"}) for row in rows]


def trained_with_kills(zygote, words, run, moments, rng):
    """Train and resume until it is finished; the moments at which it was killed."""
    killed = []
    for until in [*moments, None]:
        workers = ("--workers", rng.choice([0, 0, 1, 3]))
        begun = (run / "plan.yaml").exists()
        ended = zygote(*(["train", "--resume", run] if begun else [*words, "--out", run]), *workers, until=until)
        if ended.code == 0:
            return killed
        assert ended.killed, f"{until}\n{ended.said}"
        killed.append(until)
    raise AssertionError("the last one was given all the time it wanted")


def demand_the_same(run, whole, killed):
    weights, rows = found(run)
    assert weights.keys() == whole[0].keys()
    assert all(torch.equal(weights[name], whole[0][name]) for name in weights), killed
    assert rows == whole[1], killed
    left = {path.name for path in run.iterdir()}
    assert left == {
        "samples.json", "fingerprint.json", "plan.yaml", "history.jsonl", "history.csv", "health.jsonl", "last.ckpt",
        "model.safetensors",
        "scores-val.json", "report.html", "pictures",
    }, killed  # fmt: skip


def test_killed_where_it_hurts_and_resumed_it_ends_the_same(zygote, words, whole, tmp_path):
    moments = [
        Moment(400, "training/step.py", "Step.__call__", 1),
        Moment(250, "training/checkpoint.py", "_write", 3),
        Moment(300, "training/validation.py", "Validation.__call__", 1),
        Moment(15, "training/callbacks.py", "History.add", 1),
        Moment(50, "maskwright/modelfile.py", "save", 1),
        Moment(1000, "evaluation/report.py", "write_report", 1),
    ]
    run = tmp_path / "run"
    killed = trained_with_kills(
        zygote, [*words, BUDGETS["epochs"], "checkpoint_seconds=0"], run, moments, random.Random(0)
    )

    assert killed == moments, "each of them came"
    demand_the_same(run, whole("epochs"), killed)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_the_same(zygote, words, whole, tmp_path):
    """MASKWRIGHT_KILLS=50 kills more often."""
    rng, seen, run = random.Random(5), [], 0
    while len(seen) < int(os.environ.get("MASKWRIGHT_KILLS", "20")):
        budget = rng.choice(list(BUDGETS))
        often = f"checkpoint_seconds={rng.choice([0, 0, 0.2])}"
        folder = tmp_path / str(run)
        killed = trained_with_kills(
            zygote, [*words, BUDGETS[budget], often], folder, [moment(rng) for _ in range(rng.randint(3, 9))], rng
        )
        demand_the_same(folder, whole(budget), killed)
        seen += killed
        run += 1

    places = {each.function for each in seen}
    assert len(places) > 7, places


def words_at(words, run, *more):
    return [*words, BUDGETS["epochs"], "--out", run, *more]


def test_sigterm_saves_and_ends_with_143_and_the_run_goes_on(zygote, words, whole, tmp_path):
    """Also in a validation, with workers, and when it comes twice."""
    run = tmp_path / "run"
    term = Moment(50, "training/validation.py", "Validation.__call__", 2, signal.SIGTERM)
    ended = zygote(*words_at(words, run, "--workers", 1), until=term)

    assert ended.code == 143
    assert f"the training is saved. Go on with: maskwright train --resume {run}" in " ".join(ended.said.split())
    assert "terminated" in (run / "interrupted").read_text()
    assert not (run / "model.safetensors").exists(), "there is no time for that"
    assert (run / "last.ckpt").exists()
    assert zygote("train", "--resume", run).code == 0
    demand_the_same(run, whole("epochs"), term)


def test_ctrl_c_writes_the_best_model_and_ends_with_130(zygote, words, whole, tmp_path):
    run = tmp_path / "run"
    stop = Moment(10, "training/step.py", "Step.__call__", 7, signal.SIGINT)
    assert zygote(*words_at(words, run, "--workers", 1), until=stop).code == 130
    assert (run / "model.safetensors").exists()
    assert (run / "report.html").exists()
    assert zygote("train", "--resume", run).code == 0
    demand_the_same(run, whole("epochs"), stop)
    ended = zygote("train", "--resume", run)
    assert (ended.code, "is finished" in ended.said) == (2, True)


@pytest.mark.slow
def test_a_run_killed_before_its_plan_says_so_and_its_command_works_again(zygote, words, whole, tmp_path):
    run = tmp_path / "run"
    early = Moment(5, "maskwright/records.py", "Record.save", 2)
    assert zygote(*words_at(words, run), until=early).killed
    assert (run / "samples.json").exists()
    assert not (run / "plan.yaml").exists()
    ended = zygote("train", "--resume", run)
    assert ended.code == 2
    assert "Nothing was learnt yet" in ended.said

    assert zygote(*words_at(words, run)).code == 0
    demand_the_same(run, whole("epochs"), early)


@pytest.mark.slow
def test_a_full_disk_is_told_and_costs_nothing_once_there_is_room(zygote, words, whole, tmp_path):
    """No file may become as large as a model: neither checkpoint nor model can be written."""
    run = tmp_path / "run"
    ended = zygote(*words_at(words, run, "checkpoint_seconds=0"), limit=20_000)
    said = " ".join(ended.said.split())
    assert ended.code == 2, said
    assert "Traceback" not in said
    assert "last.ckpt could not be written" in said
    assert "model.safetensors could not be written" in said
    assert f"what is lost is learnt again by maskwright train --resume {run}" in said
    assert not list(run.glob("*.safetensors")) + list(run.glob("*.ckpt")) + list(run.glob(".*")), "no half of a file"

    assert zygote("train", "--resume", run).code == 0
    demand_the_same(run, whole("epochs"), ended)
