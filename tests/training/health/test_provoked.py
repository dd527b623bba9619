"""Each cause, provoked in a real run on painted discs; and a healthy run, in which nothing is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from maskwright.errors import DataError, SettingError, TrainingError
from maskwright.training.callbacks import Listener
from maskwright.training.health import journal, read_health
from maskwright.training.loop import fit
from maskwright.training.step import Step


class Hears(Listener):
    """Keeps what it is warned of."""

    def __init__(self):
        self.texts = []

    def warned(self, text):
        self.texts.append(text)


def told(job):
    """The codes in the journal of a run."""
    return {row.finding.code for row in read_health(job.folder / journal.NAME)}


LONG = {"training__budget": {"steps": 80}, "validation__times": 6}


def test_of_a_healthy_run_nothing_is_told_but_that_few_images_validate(job_of):
    job, heard = job_of(**{**LONG, "training__budget": {"steps": 120}}), Hears()
    fit(job, [heard])

    assert heard.texts == []
    assert told(job) <= {"validation-small"}


class Breaks:
    """A finish that spoils what the network sees from a step on."""

    def __init__(self, finish, spoil, step=3):
        self.finish, self.spoil, self.step, self.preprocess = finish, spoil, step, finish.preprocess

    def __call__(self, batch, device):
        images, labels, weights = self.finish(batch, device)
        if batch.step >= self.step:
            images, labels = self.spoil(images, labels)
        return images, labels, weights


def lost(job):
    """The error of a training that cannot go on, and the weights that it leaves."""
    with pytest.raises(TrainingError) as caught:
        fit(job)
    assert all(torch.isfinite(p).all() for p in job.network.parameters()), "the step was not to be taken"
    return str(caught.value)


class NanIn(nn.Module):
    """Passes its input on, with a NaN in one place from the fourth call on; or in the gradient that comes back."""

    def __init__(self, back=False):
        super().__init__()
        self.calls, self.back = 0, back

    def forward(self, features):
        self.calls += 1
        if self.calls <= 3:
            return features
        if self.back:
            return Backwards.apply(features)
        return features + torch.tensor(float("nan"))


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features):
        return features.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float("inf")


@pytest.mark.parametrize("back", [False, True])
def test_the_layer_where_nan_began_is_named(back, job_of):
    job = job_of(validation__times=1)
    name, block = next((n, m) for n, m in job.network.named_modules() if isinstance(m, nn.BatchNorm2d))
    parent, _, last = name.rpartition(".")
    job.network.get_submodule(parent)[int(last)] = nn.Sequential(block, NanIn(back))
    text = lost(job)

    if back:
        assert "the loss is sound" in text
        assert f"{name}.0 (BatchNorm2d)" in text, "its output is the first whose gradient is none"
    else:
        assert f"the layer {name}.1 (NanIn)" in text
    assert "at step 3" in text
    assert all(image in text for image in {job.names[i] for i in job.crops.images_of(3)}), "the batch is named"


def test_a_nan_in_an_image_is_told_by_the_image_s_name(job_of):
    job = job_of(validation__times=1)
    crops, name = job.crops, job.names[job.crops.images_of(2)[1]]

    class Spoilt(type(crops)):
        def __getitem__(self, step):
            batch = super().__getitem__(step)
            images = batch.images.float()
            if step == 2:
                images[1, :, 8:12, 8:12] = float("nan")
            return replace(batch, images=images)

    job.crops = Spoilt(crops.cache, crops.sampling, crops.augment, crops.seed, crops.channels)
    text = lost(job)

    assert f"the image {name} holds" in text
    assert f"--skip {name}" in text
    assert told(job) >= {"nan-in-image"}


def test_a_loss_function_that_gives_nan_is_told_from_the_network(job_of):
    job = job_of(validation__times=1)
    sound = job.loss
    calls = []

    def broken(logits, labels, weights=None):
        calls.append(1)
        return sound(logits, labels, weights) * (float("nan") if len(calls) > 4 else 1.0)

    job.loss = broken
    text = lost(job)

    assert "it began in the loss function" in text
    assert "optimizer.clip=1" in text


def test_where_the_weights_have_grown_the_rate_is_the_likely_cause(job_of):
    text = lost(
        job_of(
            training__budget={"steps": 60},
            validation__times=1,
            optimizer__name="sgd",
            optimizer__lr=1e6,
            model__norm="none",
            schedule__name="constant",
        )
    )

    assert "learning rate, 1e+06" in text
    assert "optimizer.lr=2e+05" in text


def test_what_is_sound_in_32_bits_is_an_overflow_of_16(job_of, monkeypatch):
    """On a processor Fabric knows no 16-bit floats; autocast does."""
    job = job_of(validation__times=1)
    learn = Step(job)
    huge = job.network.get_submodule(next(n for n, m in job.network.named_modules() if isinstance(m, nn.Conv2d)))
    with torch.no_grad():
        huge.weight *= 1e6
    job.device = job.device.model_copy(update={"precision": "16-mixed"})
    monkeypatch.setattr(learn.fabric, "autocast", lambda: torch.autocast("cpu", dtype=torch.float16))

    from maskwright.training.health.monitor import Monitor
    from maskwright.training.step import Stepped

    batch = job.crops[0]
    finding = Monitor(job).lost(learn, batch, Stepped(float("nan"), torch.zeros(0), torch.zeros(0)), 0.1)

    assert finding.code == "overflow-in-16-bits"
    assert "device.precision=bf16-mixed" in finding.remedy


def test_the_best_model_so_far_is_kept_when_the_loss_is_lost(job_of):
    job, heard = job_of(training__budget={"steps": 20}, validation__times=10), Hears()
    job.finish = Breaks(job.finish, lambda images, labels: (images * float("nan"), labels), step=9)
    outcome = fit(job, [heard])

    assert outcome.score is not None
    assert outcome.steps == 9
    assert "no number" in outcome.reason or "nan" in outcome.reason
    assert any("best model so far is kept" in text for text in heard.texts)


def test_a_label_that_is_no_class_is_refused_with_the_image_s_name(job_of):
    job = job_of()
    crops, name = job.crops, job.names[job.crops.images_of(0)[1]]

    class Strange(type(crops)):
        def __getitem__(self, step):
            batch = super().__getitem__(step)
            batch.labels[1, 5:9, 5:9] = 7
            return batch

    job.crops = Strange(crops.cache, crops.sampling, crops.augment, crops.seed, crops.channels)
    with pytest.raises(DataError, match=rf"{name} hold 7; with 2 classes they are 0 … 1, and 255") as caught:
        fit(job)
    assert caught.value.files == (name,)
    assert "model.classes=8" in str(caught.value)


def test_batch_norm_with_a_batch_of_one_is_warned_of(job_of):
    job, heard = job_of(sampling__batch=1), Hears()
    fit(job, [heard])

    (text,) = heard.texts
    assert "batch norm" in text
    assert "sampling.batch=4" in text
    assert "model.norm=instance" in text


def test_batch_norm_of_a_single_value_is_refused_with_the_plan(job_of):
    with pytest.raises(SettingError, match="deepest map one pixel"):
        job_of(sampling__batch=1, sampling__crop=[4, 4])


def test_a_rate_too_high_is_told(job_of):
    """Without norms and with plain steps, so that nothing saves it; clipped, so that it does not end in NaN."""
    settings = {"optimizer__name": "adam", "optimizer__lr": 1.0, "model__norm": "none", "schedule__name": "constant"}
    job, heard = job_of(**LONG, **settings), Hears()
    fit(job, [heard])

    assert "rate-too-high" in told(job)
    assert any("optimizer.lr=0.1" in text for text in heard.texts)


def test_a_rate_too_low_is_told(job_of):
    settings = {"optimizer__lr": 1e-6, "optimizer__side_lr": 1e-6, "schedule__name": "constant"}
    job, heard = job_of(**LONG, **settings), Hears()
    fit(job, [heard])

    assert "rate-too-low" in told(job)
    assert any("optimizer.lr=0.0001" in text for text in heard.texts)


def test_a_network_that_says_one_class_only_is_told(job_of, monkeypatch):
    monkeypatch.setattr("maskwright.training.health.seen.SHORT", 10)
    job, heard = job_of(**LONG, loss={"terms": {"cross_entropy": 1.0}, "class_weights": [1.0, 1e-6]}), Hears()
    fit(job, [heard])

    assert "one-class-only" in told(job)
    (text,) = [text for text in heard.texts if "Every pixel is called" in text]
    assert "loss.class_weights=[" in text


def test_layers_whose_units_are_dead_are_told(job_of):
    job = job_of(**LONG, model__norm="none")
    with torch.no_grad():
        name, conv = [(n, m) for n, m in job.network.encoder.named_modules() if isinstance(m, nn.Conv2d)][-1]
        conv.weight.zero_()
        conv.bias.fill_(-1e3)
    heard = Hears()
    fit(job, [heard])

    assert "layers-dead" in told(job)
    assert any(f"encoder.{name}.weight" in text for text in heard.texts)


def test_where_everything_is_ignored_there_is_nothing_to_learn(job_of):
    job = job_of(**LONG)
    job.finish = Breaks(job.finish, lambda images, labels: (images, torch.full_like(labels, 255)), step=0)
    fit(job)

    assert "nothing-to-learn" in told(job)


def test_steps_that_wait_for_their_images_are_told_once(job_of, monkeypatch):
    monkeypatch.setattr("maskwright.training.health.monitor.time.perf_counter", Ticks())
    job, heard = job_of(**LONG), Hears()
    fit(job, [heard])

    (text,) = [text for text in heard.texts if "waiting for batches" in text]
    assert "75% of the time" in text


class Ticks:
    """A clock by which a batch takes three times as long as what is done with it."""

    def __init__(self):
        self.now, self.reads = 0.0, 0

    def __call__(self):
        self.now += 3.0 if self.reads % 2 else 1.0
        self.reads += 1
        return self.now


def test_a_score_that_rests_on_one_image_is_noted(job_of):
    job, heard = job_of(), Hears()
    count = len(job.validation.cache)
    fit(job, [heard])

    assert ("validation-small" in told(job)) == (count < 3)
    assert heard.texts == [], "a note stands in the report alone"


def test_labels_of_classes_and_ignored_ones_pass(job_of):
    from maskwright.training.health.monitor import demand_classes

    job = job_of()
    batch = job.crops[0]
    batch.labels[:] = torch.from_numpy(np.random.default_rng(0).choice([0, 1, 255], batch.labels.shape))
    demand_classes(job, batch)
    batch.labels[0, 0, 0] = 254
    with pytest.raises(DataError):
        demand_classes(job, batch)
