import zipfile

import numpy as np
import pytest
import torch
import yaml

from maskwright import modelfile
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.learned_objects import LearnedObjects
from maskwright.data.preprocess import Preprocess
from maskwright.errors import SettingError
from maskwright.exports.bioimageio import BioImageIO
from maskwright.exports.registry import Options
from maskwright.inference import Predictor, ensemble
from maskwright.model import UNet, UNetRecord
from maskwright.modelfile import Description
from maskwright.plan import decide
from maskwright.settings import Budget
from maskwright.tiling import Tiles

SAID = {"author": "Ada Lovelace; Charles Babbage", "licence": "CC-BY-4.0"}
# Of the specification's library and of TorchScript, both about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


def written(folder, *, channels=3, dtype="uint8", name="model.safetensors", **settings):
    """A model file with weights that say something."""
    preprocess = Preprocess(
        channels=channels, dtype=dtype, mean=(100.0, 110.0, 120.0)[:channels], std=(30.0, 25.0, 20.0)[:channels],
        **{key: settings.pop(key) for key in ("scale", "size") if key in settings},
    )  # fmt: skip
    objects = settings.pop("objects", None)
    network = UNetRecord(**{"in_channels": channels, "classes": 2, "depth": 2, "base": 4, **settings})
    fingerprint = Fingerprint(
        train=3, val=1, test=0, channels=channels, dtype=dtype, smallest=(32, 32), median=(32, 48), largest=(40, 64),
        low=0.0, high=255.0, mean=preprocess.mean, std=preprocess.std, classes=("background", "cell"),
        pixel_share=(0.75, 0.25), image_share=(1.0, 1.0), ignored_share=0.0,
    )  # fmt: skip
    labels = Labels(
        classes=(
            ClassLabel(name="background", values=(0,), colour=(0, 0, 0)),
            ClassLabel(name="cell", values=(1,), colour=(230, 159, 0)),
        )
    ).learning(objects)
    plan = decide(fingerprint, budget=Budget(minutes=2)).model_copy(update={"preprocess": preprocess, "model": network})
    about = Description(
        maskwright="0.1.0", network=network, preprocess=preprocess, labels=labels, plan=plan, fingerprint=fingerprint,
        provenance={"data": "cells"},
    )  # fmt: skip
    torch.manual_seed(len(name))
    built = UNet.from_record(network).train()
    with torch.no_grad():
        built(torch.randn(2, channels, 64, 64))
        built.head.weight.normal_()
    golden = torch.randn(channels, 60, 60) if network.padding == "valid" else torch.randn(channels, 64, 64)
    return modelfile.save(folder / name, built.state_dict(), about, golden)


def package(path, target, said=SAID):
    return BioImageIO().write(ensemble.load(path), target, Options(source=path, said=said))


def description_in(path):
    with zipfile.ZipFile(path) as opened:
        name = next(name for name in opened.namelist() if name.endswith(".yaml"))
        return yaml.safe_load(opened.read(name)), opened.namelist()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"channels": 1, "dtype": "uint16"},
        {"scale": 0.5},
        {"size": (48, 40)},
        {"padding": "valid"},
        {"classes": 1},
        {"classes": 3, "objects": LearnedObjects(kind="border")},
    ],
    ids=str,
)
def test_the_package_says_what_the_model_says_and_is_valid(settings, tmp_path):
    from bioimageio.spec import ValidationContext, load_description

    path = written(tmp_path, **settings)
    zipped = package(path, tmp_path / "model.bioimageio.zip")
    about = modelfile.describe(path).preprocess
    top = 255 if about.dtype == "uint8" else 4000
    image_HWC = np.random.default_rng(0).integers(0, top, (75, 61, about.channels)).astype(about.dtype)

    labels, probabilities = BioImageIO().open(zipped, 1)(image_HWC)

    expected = Predictor(path, device="cpu", tiles=Tiles(window=(4096, 4096)))(image_HWC, probabilities=True)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-4)
    assert (labels == expected.labels).mean() > 0.999
    with ValidationContext(perform_io_checks=False):
        found = load_description(zipped)
    assert found.validation_summary.status != "failed", found.validation_summary.format()


def test_the_models_own_numbers_stand_in_the_words_of_the_specification(tmp_path):
    values, names = description_in(package(written(tmp_path), tmp_path / "model.bioimageio.zip"))

    (image,) = values["inputs"]
    steps = {step["id"]: step["kwargs"] for step in image["preprocessing"]}
    assert image["preprocessing"][-1] == {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}  # not back to uint8
    assert steps["fixed_zero_mean_unit_variance"]["mean"] == [100.0, 110.0, 120.0]
    assert steps["fixed_zero_mean_unit_variance"]["std"] == [30.0, 25.0, 20.0]
    assert image["axes"][2]["size"]["step"] % 4 == 0  # the network halves twice
    assert values["outputs"][0]["axes"][1]["channel_names"] == ["background", "cell"]
    assert values["outputs"][0]["axes"][2]["halo"] > 0
    assert [author["name"] for author in values["authors"]] == ["Ada Lovelace", "Charles Babbage"]
    assert values["license"] == "CC-BY-4.0"
    assert {"weights.pt", "test_input.npy", "test_output.npy", "documentation.md", "cover.png"} <= set(names)


@pytest.mark.parametrize(("said", "missing"), [({}, "author and its licence"), ({"author": "Ada"}, "licence")])
def test_what_the_specification_asks_for_is_asked_for(said, missing, tmp_path):
    with pytest.raises(SettingError, match=f"its {missing}"):
        package(written(tmp_path), tmp_path / "model.bioimageio.zip", said)


def test_several_members_are_one_package(tmp_path):
    files = [written(tmp_path, name=name) for name in ("a.safetensors", "bcd.safetensors")]
    both = ensemble.save(tmp_path / "both.safetensors", files)
    image_HWC = np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8)

    zipped = package(both, tmp_path / "both.bioimageio.zip")

    expected = Predictor(both, device="cpu")(image_HWC, probabilities=True).probabilities
    np.testing.assert_allclose(BioImageIO().open(zipped, 1)(image_HWC)[1], expected, atol=1e-4)
