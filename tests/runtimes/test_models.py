"""Converted networks on the disk: found again by their weights, and never believed when they are damaged."""

import pytest
import torch
from tests.runtimes.networks import network_of

from maskwright.runtimes import models
from maskwright.runtimes.models import converted, hash_of, is_converted, place_of


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def conversions(monkeypatch):
    """How often a network was converted."""
    seen = []

    class Model:
        def SerializeToString(self):
            return b"the model" * 100

    def convert(network):
        seen.append(network)
        return Model()

    monkeypatch.setattr(models, "onnx_model", convert)
    return seen


def test_the_second_time_it_is_read(conversions):
    network = network_of()

    assert not is_converted(network)
    assert converted(network) == converted(network) == b"the model" * 100
    assert is_converted(network)
    assert len(conversions) == 1


def test_other_weights_records_and_dtypes_are_other_models():
    network = network_of()
    other = network_of()
    other.head.bias += 1e-6
    hashes = {hash_of(one) for one in (network, other, network_of(activation="silu"), network_of(seed=2))}

    assert len(hashes) == 4
    assert hash_of(network_of()) == hash_of(network)
    assert hash_of(network.to(memory_format=torch.channels_last)) == hash_of(network_of())


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:50] + b"x" + data[51:]]
)
def test_a_damaged_file_is_converted_again(conversions, damage):
    network = network_of()
    whole = converted(network)
    path = place_of(network)
    path.write_bytes(damage(path.read_bytes()))

    assert converted(network) == whole
    assert converted(network) == whole
    assert len(conversions) == 2


def test_where_nothing_can_be_written_it_is_converted_each_time(conversions, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "file"))

    assert converted(network_of()) == converted(network_of())
    assert len(conversions) == 2


def test_the_least_used_go_when_there_is_no_room(conversions, monkeypatch):
    monkeypatch.setattr(models, "LIMIT", 2500)
    networks = [network_of(seed) for seed in range(3)]
    for at, network in enumerate(networks):
        converted(network)
        path = place_of(network)
        import os

        os.utime(path, (at, at))
        if at == 1:
            converted(networks[0])  # used again: now 1 is the oldest

    assert [is_converted(network) for network in networks] == [True, False, True]
