"""Several models as one: the mean of their probabilities, in memory and in one file."""

import json
import struct

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from maskwright import api, modelfile
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.learned_objects import LearnedObjects
from maskwright.data.preprocess import Preprocess
from maskwright.errors import ModelFileError, SettingError
from maskwright.inference import Predictor, ensemble
from maskwright.model import UNet
from maskwright.modelfile import Description
from maskwright.plan import decide
from maskwright.tiling import Shelf, Tiles

NAMES = ("ground", "cell", "edge")


@pytest.fixture
def model_in(tmp_path):
    """Writes a small model with weights of its own. classes: names; a single logit stands for two."""

    def write(
        seed,
        *,
        scale=1.0,
        dtype="uint8",
        channels=1,
        values=(0, 10, 20),
        names=NAMES,
        mean=100.0,
        learned=None,
        even=False,
        **network,
    ):
        torch.manual_seed(seed)
        classes = network.pop("classes", len(names) + (learned is not None))
        net = UNet(channels, classes, depth=1, base=4, init="torch", **network).eval()
        with torch.no_grad():
            net.head.weight.mul_(6)  # so that the members disagree
            if even:  # all classes are seen
                net.head.bias -= net(torch.from_numpy((noise(64, 64) - mean) / 50).float()[None, None]).mean((0, 2, 3))
                net.head.weight.mul_(8), net.head.bias.mul_(8)
        means, stds = (mean,) * channels, (50.0,) * channels
        shares = tuple(1 / len(names) for _ in names)
        seen = Fingerprint(
            train=1, val=0, test=0, channels=channels, dtype=dtype, smallest=(9, 9), median=(9, 9), largest=(9, 9),
            low=0, high=255, mean=means, std=stds, classes=names, pixel_share=shares, image_share=shares,
            ignored_share=0,
        )  # fmt: skip
        labels = [ClassLabel(name=n, values=(v,), colour=(v, v, v)) for n, v in zip(names, values, strict=False)]
        about = Description(
            maskwright="0", network=net.record, fingerprint=seen,
            labels=Labels(classes=tuple(labels)).learning(learned),
            preprocess=Preprocess(channels=channels, dtype=dtype, scale=scale, mean=means, std=stds),
            plan=decide(seen), provenance={"data": f"set{seed}"},
            split={"train": (f"t{seed}", "shared"), "val": ("v",)},
        )  # fmt: skip
        path = tmp_path / f"{seed}.safetensors"
        return modelfile.save(path, net.state_dict(), about, torch.randn(channels, 16, 12))

    return write


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def by_hand(path, image):
    """Probabilities of one model, K H W, the plain way."""
    model = modelfile.load(path)
    with torch.inference_mode():
        logits = model.network(model.description.preprocess(image[:, :, None])[None])
        logits = F.interpolate(logits, size=image.shape, mode="bilinear", align_corners=False)[0]
    if len(logits) == 1:
        return np.concatenate([1 - logits.sigmoid(), logits.sigmoid()])
    return logits.softmax(0).numpy()


@pytest.mark.parametrize(
    ("second", "third"),
    [
        ({}, {}),
        ({"scale": 0.5}, {"mean": 30.0}),
        ({"up": "bilinear", "norm": "group"}, {"block": "residual", "stem": 2}),
    ],
    ids=["alike", "other sizes and values", "other networks"],
)
def test_an_ensemble_says_the_mean_of_its_members_probabilities(model_in, tmp_path, second, third):
    files = [model_in(0), model_in(1, **second), model_in(2, **third)]
    image = noise(600, 23)  # more rows than a band has
    expected = np.mean([by_hand(file, image) for file in files], axis=0, dtype=np.float64)
    labels = [by_hand(file, image).argmax(0) for file in files]
    assert any((labels[0] != other).any() for other in labels[1:]), "the members agree: this proves nothing"

    whole = Tiles(window=(2048, 2048))
    listed = Predictor(files, device="cpu", tiles=whole)(image, probabilities=True)
    one_file = Predictor(api.ensemble(files, tmp_path / "all.safetensors"), device="cpu", tiles=whole)

    np.testing.assert_allclose(listed.probabilities, expected, atol=1e-5)
    np.testing.assert_array_equal(listed.labels, listed.probabilities.argmax(0))
    assert set(np.unique(listed.mask)) <= {0, 10, 20}
    again = one_file(image, probabilities=True)
    np.testing.assert_array_equal(again.probabilities, listed.probabilities)
    np.testing.assert_array_equal(one_file(image).labels, listed.labels)
    assert listed.probabilities.dtype == np.float32


def test_a_single_logit_and_two_are_averaged_as_two_classes(model_in):
    two = {"names": NAMES[:2]}
    files = [model_in(0, **two), model_in(1, classes=1, **two)]
    image = noise(20, 24)
    found = Predictor(files, device="cpu")(image, probabilities=True)
    np.testing.assert_allclose(found.probabilities, sum(by_hand(f, image) for f in files) / 2, atol=2e-6)


CELLS = {"names": ("background", "cell"), "values": (0, 200)}
BORDER, CENTRE = LearnedObjects(kind="border"), LearnedObjects(kind="centre", core=0.4)


@pytest.mark.parametrize("seeds", [[1], [0, 1]])
def test_what_is_learned_of_objects_counts_as_foreground_and_is_marked(model_in, seeds):
    files = [model_in(seed, learned=CENTRE, **CELLS) for seed in seeds]
    image = noise(600, 23)
    shares = np.mean([by_hand(file, image) for file in files], axis=0)
    foreground = shares[1] + shares[2] > shares[0]
    learned = foreground & (shares[2] >= shares[1])
    sure = (np.abs(shares[1] + shares[2] - shares[0]) > 1e-4) & (np.abs(shares[2] - shares[1]) > 1e-4)
    assert (foreground & ~learned & sure).any()
    assert (learned & (shares[0] > shares[2]) & sure).any()

    found = Predictor(files, device="cpu", tiles=Tiles(window=(2048, 2048)))(image, probabilities=True)

    np.testing.assert_allclose(found.probabilities, [shares[0], shares[1] + shares[2]], atol=1e-5)
    np.testing.assert_array_equal(found.labels[sure], foreground[sure])
    np.testing.assert_array_equal(found.marked[sure], np.where(learned, 2, foreground)[sure])
    np.testing.assert_array_equal(found.mask, np.where(found.labels == 1, 200, 0))
    np.testing.assert_array_equal(found.classes.of_classes(found.marked), found.labels)


def of_classes_by_pixels(shares, things, learned):
    """Probabilities, labels and marks of each pixel in turn: K classes, the last share is of what was learned."""
    classes, height, width = len(shares) - 1, *shares.shape[1:]
    out = np.array(shares[:classes], float)
    marked = np.zeros((height, width), int)
    for y, x in np.ndindex(height, width):
        total = sum(shares[k, y, x] for k in things)
        for k in things:
            out[k, y, x] += shares[learned, y, x] * shares[k, y, x] / total
        label = int(out[:, y, x].argmax())
        is_marked = label in things and shares[learned, y, x] >= total
        marked[y, x] = classes + things.index(label) if is_marked else label
    return out, marked


@pytest.mark.parametrize("names", [("ground", "cell", "background"), ("background", "cell", "edge")])
def test_of_several_classes_what_is_learned_is_each_ones_part_as_a_slow_twin_has_it(model_in, names):
    files = [model_in(seed, learned=BORDER, names=names, even=True) for seed in (0, 3)]
    image = noise(60, 23)
    shares = np.mean([by_hand(file, image) for file in files], axis=0)
    things = [label for label, name in enumerate(names) if name != "background"]
    expected, marked = of_classes_by_pixels(shares, things, 3)

    found = Predictor(files, device="cpu", tiles=Tiles(window=(2048, 2048)))(image, probabilities=True)

    assert set(np.unique(marked)) >= {*range(3), 3, 4}
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-5)
    order = np.sort(expected, axis=0)
    clear = np.abs(shares[3] - shares[things].sum(0)) > 1e-4
    sure = (order[-1] - order[-2] > 1e-4) & clear
    np.testing.assert_array_equal(found.marked[sure], marked[sure])
    np.testing.assert_array_equal(found.classes.of_classes(found.marked), found.labels)


def test_a_model_that_learned_nothing_of_objects_marks_nothing(model_in):
    assert Predictor(model_in(0, **CELLS), device="cpu")(noise(20, 24)).marked is None


def test_models_that_learned_borders_centres_or_neither_are_not_averaged(model_in):
    files = [model_in(n, learned=learned, **CELLS) for n, learned in enumerate((BORDER, CENTRE, None))]
    for pair in (files[:2], files[1:], files[::2]):
        with pytest.raises(SettingError, match="the way to learn objects of the first"):
            Predictor(pair, device="cpu")


def test_an_ensemble_of_models_that_learned_objects_is_one_file(model_in, tmp_path):
    files = [model_in(n, learned=BORDER, **CELLS) for n in range(2)]
    image = noise(20, 24)

    one_file = Predictor(api.ensemble(files, tmp_path / "all.safetensors"), device="cpu")

    assert one_file.description.labels.objects == BORDER
    assert one_file.description.version == modelfile.describe(files[0]).version == 3
    np.testing.assert_array_equal(one_file(image).marked, Predictor(files, device="cpu")(image).marked)


def test_members_take_each_its_own_tiles(model_in):
    """Exact tiles for each, however far its network sees: the same as without tiles."""
    files = [model_in(0), model_in(1, up="bilinear", stem=2)]
    image = noise(150, 130)
    whole = Predictor(files, device="cpu", tiles=Tiles(window=(512, 512)))(image, probabilities=True)
    tiled = Predictor(files, device="cpu", tiles=Tiles(window=(96, 96), mode="exact"))(image, probabilities=True)
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-5)


def test_what_members_keep_for_each_other_does_not_grow_with_the_image(model_in, monkeypatch):
    """A row of windows or two of each, however high the image is."""
    predictor = Predictor(
        [model_in(n, scale=1 - n / 4) for n in range(3)], device="cpu", tiles=Tiles(window=(128, 128))
    )
    held: list[int] = []
    put = Shelf.put

    def counted(shelf, *given):
        put(shelf, *given)
        held.append(shelf._held)

    monkeypatch.setattr(Shelf, "put", counted)
    most = []
    for height in (500, 1500):
        held.clear()
        for _ in predictor.stream(noise(height, 40)):
            pass
        most.append(max(held))
    assert most[0] == most[1] <= 3 * 40 * 4 * 2 * 128 / 0.5


def test_members_come_back_bit_for_bit_and_an_ensemble_may_be_a_member(model_in, tmp_path):
    files = [model_in(n, scale=1 - n / 4) for n in range(3)]
    pair = api.ensemble(files[:2], tmp_path / "pair.safetensors")
    path = api.ensemble([pair, files[2]], tmp_path / "all.safetensors")

    found = ensemble.load(path)

    assert len(found.members) == 3
    for file, member in zip(files, found.members, strict=True):
        alone = modelfile.load(file)
        assert member.description == alone.description
        expected = alone.network.state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in member.network.state_dict().items())
    assert found.description.provenance["data"] == "set0, set1, set2"
    assert found.description.split == {"train": ("t0", "shared", "t1", "t2"), "val": ("v",), "test": ()}
    assert len(Predictor([pair, files[2]], device="cpu").members) == 3
    assert Predictor(path, device="cpu").description == found.description


def test_a_file_of_several_models_is_no_file_of_one(model_in, tmp_path):
    path = api.ensemble([model_in(0), model_in(1)], tmp_path / "both.safetensors")
    with pytest.raises(ModelFileError, match="holds 2 models"):
        modelfile.load(path)
    predictor = api.load(path, device="cpu")
    with pytest.raises(SettingError, match="2 models"):
        predictor.logits(noise(20, 20, 1))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"channels": 3}, "channels of the first: 1; of the other: 3"),
        ({"dtype": "uint16"}, "kind of value of the first: uint8; of the other: uint16"),
        ({"names": ("ground", "edge", "cell")}, "classes of the first: ground, cell, edge"),
        ({"names": NAMES[:2]}, "classes"),
        ({"values": (0, 1, 2)}, "mask values of the first: 0, 10, 20; of the other: 0, 1, 2"),
    ],
)
def test_models_that_do_not_fit_together_are_refused_by_name(model_in, tmp_path, other, said):
    files = [model_in(0), model_in(1, **other)]
    with pytest.raises(SettingError, match=said) as caught:
        api.ensemble(files, tmp_path / "both.safetensors")
    assert str(files[1]) in str(caught.value)
    assert not (tmp_path / "both.safetensors").exists()
    with pytest.raises(SettingError, match=said):
        api.load(files)


def test_one_model_makes_no_ensemble_and_no_file_is_written_over(model_in, tmp_path):
    with pytest.raises(SettingError, match="two models or more"):
        api.ensemble([model_in(0)], tmp_path / "one.safetensors")
    with pytest.raises(SettingError, match="is there already"):
        api.ensemble([model_in(0), model_in(1)], model_in(2))
    with pytest.raises(SettingError, match="needs a model"):
        api.load([])


def changed(path, name, change):
    """Change a tensor in the file, as an array."""
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    start, stop = json.loads(data[8 : 8 + length])[name]["data_offsets"]
    here = slice(8 + length + start, 8 + length + stop)
    values = np.frombuffer(data[here], np.float32).copy()
    change(values)
    data[here] = values.tobytes()
    path.write_bytes(data)


def flip(values):
    values[np.abs(values).argmax()] *= -1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("members.1.weights.head.weight", "logits differ by"),
        ("members.0.golden.logits", "logits differ by"),
        ("golden.probabilities", "probabilities differ by"),
        ("golden.image", "probabilities differ by"),
    ],
)
def test_damage_anywhere_is_found_by_a_golden_sample(model_in, tmp_path, name, said):
    path = api.ensemble([model_in(0), model_in(1)], tmp_path / "both.safetensors")
    ensemble.load(path)

    changed(path, name, flip if "image" not in name else lambda values: values.fill(200))

    with pytest.raises(ModelFileError, match=said) as caught:
        ensemble.load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_lacks_a_members_tensors_or_its_golden_sample_is_refused(model_in, tmp_path):
    path = api.ensemble([model_in(0), model_in(1)], tmp_path / "both.safetensors")
    description, tensors = modelfile.read(path)
    for lacking, said in (("members.1.", "do not fit its network"), ("golden.", "golden sample in .* is damaged")):
        kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(lacking)}
        modelfile.write(path, kept, description)
        with pytest.raises(ModelFileError, match=said):
            ensemble.load(path)
