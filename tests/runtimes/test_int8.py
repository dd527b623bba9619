"""8-bit models: nearly the same logits, whole numbers inside, and ranges as they were asked for."""

import numpy as np
import onnx
import pytest
import torch
from tests.runtimes.networks import RECORDS, difference, images_for, logits_of, network_of

from maskwright.devices import choose
from maskwright.errors import DataError
from maskwright.runtimes import ReadsOnnx, int8, runtimes
from maskwright.runtimes.int8 import Int8Settings, quantised

CPU = choose("cpu")
READERS = [name for name, runtime in runtimes.items() if isinstance(runtime, ReadsOnnx)]


def calibration(network, count=4):
    return [images_for(network, 1, 4, seed=10 + number)[0] for number in range(count)]


@pytest.fixture(scope="module")
def made():
    network = network_of(base=8)
    return network, quantised(network, calibration(network))


@pytest.mark.parametrize("name", READERS)
def test_its_logits_are_nearly_the_networks_in_every_runtime(made, name):
    network, model = made
    compute = runtimes[name].prepare_model(model, CPU)

    for images in (images_for(network, 3, 4), images_for(network, 1, 5, 3, seed=2)):
        found, expected = compute(images), logits_of(network, images)
        assert found.shape == expected.shape
        assert float((found - expected).std() / expected.std()) < 0.1
        assert difference(found, expected) > 0  # it did round


@pytest.mark.parametrize(
    "record", ["valid", "attention, pixel shuffle", "residual, instance", "one channel, one logit"]
)
def test_other_networks_of_the_family_are_rounded_too(record):
    network = network_of(**{"base": 8, **RECORDS[record]})
    compute = runtimes["onnxruntime"].prepare_model(quantised(network, calibration(network)), CPU)
    images = images_for(network, 2, 4)

    found, expected = compute(images), logits_of(network, images)
    assert float((found - expected).std() / expected.std()) < 0.15


def float_convolutions(model):
    """Convolutions that read weights of 32 bit."""
    graph = onnx.load_model_from_string(model).graph
    weights = {weight.name for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT}
    return [node for node in graph.node if node.op_type == "Conv" and node.input[1] in weights]


@pytest.mark.parametrize(("kept", "count"), [("none", 0), ("first", 1), ("last", 1), ("ends", 2)])
def test_the_layers_that_stay_are_those_that_were_named(kept, count):
    network = network_of(depth=1)

    model = quantised(network, calibration(network), Int8Settings(kept=kept))

    assert len(float_convolutions(model)) == count


def test_the_file_is_about_a_quarter_as_large():
    network = network_of(base=32, depth=1)

    small = quantised(network, calibration(network, 1))

    assert len(small) < 0.4 * sum(weight.numel() * 4 for weight in network.parameters())


def test_seven_bit_weights_stay_within_64():
    network = network_of(depth=1)

    for seven, most in ((True, 64), (False, 127)):
        model = quantised(network, calibration(network, 1), Int8Settings(seven_bit=seven))
        weights = [
            onnx.numpy_helper.to_array(one)
            for one in onnx.load_model_from_string(model).graph.initializer
            if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 4
        ]
        assert max(np.abs(one.astype(int)).max() for one in weights) == most


def test_a_rare_large_value_widens_the_range_only_if_it_is_asked_to():
    values = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    values[0] = 1000

    ranges = {by: int8._range([values], by) for by in ("minmax", "percentile", "error")}

    assert ranges["minmax"][1] == 1000
    assert ranges["percentile"][1] < 5
    assert ranges["error"][1] < 1000 or ranges["error"] == ranges["minmax"]


def test_zero_is_always_within_the_range():
    low, high = int8._range([np.full(10, 3.0, np.float32)], "minmax")

    assert (low, high) == (0, 3)


def test_without_images_there_is_no_calibration_and_no_more_are_read_than_asked_for():
    network = network_of(depth=1)
    with pytest.raises(DataError, match="calibration images"):
        quantised(network, [])

    def endless():
        while True:
            yield torch.zeros(3, 8, 8)

    assert quantised(network, endless(), Int8Settings(images=2))
