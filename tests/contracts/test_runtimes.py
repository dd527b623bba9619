"""What every runtime owes: the network's own logits, for any batch and any fitting size, from any thread."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tests.runtimes.networks import RECORDS, difference, images_for, logits_of, network_of

import maskwright
from maskwright.devices import choose
from maskwright.runtimes import ReadsOnnx, prepare, runtimes
from maskwright.runtimes.conversion import onnx_model

CPU = choose("cpu")
# A compiler's minute a network is for `make test`.
QUICK = [name for name, runtime in runtimes.items() if runtime.start_seconds < 30]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in runtimes if name not in QUICK]


def demand_same_logits(runtime, network):
    """The contract: odd batches, two sizes, nothing kept of the first one, the network untouched."""
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    compute = runtime.prepare(network, CPU)
    first, *_ = every = [images_for(network, 3, 2, 3), images_for(network, 1, 5, 2), images_for(network, 2, 3, 2)]
    kept = compute(first)
    for images in every:
        found = compute(images)
        assert found.dtype == torch.float32
        assert difference(found, logits_of(network, images)) <= 1e-4
    assert difference(kept, logits_of(network, first)) <= 1e-4  # not overwritten by what came after
    after = network.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("name", QUICK)
def test_a_runtime_says_what_the_network_says(name, record):
    assert runtimes[name].is_there(), "the extra `dev` brings every runtime's package"

    demand_same_logits(runtimes[name], network_of(**RECORDS[record]))


@pytest.mark.parametrize("record", ["plain", "valid"])
@pytest.mark.parametrize("name", SLOW)
def test_so_does_one_that_takes_a_minute_to_start(name, record):
    if not runtimes[name].is_there():
        pytest.skip("torch compiles for CPUs with a C++ compiler, which is no Python package")
    demand_same_logits(runtimes[name], network_of(**RECORDS[record]))


@pytest.mark.parametrize("record", ["plain", "attention, pixel shuffle", "stem, no skips", "residual encoder"])
@pytest.mark.parametrize("name", QUICK)
def test_it_computes_the_inside_alone(name, record):
    network = network_of(**RECORDS[record])
    stride = network.record.stride
    prepared = prepare(name, network, device=CPU)
    images = images_for(network, 2, 7, 6)
    expected = logits_of(network, images)

    for margin in (2 * stride, stride):
        compute = prepared.inside(margin, windows=100)
        found = compute(images)
        assert difference(found, expected[..., margin:-margin, margin:-margin]) <= 1e-4
        assert prepared.inside(margin, windows=100) is compute, "it is made once"


@pytest.mark.parametrize("name", QUICK)
def test_several_threads_may_ask_one_at_once(name):
    network = network_of()
    compute = runtimes[name].prepare(network, CPU)
    every = [images_for(network, 1, 2 + number % 3, seed=number) for number in range(12)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(compute, every))

    for images, logits in zip(every, found, strict=True):
        assert difference(logits, logits_of(network, images)) <= 1e-4


@pytest.mark.parametrize("name", QUICK)
def test_the_smallest_map_of_one_pixel_is_no_trouble(name):
    network = network_of(norm="instance")
    compute = runtimes[name].prepare(network, CPU)

    images = images_for(network, 1, 1)

    assert difference(compute(images), logits_of(network, images)) <= 1e-4


@pytest.mark.parametrize("name", [name for name in QUICK if isinstance(runtimes[name], ReadsOnnx)])
def test_those_that_read_onnx_take_a_model_as_bytes(name):
    network = network_of()
    compute = runtimes[name].prepare_model(onnx_model(network).SerializeToString(), CPU)

    images = images_for(network, 2, 3)

    assert difference(compute(images), logits_of(network, images)) <= 1e-4


SIGNALLED = """
import os, signal, sys, threading
from tests.runtimes.networks import images_for, network_of
from maskwright.devices import choose
from maskwright.runtimes import runtimes

handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
network = network_of()

def prepared():
    compute = runtimes[sys.argv[1]].prepare(network, choose("cpu"))
    compute(images_for(network, 1, 1))
    return compute

made = [prepared(), prepared()]
made.pop(0)
made.pop()
one = [prepared()]
thread = threading.Thread(target=one.clear)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGUSR1)
print(len(handled))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has other signals")
@pytest.mark.parametrize("name", QUICK)
def test_a_signal_is_handled_after_runtimes_were_freed_in_any_order_and_by_any_thread(name, pytestconfig):
    """A runtime may give the thread a stack for signals; where that is gone, the next signal kills the process."""
    paths = [str(pytestconfig.rootpath), str(Path(maskwright.__file__).parents[1])]

    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, name],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_planted_runtime_that_errs_is_seen():
    class Doubling:
        @staticmethod
        def prepare(network, device):
            return lambda images: 2 * logits_of(network, images)

    class Forgetful:
        @staticmethod
        def prepare(network, device):
            only = {}
            return lambda images: only.setdefault("first", logits_of(network, images))

    for planted in (Doubling, Forgetful):
        with pytest.raises(AssertionError):
            demand_same_logits(planted, network_of())
