"""The twin of the graph in PyTorch, as it is, as TorchScript and as an exported program."""

import pytest
import torch
from tests.exports.conftest import agree, model, noise
from tests.exports.test_whole import KINDS, SIZES

from maskwright.exports.module import Whole, ratio
from maskwright.exports.registry import Options
from maskwright.exports.torch_export import TorchExport
from maskwright.exports.torchscript import TorchScript, description_of, runner_of
from maskwright.inference.ensemble import joined


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_says_what_the_predictor_says_at_any_size(kind):
    one = joined([model(**KINDS[kind])])
    about = one.description.preprocess
    run = runner_of(Whole(one))
    for size in SIZES:
        for channels in {about.channels} | ({1, 3} if about.channels in {1, 3} else set()):
            agree(one, run, noise(about.dtype, *size, channels))


@pytest.mark.parametrize("settings", [{"scale": 0.5, "channels": 3}, {"padding": "valid"}], ids=str)
def test_torchscript_holds_for_sizes_it_was_not_traced_at(settings, tmp_path):
    several = joined([model(**settings), model(1, **settings)])
    path = TorchScript().write(several, tmp_path / "model.pt", Options())
    run = TorchScript().open(path, 1)

    for size in SIZES:
        agree(several, run, noise("uint8", *size, settings.get("channels", 1)))
    assert [c["name"] for c in description_of(path)["classes"]] == ["ground", "cell", "edge"]


@pytest.mark.parametrize(
    "settings",
    [{"depth": 1, "base": 2}, pytest.param({"scale": 0.5, "channels": 3, "skip": "nested"}, marks=pytest.mark.slow)],
    ids=str,
)
def test_an_exported_program_holds_for_small_images_too(settings, tmp_path):
    one = joined([model(**settings)])
    channels = settings.get("channels", 1)
    path = TorchExport().write(one, tmp_path / "model.pt2", Options())
    run = TorchExport().open(path, 1)

    for size in [(1, 50), (2, 3), (37, 53), (64, 64), (101, 3)]:
        agree(one, run, noise("uint8", *size, channels))
    narrow = noise("uint8", 20, 1, channels)
    if "scale" in settings:
        with pytest.raises(AssertionError, match="Guard"):
            run(narrow)
    else:
        agree(one, run, narrow)


@pytest.mark.parametrize("scale", [0.5, 0.37, 0.29, 1 / 3, 2**-5, 1.7, 0.123456789])
def test_working_sizes_in_whole_numbers_are_those_of_the_preprocessing(scale):
    """0.29 · 150 is 43.5 on paper and a little less in a computer."""
    about = model(scale=scale).description.preprocess
    top, bottom = ratio(about)
    member = Whole(joined([model(scale=scale)])).mean.looks[0]

    assert member.scale == (top, bottom)
    assert (top == 0) == (scale == 0.29)
    for n in [*range(1, 400), 4999, 65535]:
        assert member.working(n, 0) == about.working_size(n, 1)[0]


def test_grey_and_colour_that_the_model_does_not_know_are_refused():
    with pytest.raises(AssertionError, match="other channels"):
        Whole(joined([model()]))(torch.zeros(1, 8, 8, 2, dtype=torch.uint8))
