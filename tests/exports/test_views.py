"""What looks at images in several views says the same exported, whatever the format."""

import re
import runpy
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.exports.conftest import agree, model, noise, ours
from tests.exports.test_whole import SIZES, runner
from typer.testing import CliRunner

from maskwright import modelfile
from maskwright.cli import app
from maskwright.errors import SettingError
from maskwright.exports import Case, Certificate, Options, made
from maskwright.exports.describing import described
from maskwright.exports.graph import Graph
from maskwright.exports.int8 import WINDOW, _windows
from maskwright.exports.making import _largest
from maskwright.exports.module import Whole
from maskwright.exports.onnx import SCRIPT
from maskwright.exports.registry import exports
from maskwright.exports.torchscript import runner_of
from maskwright.exports.whole import _working, whole_model
from maskwright.inference.ensemble import joined
from maskwright.inference.looks import with_views
from maskwright.tiling import Views

FLIPS = Views(flips="both")
EVERY = Views(flips="horizontal", turns="quarter", scales=(0.75, 1.0, 1.3))
KINDS = {
    "plain": ({}, Views(flips="vertical", turns="quarter")),
    "half, one logit": ({"scale": 0.5, "classes": 1}, EVERY),
    "valid": ({"padding": "valid"}, Views(turns="quarter")),
    "one size": ({"size": (24, 40), "channels": 3}, EVERY),
    "as labels": ({"scale": 0.6, "interpolation": "nearest"}, Views(flips="horizontal", scales=(0.75,))),
    "timm": ({"channels": 3, "encoder": {"name": "resnet18"}, "depth": 3, "base": 8}, FLIPS),
}
# Of the specification's library and of TorchScript, both about themselves.
QUIET = pytest.mark.filterwarnings("ignore")


def looking(views, *members):
    return with_views(joined(members), views)


def pair():
    """Two members of unlike networks and sizes, that look at images in unlike ways."""
    first = looking(EVERY, model())
    second = looking(FLIPS, model(1, padding="valid", scale=0.5, base=6))
    return joined([first, second])


def written(kind, ensemble, folder, **options):
    part = exports[kind]()
    said = {"author": "Ada Lovelace", "licence": "CC-BY-4.0"}
    path = part.write(ensemble, folder / f"model{part.suffix}", Options(said=said, **options))
    return path, part.open(path, 1)


@pytest.mark.parametrize(
    "made_of", [lambda one: runner(whole_model(one)), lambda one: runner_of(Whole(one))], ids=["onnx", "module"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_views_of_the_plan_are_in_the_graph_at_any_size(kind, made_of):
    settings, views = KINDS[kind]
    one = looking(views, model(**settings))
    run = made_of(one)
    for size in SIZES:
        agree(one, run, noise("uint8", *size, settings.get("channels", 1)))


def test_what_is_compared_here_would_differ_without_the_views():
    for settings, views in KINDS.values():
        channels = settings.get("channels", 1)
        image = noise("uint8", 37, 53, channels)
        plain, seen = (ours(looking(v, model(**settings)), image)[1] for v in (Views(), views))
        assert np.abs(plain - seen).max() > 1e-3


@QUIET
@pytest.mark.parametrize("kind", ["onnx", "torchscript", "bioimageio"])
def test_members_of_unlike_views_are_one_file_for_images_of_one_row_too(kind, tmp_path):
    both = pair()
    _, run = written(kind, both, tmp_path)
    for size in [(1, 20), (37, 53)]:
        agree(both, run, noise("uint8", *size, 1))


def test_openvino_turns_images_that_are_not_square(tmp_path):
    one = looking(Views(turns="quarter"), model())
    path, run = written("openvino", one, tmp_path)
    for size in [(1, 1), (1, 20), (37, 53)]:
        agree(one, run, noise("uint8", *size, 1))
    plain = sum(weight.numel() for weight in one.members[0].network.parameters()) * 4
    assert path.with_suffix(".bin").stat().st_size < 1.5 * plain, "the weights are there once"


@pytest.mark.parametrize("scales", [(1.0,), pytest.param((1.0, 0.5), marks=pytest.mark.slow)], ids=str)
def test_an_exported_program_turns_images_that_are_not_square(scales, tmp_path):
    one = looking(Views(turns="quarter", scales=scales), model(depth=1, base=2))
    _, run = written("torch-export", one, tmp_path)
    for size in [(16, 16), (37, 53), (101, 30)]:
        agree(one, run, noise("uint8", *size, 1))


@pytest.mark.parametrize(("scale", "scales"), [(1, (1.0, 0.7)), (0.7, (1.0,))])
def test_torch_export_refuses_scales_that_are_no_fraction_and_names_the_way_out(scale, scales, tmp_path):
    with pytest.raises(SettingError, match=r"scale 0\.7 is no fraction .* or export to onnx"):
        written("torch-export", looking(Views(scales=scales), model(scale=scale)), tmp_path)
    assert not list(tmp_path.iterdir())


@QUIET
def test_a_batch_is_what_its_images_are_alone(tmp_path):
    both = pair()
    images = np.stack([noise("uint8", 21, 34, 1, seed=n) for n in range(2)])
    session = onnxruntime.InferenceSession(whole_model(both).SerializeToString(), providers=["CPUExecutionProvider"])
    script, _ = written("torchscript", both, tmp_path)
    module = torch.jit.load(str(script))(torch.from_numpy(images))[1].numpy()
    wanted = np.stack([ours(both, image)[1] for image in images])

    graph = session.run(["probabilities"], {"image": images})[0]

    np.testing.assert_allclose(graph, wanted, atol=2e-5)
    np.testing.assert_allclose(module, wanted, atol=2e-5)


def test_weights_are_in_the_file_once_and_each_name_is_made_once():
    plain, seen = (whole_model(looking(views, model(base=16))) for views in (Views(), EVERY))

    held = [
        sum(len(w.raw_data) for w in graph.graph.initializer if w.name.startswith("network")) for graph in (plain, seen)
    ]
    assert held[0] == held[1] > 10_000
    names = Counter(name for node in seen.graph.node for name in node.output)
    assert names.most_common(1)[0][1] == 1
    onnx.checker.check_model(seen, full_check=True)


@pytest.mark.parametrize("scale", [0.7, 1.1, 1.3, 0.6 * 0.75, 0.29])
def test_working_sizes_are_those_of_the_preprocessing_without_64_bit_numbers(scale):
    """0.7 · 45 is a half on paper, less in 64 bit, and a half in 32."""
    about = model(scale=scale).description.preprocess
    g = Graph()
    found = _working(g, about, 0, "n")
    assert not any(node.op_type == "Cast" and node.attribute[0].i == g.kind("float64") for node in g.nodes)
    g.nodes.append(g.onnx.helper.make_node("Identity", [found], ["size"]))
    graph = g.model([("n", "int64", [1])], [("size", "int64", [1])])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])

    for n in [*range(1, 400), 750, 1550, 4999, 65535]:
        assert session.run(None, {"n": np.array([n])})[0] == about.working_size(n, 1)[0]


def test_calibration_sees_every_view_and_every_image():
    views = Views(flips="horizontal", scales=(0.5, 1.0))
    (one,) = looking(views, model()).members
    images = [np.full((64, 48, 1), 10 * n, np.uint8) for n in range(1, 7)]
    images[0][:, :24] = 250

    found = list(_windows(one, images))

    assert len(found) == len(images)
    assert [tuple(window.shape[1:]) for window in found] == [(32, 24), (64, 48)] * 3
    assert len({round(float(window.max()), 3) for window in found}) == 6, "another image each time"
    few = list(_windows(one, images[:1]))
    assert len(few) == views.count
    bright = [float(window[0, 0, 0]) > float(window[0, 0, -1]) for window in few]
    assert bright == [True, True, False, False], "as it is at both scales, then flipped"
    assert max(max(window.shape) for window in _windows(one, [noise("uint8", 900, 20, 1)])) == WINDOW
    assert list(_windows(one, [])) == []


def test_8_bit_integers_look_at_images_as_the_plan_says(tmp_path):
    one = looking(FLIPS, model(base=8))
    images = [noise("uint8", 48, 40, 1, seed=n) for n in range(4)]
    _, run = written("onnx", one, tmp_path, calibration=images)

    labels, shares = run(images[0])

    wanted, probabilities = ours(one, images[0])
    assert 1e-4 < np.abs(shares - probabilities).max() < 0.25
    assert (labels == wanted).mean() > 0.9
    mirrored = run(np.ascontiguousarray(images[0][:, ::-1]))[1][:, :, ::-1]
    np.testing.assert_allclose(shares, mirrored, atol=1e-4)


def test_the_certificate_compares_with_the_views_and_says_so(tmp_path):
    both, golden = pair(), noise("uint8", 20, 20, 1)
    labelled = Case("a", noise("uint8", 40, 30, 1), np.zeros((40, 30), np.uint8))

    certificate = made(both, "onnx", tmp_path / "model.onnx", golden, [labelled])

    assert certificate.difference < 1e-5
    assert certificate.views == (EVERY, FLIPS)
    said = certificate.lines()["Views"]
    assert said.startswith(
        "member 1: 24 of each image (flips horizontal, turns quarter, scales 0.75, 1, 1.3); member 2"
    )
    assert described(both)["views"][1]["flips"] == "both"
    assert certificate.changed < 1e-3


@pytest.mark.parametrize(
    ("given", "views"),
    [
        ([], FLIPS),
        (["--flips", "none"], Views()),
        (["--turns", "half", "--scales", "0.5,1"], Views(turns="half", scales=(0.5, 1.0))),
    ],
    ids=str,
)
def test_the_command_says_other_views_than_the_plan(given, views, tmp_path):
    one = looking(FLIPS, model()).members[0]
    path = modelfile.save(tmp_path / "m.safetensors", one.network.state_dict(), one.description, torch.randn(1, 16, 16))

    done = CliRunner().invoke(app, ["export", str(path), *given])

    assert done.exit_code == 0, done.output
    assert Certificate.load(tmp_path / "m.onnx.certificate.json").views == (views,)
    shown = re.search(r"Views: +(\d+) of each image", done.output)
    assert (int(shown[1]) if shown else 1) == views.count
    graph = onnx.load(tmp_path / "m.onnx")
    agree(looking(views, one), runner(graph), noise("uint8", 25, 40, 1))


def test_pieces_of_the_runner_give_the_labels_of_the_whole_with_views(monkeypatch):
    monkeypatch.setattr("maskwright.exports.describing.SIDE", 160)
    one = looking(Views(flips="both", turns="quarter"), model())
    script = runpy.run_path(str(SCRIPT))
    image = noise("uint8", 301, 190, 1)

    class Session:
        def run(self, names, given):
            assert max(given["image"].shape) < 301
            return [ours(one, given["image"][0])[0][None]]

    about = described(one)
    assert about["tiling"]["exact"]
    found = script["labels_of"](Session(), about, image)
    assert (found != ours(one, image)[0]).mean() < 1e-4  # classes that are as good as equally likely


def test_scales_that_go_badly_together_can_still_be_cut():
    tiling = described(looking(Views(scales=(0.83, 0.61, 1.0)), model()))["tiling"]
    assert tiling["side"] % tiling["step"] == tiling["halo"] % tiling["step"] == 0
    assert tiling["side"] >= 2 * tiling["halo"] + tiling["step"]
    assert not tiling["exact"]


def test_what_is_compared_whole_is_no_larger_than_allowed_at_the_largest_scale():
    assert _largest(looking(Views(scales=(0.5, 1.0, 2.0)), model())) == 512
    assert _largest(looking(Views(), model(scale=0.5))) == 2048
