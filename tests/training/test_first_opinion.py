"""Before it has learned anything, a network finds each class as likely as the training images show it."""

import numpy as np
import pytest
import torch

from maskwright.model import UNet
from maskwright.records import IGNORED
from maskwright.training.first_opinion import LEAST, begin_with, shares_of


class Images(list):
    """Labels as the cache gives them."""

    def labels(self, i):
        return self[i]


def first_said(network):
    with torch.no_grad():
        logits = network.eval().logits(torch.randn(1, network.record.in_channels, 32, 32))
    return logits.softmax(1) if network.record.classes > 1 else logits.sigmoid()


def test_shares_are_of_the_pixels_that_count():
    labels = np.zeros((4, 4), np.uint8)
    labels[0] = 1
    labels[1] = IGNORED

    assert shares_of(Images([labels] * 3), 3).tolist() == [8 / 12, 4 / 12, 0]
    assert shares_of(Images([np.full((2, 2), IGNORED, np.uint8)]), 2).tolist() == [0.5, 0.5], "nothing is known"


def test_of_many_images_some_are_looked_at_from_the_first_to_the_last():
    seen = []

    class Noted(Images):
        def labels(self, i):
            seen.append(i)
            return super().labels(i)

    shares_of(Noted([np.zeros((1, 1), np.uint8)] * 1000), 2)

    assert len(seen) == 64
    assert (seen[0], seen[-1]) == (0, 999)


@pytest.mark.parametrize("settings", [{}, {"deep_supervision": True, "depth": 3}, {"stem": 2}])
def test_at_first_each_class_has_its_share(settings):
    torch.manual_seed(0)
    network = UNet(in_channels=1, classes=3, base=4, **{"depth": 2, **settings})

    begin_with(network, np.array([0.7, 0.25, 0.05]))

    said = first_said(network).mean((0, 2, 3))
    np.testing.assert_allclose(said, [0.7, 0.25, 0.05], atol=0.02)
    for head in network.side_heads:
        np.testing.assert_allclose(head.bias.detach().softmax(0), [0.7, 0.25, 0.05], atol=1e-6)


def test_a_single_logit_says_the_share_of_the_foreground():
    torch.manual_seed(0)
    network = UNet(in_channels=1, classes=1, base=4, depth=2)

    begin_with(network, np.array([0.9, 0.1]))

    assert first_said(network).mean().item() == pytest.approx(0.1, abs=0.01)


def test_weights_of_classes_count_and_a_class_that_is_not_there_has_little():
    network = UNet(in_channels=1, classes=3, base=4, depth=1)

    begin_with(network, np.array([0.9, 0.1, 0.0]), (1, 9, 1))

    said = network.head.bias.detach().softmax(0)
    assert said[0] == pytest.approx(said[1])
    assert said[2] / said[0] == pytest.approx(LEAST / 0.5)


@pytest.mark.parametrize("weights", [(0, 1), (1, 2, 3)])
def test_weights_that_leave_nothing_or_do_not_fit_do_no_harm(weights):
    network = UNet(in_channels=1, classes=2, base=4, depth=1)

    begin_with(network, np.array([1.0, 0.0]), weights)

    assert network.head.bias.isfinite().all()


def test_a_job_begins_so_and_one_with_its_author_s_weights_does_not(job_of):
    job = job_of()
    shares = shares_of(job.crops.cache, 2)
    assert 0.05 < shares[1] < 0.5
    np.testing.assert_allclose(job.network.head.bias.detach().softmax(0), shares, atol=1e-6)

    theirs = job_of("theirs", model__init="torch").network.head.bias.detach()
    assert abs(theirs.softmax(0)[1].item() - shares[1]) > 1e-3
