"""The loop against the same training written down step by step with torch alone."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.model import UNet
from maskwright.records import IGNORED
from maskwright.training.loop import fit

CPU = torch.device("cpu")
PLAIN = {"training__ema": None, "schedule__name": "constant", "optimizer__lr": 0.01, "optimizer__weight_decay": 0.1}
THEIRS = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.01, momentum=0.8, nesterov=True),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.01, betas=(0.8, 0.99)),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.99)),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=0.01, momentum=0.8, alpha=0.99),
}


@pytest.mark.parametrize("name", THEIRS)
def test_each_step_is_torch_s_own(name, job_of, listeners):
    job = job_of(optimizer__name=name, optimizer__momentum=0.8, **PLAIN)
    twin = copy.deepcopy(job.network)
    kernels, rest = ([p for p in twin.parameters() if (p.ndim > 1) is big] for big in (True, False))
    theirs = THEIRS[name]([{"params": kernels, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}])
    watch = listeners.Watches(job)
    fit(job, [watch])

    for step in range(12):
        images, labels, _ = job.finish(job.crops[step], CPU)
        loss = job.loss(twin(images), labels)
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        assert watch.news[step].loss == pytest.approx(loss.item(), rel=1e-5), step
        for key, expected in twin.state_dict().items():
            torch.testing.assert_close(watch.weights[step][key], expected, rtol=1e-4, atol=1e-5, msg=f"{step} {key}")


class TwoSizes(UNet):
    """A network that gives logits at two sizes while it learns, and at one when it predicts."""

    def forward(self, images):
        logits = super().forward(images)
        return (logits, F.avg_pool2d(logits, 2)) if self.training else logits


def test_logits_of_several_sizes_are_all_learnt_from(job_of, listeners):
    job = job_of(optimizer__name="sgd", optimizer__momentum=0, **PLAIN)
    job.network = TwoSizes.from_record(job.network.record)
    twin = copy.deepcopy(job.network)
    theirs = torch.optim.SGD(
        [{"params": [p], "weight_decay": 0.1 if p.ndim > 1 else 0.0} for p in twin.parameters()], lr=0.01
    )
    watch = listeners.Watches(job)
    outcome = fit(job, [watch])

    for step in range(12):
        images, labels, _ = job.finish(job.crops[step], CPU)
        large, small = twin(images)
        loss = 2 / 3 * job.loss(large, labels) + 1 / 3 * job.loss(small, labels[:, 1::2, 1::2])
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        assert watch.news[step].loss == pytest.approx(loss.item(), rel=1e-4)
    assert outcome.score is not None
    assert outcome.history[0].train_accuracy is not None


def test_pixels_of_no_weight_teach_nothing(job_of, listeners):
    """Weights of 0 and 1 are the same as labels that are ignored where the 0 is; in a valid network too."""

    class Weighty:
        """Finishes a batch as ever, but only the left half of it counts: by weights, or by its labels."""

        def __init__(self, finish, by_weights):
            self.finish, self.by_weights, self.preprocess = finish, by_weights, finish.preprocess

        def __call__(self, batch, device):
            images, labels, _ = self.finish(batch, device)
            left = torch.arange(labels.shape[-1]) < labels.shape[-1] // 2
            if self.by_weights:
                return images, labels, (left & (labels != IGNORED)).float()
            return images, labels.where(left, IGNORED), None

    class WeighedMean(nn.Module):
        """Cross-entropy that knows weights."""

        def forward(self, logits, labels, weights=None):
            each = F.cross_entropy(logits, labels.long(), ignore_index=IGNORED, reduction="none")
            amount = (labels != IGNORED).float() if weights is None else weights
            return (each * amount).sum() / amount.sum()

    found = []
    for by_weights in (True, False):
        job = job_of(
            str(by_weights), model__padding="valid", model__depth=1, sampling__crop=[24, 24], optimizer__name="sgd"
        )
        job.finish, job.loss = Weighty(job.finish, by_weights), WeighedMean()
        watch = listeners.Watches(job)
        fit(job, [watch])
        found.append([news.loss for news in watch.news])

    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_keeping_by_loss_keeps_the_weights_of_the_lowest_loss(job_of, listeners):
    job = job_of(validation__keep="loss", validation__times=12, training__ema=None, optimizer__name="sgd")
    scores = iter([(3.0, 0.1), (1.0, 0.2), (2.0, 0.9), (1.5, 0.8), (0.5, 0.3)] + [(4.0, 0.95)] * 9)
    job.validation = Pretends(scores)
    watch = listeners.Watches(job)
    outcome = fit(job, [watch])

    assert [row.best for row in watch.rows] == [True, True, False, False, True] + [False] * 7
    assert outcome.score == 0.3, "the mean IoU of what is kept"
    assert all(torch.equal(outcome.weights[name], tensor) for name, tensor in watch.weights[4].items())


@pytest.mark.parametrize(("keep", "steps"), [("score", 5), ("loss", 4)])
def test_patience_counts_by_what_is_kept(keep, steps, job_of):
    job = job_of(validation__keep=keep, validation__times=12, validation__patience=2)
    scores = [(1.0, 0.5), (0.9, 0.4), (1.1, 0.6), (1.2, 0.5), (1.3, 0.4), (0.1, 0.9)]
    job.validation = Pretends(iter(scores))
    outcome = fit(job)

    assert outcome.steps == steps
    assert outcome.reason == f"no better {keep} in 2 validations"
    assert outcome.finished


class Pretends:
    """A validation that says what it was told to."""

    def __init__(self, scores):
        self.scores = scores

    def __call__(self, network, device):
        from maskwright.training.validation import ValidationScore

        loss, mean_iou = next(self.scores)
        return ValidationScore(loss, mean_iou, 0.5)


def test_on_a_plateau_the_rate_falls(job_of, listeners):
    job = job_of(
        schedule__name="plateau", schedule__patience=2, schedule__factor=0.5, validation__times=12,
        optimizer__name="sgd", optimizer__lr=0.08,
    )  # fmt: skip
    job.validation = Pretends(iter([(loss, 0.5) for loss in [3, 2, 2, 2, 1, 1, 1, 1, 1, 0.5, 1, 1]]))
    watch = listeners.Watches(job)
    fit(job, [watch])

    assert [row.rate for row in watch.rows] == pytest.approx([0.08] * 4 + [0.04] * 3 + [0.02] * 2 + [0.01] * 3)


def test_a_new_stage_begins_at_the_top_and_with_fresh_patience(job_of, listeners):
    job = job_of(
        training__stages=[{"epochs": 1}, {"epochs": 1}], schedule__name="plateau", schedule__patience=2,
        schedule__factor=0.5, validation__times=12, validation__patience=5, validation__keep="loss",
        optimizer__name="sgd", optimizer__lr=0.08,
    )  # fmt: skip
    job.validation = Pretends(iter([(loss, 0.5) for loss in [2, 1, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2]]))
    watch = listeners.Watches(job)
    outcome = fit(job, [watch])

    # The rate of a row is that of the step before it. Four waits lie before the border, five behind it.
    assert [row.rate for row in watch.rows] == pytest.approx(
        [0.08] * 4 + [0.04] * 2 + [0.08] * 3 + [0.04] * 2
    )  # fmt: skip
    assert (outcome.steps, outcome.reason) == (11, "no better loss in 5 validations")


def test_a_plateau_without_validation_images_is_an_error_before_anything_is_decoded(discs, job_of, monkeypatch):
    monkeypatch.setattr("maskwright.data.cache.build", None)  # whoever called it would fail otherwise
    monkeypatch.setattr(type(discs.samples), "part", lambda *_: [])

    with pytest.raises(SettingError, match=r"plateau schedule follows the validation loss.*--val"):
        job_of(schedule__name="plateau")
