import pytest
import torch
from torch import nn

from maskwright.model import UNet
from maskwright.training.average import Average


def small():
    torch.manual_seed(0)
    return UNet(1, 2, depth=1, base=2)


def learn(network, step):
    """Weights and statistics move as in a training step."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        network.train()(torch.randn(2, 1, 8, 8, generator=generator) + step)


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_it_is_the_mean_that_the_formula_gives(decay):
    network = small()
    average = Average(network, decay)
    expected = {n: t.double().clone() for n, t in network.state_dict().items()}
    for step in range(1, 30):
        learn(network, step)
        average.update(network, step)
        d = min(decay, (1 + step) / (10 + step))
        for name, now in network.state_dict().items():
            expected[name] = d * expected[name] + (1 - d) * now.double() if now.is_floating_point() else now.clone()

    for name, found in average.network.state_dict().items():
        torch.testing.assert_close(found.double(), expected[name].double(), rtol=1e-5, atol=1e-6)


def test_without_a_decay_it_follows_exactly():
    network = small()
    average = Average(network, None)
    for step in range(1, 5):
        learn(network, step)
        average.update(network, step)
        for (name, found), now in zip(average.network.state_dict().items(), network.state_dict().values(), strict=True):
            assert torch.equal(found, now), name


def test_statistics_are_averaged_and_counts_are_copied():
    network = small()
    average = Average(network, 0.9)
    for step in range(1, 8):
        learn(network, step)
        average.update(network, step)
    of_network, of_average = (
        next(m for m in n.modules() if isinstance(m, nn.BatchNorm2d)) for n in (network, average.network)
    )

    assert of_average.num_batches_tracked == of_network.num_batches_tracked == 7
    assert not torch.equal(of_average.running_mean, of_network.running_mean)
    assert not torch.equal(of_average.running_mean, torch.zeros_like(of_average.running_mean))


@pytest.mark.parametrize("decay", [0.1, 0.9, 0.999])
def test_what_stands_still_is_its_own_mean(decay):
    network = small()
    average = Average(network, decay)
    for step in range(1, 10):
        average.update(network, step)

    for (name, found), now in zip(average.network.state_dict().items(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(found, now, msg=name)


def test_the_first_weights_are_soon_forgotten():
    network = small()
    average = Average(network, 0.999)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1000)
    for step in range(1, 30):
        average.update(network, step)

    for found, now in zip(average.network.parameters(), network.parameters(), strict=True):
        assert (found - now).abs().max() < 0.1


def test_it_predicts_and_is_not_trained():
    network = small().train()
    average = Average(network, 0.9)

    assert not average.network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    assert network.training
    assert all(p.requires_grad for p in network.parameters())


def test_it_goes_on_from_a_saved_state():
    network = small()
    average = Average(network, 0.9)
    learn(network, 1)
    average.update(network, 1)
    again = Average(small(), 0.9)
    again.network.load_state_dict(average.network.state_dict())
    for step in (2, 3):
        learn(network, step)
        average.update(network, step)
        again.update(network, step)

    for mine, other in zip(average.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        assert torch.equal(mine, other)
