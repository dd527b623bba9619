"""Choosing a runtime: by name, or the fastest of those that are there; measured once, and only where that pays."""

import pytest
import torch
from tests.runtimes.networks import difference, images_for, logits_of, network_of

from maskwright.devices import DeviceSettings, choose
from maskwright.errors import SettingError
from maskwright.runtimes import choice, measuring, prepare, runtimes
from maskwright.runtimes.choice import pick
from maskwright.runtimes.measuring import Job, Measured, fitting

CPU = choose("cpu")
WINDOW = (32, 32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))


class Painted:
    """A runtime that is as fast as it says, by the clock that the measurement reads."""

    about, extra = "painted", "painted"
    accelerators = frozenset({"cpu"})
    start_seconds, saves = 1.0, 0.5

    def __init__(self, clock, seconds, *, wait=1.0, there=True, factor=1.0, fault=None):
        self.clock, self.seconds, self.wait, self.there = clock, seconds, wait, there
        self.factor, self.fault = factor, fault
        self.prepared = self.computed = 0

    def is_there(self):
        return self.there

    def prepare(self, network, device):
        if self.fault is not None:
            raise self.fault
        self.prepared += 1
        self.clock.now += self.wait

        def compute(images):
            self.computed += 1
            self.clock.now += self.seconds * images.numel() / (3 * 32 * 32)
            return self.factor * logits_of(network, images)

        return compute


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def stage(monkeypatch):
    """Painted runtimes in place of the real ones: torch takes a second for a window of 32 pixels a side."""
    clock = Clock()
    monkeypatch.setattr(measuring, "time", clock)

    def put(**rivals):
        parts = {"torch": Painted(clock, 1.0, wait=0.0), **rivals}

        class Parts(dict):
            def items(self):
                return sorted(super().items())

        for module in (choice, measuring):
            monkeypatch.setattr(module, "runtimes", Parts(parts))
        return parts

    put.clock = clock
    return put


def auto(network=None, **more):
    return prepare("auto", network or network_of(), device=CPU, window=WINDOW, **more)


def test_the_fastest_is_chosen_and_the_reason_says_what_was_measured(stage):
    stage(slow=Painted(stage.clock, 2.0), fast=Painted(stage.clock, 0.5))

    found = auto()

    assert found.name == "fast"
    assert found.seconds == pytest.approx({"torch": 1, "slow": 2, "fast": 0.5})
    assert found.reason == "the fastest here (a batch: fast 0.5 s, torch 1 s, slow 2 s; measured now)"


def test_torch_is_chosen_where_nothing_is_faster(stage):
    stage(slow=Painted(stage.clock, 2.0))

    assert auto().name == "torch"


def test_what_was_measured_is_remembered_for_any_weights_of_the_network(stage):
    fast = stage(fast=Painted(stage.clock, 0.5))["fast"]
    auto(network_of(1))
    computed = fast.computed

    found = auto(network_of(2))

    assert found.name == "fast"
    assert "remembered" in found.reason
    assert fast.computed == computed + 1  # only whether it says what the network says


@pytest.mark.parametrize("other", [{"window": (64, 64)}, {"batch": 2}, {"network": network_of(activation="silu")}])
def test_another_job_is_measured_anew(stage, other):
    stage(fast=Painted(stage.clock, 0.5))
    auto()

    given = {"network": network_of(), "window": WINDOW, **other}
    assert "measured now" in prepare("auto", given.pop("network"), device=CPU, **given).reason


def test_so_is_everything_after_an_update_of_a_package(stage, monkeypatch):
    stage(fast=Painted(stage.clock, 0.5))
    auto()
    monkeypatch.setattr(measuring, "version_of", lambda package: "99")

    assert "measured now" in auto().reason


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": {}}', '{"seconds": "fast"}', "\x00"])
def test_a_damaged_memory_is_no_error(stage, text):
    stage(fast=Painted(stage.clock, 0.5))
    auto()
    (path,) = measuring.folder().glob("*.json")
    path.write_text(text)

    assert "measured now" in auto().reason
    assert "remembered" in auto().reason


def test_a_memory_that_cannot_be_written_is_no_error(stage, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "file"))
    stage(fast=Painted(stage.clock, 0.5))

    assert auto().name == auto().name == "fast"


def test_a_short_job_stays_with_torch_and_nothing_else_is_even_started(stage):
    fast = stage(fast=Painted(stage.clock, 0.5))["fast"]

    found = auto(work=2)

    assert found.name == "torch"
    assert "the whole job takes torch about 2 s" in found.reason
    assert fast.prepared == 0
    assert auto(work=100).name == "fast"


def test_a_remembered_one_is_started_only_where_that_pays(stage):
    stage(fast=Painted(stage.clock, 0.5, wait=10.0))
    auto()

    assert auto(work=10).name == "torch"
    assert "take longer to start" in auto(work=10).reason
    assert auto(work=30).name == "fast"
    assert auto(work=30, batch=2).name == "fast"


def test_one_that_says_something_else_is_left_out(stage):
    stage(wrong=Painted(stage.clock, 0.1, factor=1.01), fast=Painted(stage.clock, 0.5))

    found = auto()

    assert found.name == "fast"
    assert "wrong left out: its logits differ by 0.01 of their size" in found.reason


def test_one_that_fails_is_left_out(stage):
    stage(broken=Painted(stage.clock, 0.1, fault=RuntimeError("no such instruction")))

    found = auto()

    assert found.name == "torch"
    assert "broken left out: no such instruction" in found.reason


def test_a_remembered_one_that_errs_with_these_weights_gives_way_to_torch(stage):
    fast = stage(fast=Painted(stage.clock, 0.5))["fast"]
    auto()
    fast.factor = 2.0
    network = network_of(2)

    found = auto(network)

    assert found.name == "torch"
    assert "fast was the fastest here, but is left out: its logits differ by 1 " in found.reason
    images = images_for(network, 1, 2)
    assert difference(found(images), logits_of(network, images)) <= 1e-6


def test_what_takes_a_minute_to_start_is_tried_only_alone_and_for_a_long_job(stage):
    slow = Painted(stage.clock, 0.5)
    slow.start_seconds, slow.saves = 90.0, 0.1
    stage(slow=slow)
    assert auto().name == auto(work=500).name == "torch"
    assert slow.prepared == 0
    assert auto(work=5000).name == "slow"

    stage(slow=slow, fast=Painted(stage.clock, 0.6))
    assert "slow" not in auto(work=5000).seconds


def test_only_what_is_there_and_works_on_the_device_is_measured(stage):
    gone = Painted(stage.clock, 0.1, there=False)
    elsewhere = Painted(stage.clock, 0.1)
    elsewhere.accelerators = frozenset({"cuda"})
    stage(gone=gone, elsewhere=elsewhere)

    assert (auto().name, auto().reason) == ("torch", "no other runtime is here for cpu")
    assert gone.prepared == elsewhere.prepared == 0


@pytest.mark.parametrize(
    ("batches", "is_converted", "wanted"),
    [
        (None, False, "b"), (1000, False, "b"), (10, False, "torch"), (15, False, "b"),
        (10, True, "b"), (6, True, "a"), (1, True, "torch"), (0, True, "torch"),
    ],
)  # fmt: skip
def test_the_wait_counts_as_well_as_the_speed(batches, is_converted, wanted):
    measured = Measured(seconds={"torch": 1.0, "a": 0.8, "b": 0.5}, start={"a": 4.0, "b": 6.0}, conversion=3.0)

    assert pick(measured, batches, is_converted=is_converted) == wanted


def test_a_large_window_is_measured_by_a_part_of_it(stage):
    fast = stage(fast=Painted(stage.clock, 0.5))["fast"]
    found = prepare("auto", network_of(), device=CPU, window=(256, 256))

    assert found.seconds == pytest.approx({"torch": 64, "fast": 32})
    assert fast.computed < 10


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_windows_of_the_measurement_fit_the_network(padding):
    network = network_of(padding=padding)

    sizes = {size: fitting(network.record, size) for size in (1, 50, 61, 64)}

    for size, found in sizes.items():
        assert logits_of(network, torch.zeros(1, 3, found, found)).numel()
        assert found <= size or found == fitting(network.record, 1)


def test_a_name_that_is_asked_for_is_given_without_measuring():
    network = network_of()
    images = images_for(network, 1, 2)

    for name in ("torch", "onnxruntime"):
        found = prepare(name, network, device=CPU)
        assert (found.name, found.reason, found.seconds) == (name, "asked for", {})
        assert difference(found(images), logits_of(network, images)) <= 1e-4


def test_an_unknown_name_a_missing_package_and_a_wrong_device_are_told(monkeypatch):
    with pytest.raises(SettingError, match="Did you mean 'onnxruntime'"):
        prepare("onnx-runtime", network_of(), device=CPU)
    with pytest.raises(SettingError, match="works on cpu, not on cuda"):
        prepare("onnxruntime", network_of(), device=DeviceSettings(name="cuda"))
    monkeypatch.setattr(runtimes["onnxruntime"], "is_there", lambda: False)
    with pytest.raises(SettingError, match=r'pip install "maskwright\[onnx\]".*--runtime auto'):
        prepare("onnxruntime", network_of(), device=CPU)


def test_auto_with_the_real_ones_gives_the_networks_logits():
    network = network_of()
    images = images_for(network, 3, 2, 3)

    found = prepare("auto", network, device=CPU, window=WINDOW)

    assert set(found.seconds) >= {"torch", "onnxruntime"}
    assert found.name == min(found.seconds, key=found.seconds.__getitem__)
    assert difference(found(images), logits_of(network, images)) <= 1e-4


def test_three_dimensions_have_windows_too():
    network = network_of(dims=3, depth=1)

    found = prepare("auto", network, device=CPU, window=(8, 8, 8))

    assert found(images_for(network, 1, 3)).shape[1] == 2


def test_estimates_and_measurements_are_of_the_whole_batch():
    job = Job(network_of(), CPU, (40, 64), 3)

    assert job.images().shape == (3, 3, 40, 64)
    assert job.images(1 / 4).shape == (3, 3, 8, 16)


@pytest.mark.parametrize(
    ("name", "windows", "settings", "is_there"),
    [
        ("torch", 1, {}, True),
        ("onnxruntime", 7, {}, False),
        ("onnxruntime", 8, {}, True),
        ("torch", 100, {"padding": "valid"}, False),
        ("torch", 100, {"norm": "instance"}, False),
    ],
)
def test_the_inside_is_computed_alone_where_that_is_possible_and_pays(name, windows, settings, is_there):
    network = network_of(**settings)
    inside = prepare(name, network, device=CPU).inside(2 * network.record.stride, windows)

    assert (inside is not None) == is_there


def test_what_takes_a_minute_to_start_is_not_started_twice(stage):
    slow = Painted(stage.clock, 0.1)
    slow.start_seconds = 90.0
    stage(compiler=slow)

    assert prepare("compiler", network_of(), device=CPU).inside(8, 100) is None
    assert slow.prepared == 1
