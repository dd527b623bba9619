"""The quick test tells networks that can learn from those that cannot, and says why."""

import dataclasses

import pytest
import torch

from maskwright import api
from maskwright.data.augment import OFF
from maskwright.errors import DataError
from maskwright.training.one_batch import LEARNT, bare, one_batch
from maskwright.training.prepare import prepare

QUICK = {"sampling.crop": [24, 20], "device.threads": 1, "device.channels_last": False, "model.dropout": 0.3}


@pytest.fixture
def bare_job(discs, tiny, tmp_path):
    """A job of one batch, with settings of the plan changed."""

    def build(**settings):
        named = {key.replace("__", "."): value for key, value in settings.items()}
        plan = api.plan(discs, device="cpu", settings={**tiny, **QUICK, **named})
        stripped, few = bare(plan, discs.samples)
        return prepare(tmp_path, few, stripped)

    return build


def test_a_sound_network_learns_a_batch_by_heart(bare_job):
    told = []
    found, shown = one_batch(bare_job(), progress=lambda done, total: told.append((done, total)))

    assert found.learnt
    assert found.mean_iou >= LEARNT or found.accuracy >= 0.98
    assert set(found.iou) == {"background", "foreground"}
    assert found.steps < 200
    assert told[-1] == (200, 200)
    assert len(found.images) == 2
    known = shown.labels != 255
    assert (shown.predicted == shown.labels)[known].mean() == pytest.approx(found.accuracy)


def test_nothing_stands_between_the_network_and_the_batch(discs, tiny):
    plan = api.plan(discs, device="cpu", settings={**tiny, **QUICK})
    stripped, few = bare(plan, discs.samples)

    assert stripped.augment == OFF
    assert stripped.model.dropout == 0
    assert stripped.training.optimizer.weight_decay == 0
    assert stripped.training.schedule.name == "constant"
    assert len(few.samples) == plan.sampling.batch
    assert all(sample.split == "train" for sample in few.samples)


def test_a_rate_too_high_is_the_verdict_where_the_loss_is_lost(bare_job):
    found, _ = one_batch(
        bare_job(optimizer__name="sgd", optimizer__lr=1e9, model__norm="none", model__dropout=0.0), steps=20
    )

    assert not found.learnt
    assert "too high" in found.verdict
    assert "optimizer.lr=2e+08" in found.remedy


def test_a_rate_too_low_is_the_verdict_where_the_loss_still_falls(bare_job):
    found, _ = one_batch(bare_job(optimizer__lr=4e-4, optimizer__side_lr=4e-4), steps=40)

    assert not found.learnt
    assert "still falls" in found.verdict
    assert "optimizer.lr=0.0012" in found.remedy


def test_masks_that_cannot_be_known_are_the_verdict_where_the_loss_stands_still(bare_job):
    """The same image twice, with masks that contradict each other."""
    job = bare_job()

    class Contradicts:
        preprocess = job.finish.preprocess

        def __call__(self, batch, device):
            images, labels, _ = finish(batch, device)
            flipped = torch.stack([labels[0], torch.where(labels[0] == 255, 255, 1 - labels[0])]).to(torch.uint8)
            return images[:1].expand_as(images).clone(), flipped, None

    finish, job.finish = job.finish, Contradicts()
    found, _ = one_batch(job, steps=60)

    assert not found.learnt
    assert "stands still" in found.verdict or "same" in found.verdict
    assert found.remedy


def test_a_batch_in_which_all_is_ignored_is_refused(bare_job):
    job = bare_job()
    finish = job.finish

    class Ignores:
        preprocess = finish.preprocess

        def __call__(self, batch, device):
            images, labels, weights = finish(batch, device)
            return images, torch.full_like(labels, 255), weights

    job.finish = Ignores()
    with pytest.raises(DataError, match="Every pixel of the batch is ignored"):
        one_batch(job)


def test_a_label_that_is_no_class_is_refused(bare_job):
    job = bare_job()
    crops = job.crops
    batch = dataclasses.replace(crops[0], labels=torch.full_like(crops[0].labels, 9))

    class Strange(type(crops)):
        def __getitem__(self, step):
            return batch

    job.crops = Strange(crops.cache, crops.sampling, crops.augment, crops.seed, crops.channels)
    with pytest.raises(DataError, match="hold 9"):
        one_batch(job)
