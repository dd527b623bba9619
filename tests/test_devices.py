from types import SimpleNamespace

import pytest
import torch

from maskwright import devices
from maskwright.devices import DeviceSettings, available, choose, cores
from maskwright.errors import SettingError


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many CUDA devices, perhaps with MPS, perhaps with bfloat16."""

    def pretend(cuda=0, mps=False, bf16=True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        # Emulated it is everywhere, and slow.
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation
        )
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("parts", "found"),
    [({}, ["cpu"]), ({"cuda": 1}, ["cuda", "cpu"]), ({"mps": True}, ["mps", "cpu"])],
)
def test_the_fastest_kind_comes_first_and_is_chosen(machine, parts, found):
    machine(**parts)

    assert available() == found
    assert choose().name == found[0]
    assert choose("cpu").name == "cpu"


def test_the_cpu_computes_in_32_bit_and_cuda_in_the_16_bit_it_has(machine):
    machine(cuda=1, bf16=True)
    assert choose("cpu").precision == "32-true"
    assert not choose("cpu").channels_last
    assert choose("cuda").precision == "bf16-mixed"
    assert choose("cuda").channels_last
    machine(cuda=1, bf16=False)
    assert choose("cuda").precision == "16-mixed"


def test_on_the_cpu_every_core_works_that_container_and_user_allow(machine, monkeypatch):
    machine(cuda=1)
    monkeypatch.setattr("torch.get_num_threads", lambda: 10_000)
    assert choose("cpu").threads == cores()
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    assert choose("cpu").threads == 1
    assert choose("cuda").threads is None


@pytest.mark.parametrize("name", ["cuda", "gpu", "mps", "cuda:0", "cpuu", ""])
def test_a_device_that_is_not_there_is_told_with_those_that_are(machine, name):
    machine()

    with pytest.raises(SettingError, match=f"no device '{name}' on this machine. There is: cpu"):
        choose(name)


@pytest.mark.parametrize("name", ["cuda:2", "cuda:", "cuda:x", "cuda:-1", "cuda:0:1"])
def test_a_number_beyond_the_last_device_is_refused(machine, name):
    machine(cuda=2)

    with pytest.raises(SettingError, match=f"no device '{name}'"):
        choose(name)
    assert choose("cuda:1").index == 1


def test_a_name_has_a_kind_and_a_number():
    assert (DeviceSettings(name="cuda:3").accelerator, DeviceSettings(name="cuda:3").index) == ("cuda", 3)
    assert (DeviceSettings().accelerator, DeviceSettings().index) == ("cpu", 0)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("9900000 100000", 8),
        ("", 8),
    ],
)
def test_a_container_s_share_of_the_processor_is_kept_to(limit, expected, monkeypatch, tmp_path):
    (tmp_path / "cpu.max").write_text(limit + "\n")
    monkeypatch.setattr(devices, "CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    assert cores() == expected


def test_without_a_container_the_cores_bound_to_are_counted(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "CPU_MAX", tmp_path / "none")
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert cores() == 2

    monkeypatch.delattr(devices.os, "sched_getaffinity")
    monkeypatch.setattr(devices.os, "cpu_count", lambda: None)
    assert cores() == 1


def test_memory_is_kept_where_the_c_library_can(monkeypatch):
    told = []

    def library(most):
        def mallopt(name, value):
            told.append((name, value))
            return int(name != devices.M_MMAP_THRESHOLD or value <= most)

        return lambda _: SimpleNamespace(mallopt=mallopt)

    for most in (2**30, 2**25):
        monkeypatch.setattr(devices.ctypes, "CDLL", library(most))
        told.clear()
        assert devices.keep_memory()
        assert told[-2:] == [(devices.M_MMAP_THRESHOLD, most), (devices.M_TRIM_THRESHOLD, 2**31 - 1)]

    monkeypatch.setattr(devices.ctypes, "CDLL", library(0))
    assert not devices.keep_memory()


def test_another_c_library_is_left_alone(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(devices.ctypes, "CDLL", missing)
    assert not devices.keep_memory()

    monkeypatch.setattr(devices.ctypes, "CDLL", lambda _: object())
    assert not devices.keep_memory()
