"""A network as ONNX: what its file says of itself, and what is refused."""

import threading
import warnings

import onnx
import pytest
import torch
from tests.runtimes.networks import RECORDS, difference, images_for, logits_of, network_of
from torch import nn
from torch.nn import functional as F

from maskwright.errors import SettingError
from maskwright.runtimes import conversion, packages
from maskwright.runtimes.conversion import onnx_model


def shape_of(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def by_reference(model, images):
    """What onnx's own slow evaluator makes of the model."""
    from onnx.reference import ReferenceEvaluator

    return torch.from_numpy(ReferenceEvaluator(model).run(None, {"image": images.numpy()})[0])


@pytest.mark.parametrize(
    ("record", "image", "logits"),
    [
        ("plain", ["B", 3, "H", "W"], ["B", 2, "H", "W"]),
        ("valid", ["B", 3, "H", "W"], ["B", 2, "h", "w"]),
        ("three dimensions", ["B", 3, "D", "H", "W"], ["B", 2, "D", "H", "W"]),
    ],
)
def test_the_model_says_its_shapes_by_letters_and_is_a_sound_file(record, image, logits):
    model = onnx_model(network_of(**RECORDS[record]))

    onnx.checker.check_model(model, full_check=True)
    assert [(value.name, shape_of(value)) for value in model.graph.input] == [("image", image)]
    assert [(value.name, shape_of(value)) for value in model.graph.output] == [("logits", logits)]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", conversion.OPSET)]


def test_onnx_own_evaluator_finds_the_networks_logits():
    network = network_of(base=2, depth=1)
    images = images_for(network, 2, 2, 3)

    assert difference(by_reference(onnx_model(network), images), logits_of(network, images)) <= 1e-5


def test_norms_are_folded_and_weights_stand_there_once_under_their_names():
    network = network_of()
    model = onnx_model(network)

    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"BatchNormalization", "Identity"}
    names = {weight.name for weight in model.graph.initializer}
    assert all(entry in names or entry == "image" or "/" in entry for node in model.graph.node for entry in node.input)
    assert not any(node.doc_string for node in model.graph.node)


def test_two_networks_of_one_record_differ_in_weights_only():
    first, second = (onnx_model(network_of(seed)) for seed in (1, 2))

    assert [n.SerializeToString() for n in first.graph.node] == [n.SerializeToString() for n in second.graph.node]
    assert first.SerializeToString() != second.SerializeToString()
    assert onnx_model(network_of(1)).SerializeToString() == first.SerializeToString()


class BySize(nn.Module):
    """Something that a trace takes for a constant."""

    def forward(self, images):
        return images * images.detach().numpy().shape[-1]


def test_a_network_whose_graph_hangs_on_the_size_is_refused():
    network = network_of()
    network.encoder.stem = BySize()

    with pytest.raises(SettingError, match=r"each size in another way.*runtime torch"):
        onnx_model(network)


class Unknown(nn.Module):
    """An operator that ONNX does not have."""

    def forward(self, images):
        return torch.special.bessel_j0(images)


def test_an_operator_that_onnx_does_not_have_is_named():
    network = network_of()
    network.encoder.stem = Unknown()

    with pytest.raises(SettingError, match="bessel_j0"):
        onnx_model(network)


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(packages.importlib, "import_module", missing)

    with pytest.raises(SettingError, match=r'pip install "maskwright\[onnx\]"'):
        onnx_model(network_of())


def test_several_threads_convert_at_once():
    networks = [network_of(seed) for seed in range(2)]
    alone = [onnx_model(network).SerializeToString() for network in networks]
    found = [b""] * 2

    def convert(at):
        found[at] = onnx_model(networks[at]).SerializeToString()

    threads = [threading.Thread(target=convert, args=(at,)) for at in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the filters are all threads' at once
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == alone


def test_conversion_leaves_the_network_and_the_mode_of_torch_alone():
    network = network_of().train()
    images = images_for(network, 1, 2)
    onnx_model(network)

    assert network.training
    assert torch.is_grad_enabled()
    assert F.relu(images).isfinite().all()
