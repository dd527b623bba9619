"""The ONNX graph: what the predictor says, from the image as it is stored."""

import numpy as np
import onnx
import onnxruntime
import pytest
from tests.exports.conftest import agree, model, noise, ours

from maskwright.data.learned_objects import LearnedObjects
from maskwright.exports.openvino import OpenVino
from maskwright.exports.registry import Options
from maskwright.exports.whole import whole_model
from maskwright.inference.ensemble import joined

SIZES = [(1, 1), (1, 50), (37, 53), (64, 64), (101, 3)]
KINDS = {
    "plain": {},
    "half": {"scale": 0.5},
    "odd scale": {"scale": 0.37, "channels": 3},
    "enlarged": {"scale": 1.7},
    "one size": {"size": (24, 40)},
    "as labels": {"scale": 0.5, "interpolation": "nearest"},
    "16 bit": {"channels": 3, "scale": 0.5, "dtype": "uint16"},
    "float, 8 channels": {"channels": 8, "dtype": "float32"},
    "valid": {"padding": "valid", "scale": 0.5, "channels": 5},
    "one logit": {"classes": 1, "scale": 0.6},
    "attention": {"skip": "attention", "norm": "instance"},
    "borders of one class": {"classes": 2, "objects": LearnedObjects(kind="border")},
    "centres of several": {"objects": LearnedObjects(kind="centre"), "scale": 0.5},
    "timm": {"channels": 3, "encoder": {"name": "resnet18"}, "depth": 3, "base": 8},
}


def runner(graph):
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(image):
        labels, probabilities = session.run(["labels", "probabilities"], {"image": image[None]})
        return labels[0], probabilities[0]

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_says_what_the_predictor_says_at_any_size(kind):
    one = joined([model(**KINDS[kind])])
    about = one.description.preprocess
    run = runner(whole_model(one))
    for size in SIZES:
        for channels in {about.channels} | ({1, 3} if about.channels in {1, 3} else set()):
            agree(one, run, noise(about.dtype, *size, channels))


@pytest.mark.parametrize("kind", ["half", "odd scale", "enlarged", "one size"])
def test_resizing_in_plain_operators_is_the_same(kind):
    one = joined([model(**KINDS[kind])])
    run = runner(whole_model(one, taps=True))
    for size in SIZES:
        agree(one, run, noise("uint8", *size, one.description.preprocess.channels))


@pytest.mark.parametrize(
    "kind", ["half", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("16 bit", "valid"))]
)
def test_openvino_says_what_the_predictor_says(kind, tmp_path):
    one = joined([model(**KINDS[kind])])
    path = OpenVino().write(one, tmp_path / "model.xml", Options())
    run = OpenVino().open(path, 1)
    about = one.description.preprocess

    for size in SIZES[:4]:
        agree(one, run, noise(about.dtype, *size, about.channels))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.bin", "model.xml"]
    assert "edge" in path.read_text("utf-8")


def test_several_models_are_one_graph_of_their_mean():
    several = joined([model(0), model(1, scale=0.5), model(2, padding="valid")])
    run = runner(whole_model(several))

    agree(several, run, noise("uint8", 45, 38, 1))


def test_a_batch_is_what_its_images_are_alone():
    one = joined([model(scale=0.5)])
    session = onnxruntime.InferenceSession(whole_model(one).SerializeToString(), providers=["CPUExecutionProvider"])
    images = np.stack([noise("uint8", 21, 34, 1, seed=n) for n in range(3)])

    labels, shares = session.run(["labels", "probabilities"], {"image": images})

    assert labels.shape == (3, 21, 34)
    for image, found in zip(images, shares, strict=True):
        np.testing.assert_allclose(found, ours(one, image)[1], atol=2e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_other_channels_stop_the_graph(channels):
    run = runner(whole_model(joined([model(channels=channels)])))
    for others in (2, 4):
        with pytest.raises(Exception, match=r"(?i)shape|dimension|mismatch|expand"):
            run(noise("uint8", 20, 20, others))


def test_an_image_by_its_own_statistics_has_mean_0_and_deviation_1(monkeypatch):
    monkeypatch.setattr("maskwright.exports.whole.own_statistics", lambda preprocess: True)
    one = joined([model(channels=3)])
    graph = whole_model(one)
    image = noise("uint8", 30, 26, 3)
    normalised = (image - image.mean((0, 1))) / image.std((0, 1))
    about = one.description.preprocess
    twin = normalised * np.array(about.std) + np.array(about.mean)  # what the model's own normalisation undoes

    _, shares = runner(graph)(image)

    floats = joined([model(channels=3)])
    object.__setattr__(floats.description.preprocess, "dtype", "float32")
    np.testing.assert_allclose(shares, ours(floats, twin.astype(np.float32))[1], atol=1e-4)


def test_the_graph_passes_the_checker_and_says_what_goes_in_and_out(alone):
    graph = whole_model(alone)
    onnx.checker.check_model(graph, full_check=True)
    (image,) = graph.graph.input
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (image, *graph.graph.output)
    }
    assert shapes == {"image": ["B", "H", "W", "C"], "labels": ["B", "H", "W"], "probabilities": ["B", 3, "H", "W"]}
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
