import copy

import pytest
import torch
from torch import nn

from maskwright.devices import DeviceSettings
from maskwright.model import UNet
from maskwright.training.loop import fit
from maskwright.training.machine import arrange

WAYS = [{"device.compile": True}, {"device.channels_last": True}]


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch):
    """Torch's tracer, without the minute that C++ takes."""
    slow = nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda network, **how: slow(network, backend="aot_eager", **how))


@pytest.mark.parametrize("device", [DeviceSettings(compile=True), DeviceSettings(channels_last=True)])
def test_the_names_of_weights_stay(device):
    network = UNet(1, 2, depth=1, base=16)
    names = list(network.state_dict())

    arrange(network, device)

    assert list(network.state_dict()) == names
    copy.deepcopy(network).load_state_dict(network.state_dict())


@pytest.mark.parametrize("settings", WAYS, ids=["compiled", "channels_last"])
def test_a_run_killed_and_resumed_equals_the_uninterrupted_one(settings, job_of, listeners):
    settings = {**settings, "model.base": 32, "training.checkpoint_seconds": 0}
    named = {key.replace(".", "__"): value for key, value in settings.items()}
    whole = fit(job_of("whole", **named))
    killed = job_of("killed", **named)
    with pytest.raises(listeners.Killed):
        fit(killed, [listeners.DiesAfter(6)])
    resumed = fit(job_of("killed", **named), resume=True)

    assert whole.steps == resumed.steps
    for name, expected in whole.weights.items():
        assert torch.equal(resumed.weights[name], expected), name


@pytest.mark.parametrize("settings", WAYS, ids=["compiled", "channels_last"])
def test_the_loss_falls_as_it_does_otherwise(settings, job_of):
    named = {key.replace(".", "__"): value for key, value in {**settings, "model.base": 32}.items()}

    plain, other = fit(job_of("plain", model__base=32)), fit(job_of("other", **named))

    assert other.history[-1].train_loss == pytest.approx(plain.history[-1].train_loss, rel=0.02)
