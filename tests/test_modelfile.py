import errno
import json
import os
import pickle
import random
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from maskwright import modelfile
from maskwright.data.fingerprint import Fingerprint
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.learned_objects import LearnedObjects, ObjectSettings
from maskwright.data.preprocess import Preprocess
from maskwright.data.touching import Touching
from maskwright.errors import ModelFileError
from maskwright.model import UNet, UNetRecord
from maskwright.modelfile import Description, describe
from maskwright.plan import decide
from maskwright.settings import Budget

NETWORK = UNetRecord(in_channels=1, classes=2, depth=1, base=4)


def described(network=NETWORK):
    """A description as a small training would give it."""
    fingerprint = Fingerprint(
        train=3, val=1, test=0, channels=1, dtype="uint16", smallest=(32, 32), median=(32, 48), largest=(40, 64),
        low=3.0, high=4095.0, mean=(700.5,), std=(123.25,), classes=("background", "cell"), pixel_share=(0.75, 0.25),
        image_share=(1.0, 1.0), ignored_share=0.0,
    )  # fmt: skip
    return Description(
        maskwright="0.1.0",
        network=network,
        preprocess=Preprocess(channels=1, dtype="uint16", mean=(700.5,), std=(123.25,)),
        labels=Labels(
            classes=(
                ClassLabel(name="background", values=(0,), colour=(0, 0, 0)),
                ClassLabel(name="Zelle – 細胞", values=(255, 1), colour=(230, 159, 0)),
            ),
            ignored=(128,),
        ),
        plan=decide(fingerprint, budget=Budget(minutes=2), seed=3),
        fingerprint=fingerprint,
        scores={"val": {"mean_iou": float("nan"), "dice": 0.9}},
        provenance={"made": "2025-01-01", "steps": 12},
        split={"train": ("a1", "b2"), "val": ("c3",)},
    )


def weights_of(record, seed=0):
    """Weights as training leaves them, so that the golden logits depend on all of them."""
    torch.manual_seed(seed)
    network = UNet.from_record(record).train()
    with torch.no_grad():
        network(torch.randn(4, record.in_channels, 32, 32) * 2 + 1)
        network.head.weight.normal_()
    return network.state_dict()


@pytest.fixture(scope="module")
def weights():
    return weights_of(NETWORK)


@pytest.fixture(scope="module")
def golden():
    return torch.randn(1, 16, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def path(tmp_path, weights, golden):
    return modelfile.save(tmp_path / "model.safetensors", weights, described(), golden)


def refused(path, match=None):
    """The text of the one error that a bad file may cause; it names the file."""
    with pytest.raises(ModelFileError, match=match) as caught:
        modelfile.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def parts_of(path):
    """The JSON header, as a dictionary, and the bytes of the tensors."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write_parts(path, header, tensors):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)


def change_description(path, change):
    """Rewrite the description in the file by a function of it."""
    header, tensors = parts_of(path)
    values = json.loads(header["__metadata__"][modelfile.KEY])
    header["__metadata__"][modelfile.KEY] = json.dumps(change(values))
    write_parts(path, header, tensors)


# ------------------------------------------------------------------------------------------------------------ round


def test_weights_come_back_bit_for_bit(path, weights):
    found = modelfile.load(path).network.state_dict()

    assert found.keys() == weights.keys()
    for name, tensor in weights.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def familiar():
    """What a training says of its images, as small as it can be."""
    from maskwright.familiar import Familiar, Neighbours

    points = Neighbours(mean=(1.0,), spread=(2.0,), points=((0.0,), (1.0,)), limit=1.5, false_alarms=0.1)
    return Familiar(
        images=4, held_out=1, channels=(1,), dtype="uint16", smallest=(32, 32), largest=(40, 64), mean=((1, 2),),
        std=((3, 4),), clipped=0.0, values=points, octaves=points, content=points,
    )  # fmt: skip


def test_what_the_training_images_looked_like_comes_back(tmp_path, weights, golden):
    said = described().model_copy(update={"familiar": familiar()})

    path = modelfile.save(tmp_path / "model.safetensors", weights, said, golden)

    assert describe(path).familiar == familiar()
    assert describe(path).to_json() == said.to_json()


def test_the_description_comes_back(path):
    found = modelfile.load(path).description

    expected = described()
    assert np.isnan(found.scores["val"].pop("mean_iou"))
    expected.scores["val"].pop("mean_iou")
    assert found == expected


def test_the_network_predicts_what_it_did(path, weights):
    network = UNet.from_record(NETWORK)
    network.load_state_dict(weights)
    image = torch.randn(1, 1, 21, 13)

    loaded = modelfile.load(path).network

    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    torch.testing.assert_close(loaded(image), network.eval()(image), rtol=0, atol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"norm": "instance"}, {"norm": "group"}, {"norm": "none"}, {"padding": "valid"}, {"up": "bilinear", "stem": 2},
        {"block": "residual", "down": "strided"}, {"classes": 1}, {"widths": (3, 5)}, {"dropout": 0.5},
    ],
    ids=str,
)  # fmt: skip
def test_every_kind_of_network_comes_back(settings, tmp_path):
    record = NETWORK.with_settings(settings)
    weights = weights_of(record)
    path = modelfile.save(tmp_path / "model.safetensors", weights, described(record), torch.randn(1, 32, 32))

    found = modelfile.load(path).network

    assert found.record == record
    assert all(torch.equal(found.state_dict()[name], tensor) for name, tensor in weights.items())


def test_weights_in_any_memory_order_are_kept_and_left_as_they_were(tmp_path, weights, golden):
    odd = {n: t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for n, t in weights.items()}
    shared = {n: t.requires_grad_() if t.is_floating_point() else t for n, t in odd.items()}

    path = modelfile.save(tmp_path / "model.safetensors", shared, described(), golden)

    found = modelfile.load(path).network.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    assert all(t.requires_grad for t in shared.values() if t.is_floating_point())


def test_weights_beside_the_processor_are_brought_to_it(monkeypatch, tmp_path, weights, golden):
    """A trained network's weights lie on its device; the golden sample is computed where loading computes it."""
    asked = []
    cpu = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: asked.append(tensor.shape) or cpu(tensor))
    built = modelfile._built
    monkeypatch.setattr(modelfile, "_built", lambda *given: asked.append("built") or built(*given))

    modelfile.save(tmp_path / "model.safetensors", weights, described(), golden)

    assert len(asked[: asked.index("built")]) == len(weights) + 1


def test_describe_reads_no_weights(path, monkeypatch):
    class NoTensors:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            self.opened = self.file.__enter__()
            return self

        def __exit__(self, *why):
            return self.file.__exit__(*why)

        def metadata(self):
            return self.opened.metadata()

        def keys(self):
            return self.opened.keys()

        def get_tensor(self, name):
            raise AssertionError(f"{name} was read")

    safe_open = modelfile.safe_open
    monkeypatch.setattr(modelfile, "safe_open", lambda *given, **options: NoTensors(safe_open(*given, **options)))

    assert describe(path).network == NETWORK
    with pytest.raises(AssertionError, match="was read"):
        modelfile.load(path)


def test_a_later_save_takes_the_place_of_an_earlier_one(path, golden):
    other = weights_of(NETWORK, seed=5)

    modelfile.save(path, other, described(), golden)

    assert torch.equal(modelfile.load(path).network.head.weight, other["head.weight"])
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


# ---------------------------------------------------------------------------------------------------------- damaged


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]

    for stop in [*range(0, 20), *range(20, header, 401), header - 1, header, *range(header, len(whole), 307)]:
        path.write_bytes(whole[:stop])
        refused(path)
        with pytest.raises(ModelFileError, match=path.name):
            describe(path)


def test_a_file_with_something_behind_its_end_is_refused(path):
    path.write_bytes(path.read_bytes() + b"more")

    refused(path, "damaged or cut short")


@pytest.mark.parametrize(
    "name", ["encoder.blocks.0.0.convolutions.0.0.weight", "decoder.blocks.0.convolutions.1.1.weight", "head.weight"]
)
def test_a_flipped_sign_in_the_weights_is_found_by_the_golden_sample(path, name):
    header, tensors = parts_of(path)
    start, stop = header[f"weights.{name}"]["data_offsets"]
    values = np.frombuffer(tensors, np.float32, (stop - start) // 4, start)
    changed = bytearray(tensors)
    changed[start + 4 * int(np.abs(values).argmax()) + 3] ^= 0x80  # the sign of the largest
    write_parts(path, header, bytes(changed))

    text = refused(path, "no longer computes what it did when it was written: logits differ by")

    assert "The file is damaged, or this installation of torch is" in text


def test_a_number_that_is_none_is_found_by_the_golden_sample(path):
    header, tensors = parts_of(path)
    start, _ = header["weights.head.bias"]["data_offsets"]
    changed = bytearray(tensors)
    changed[start : start + 4] = struct.pack("<f", float("nan"))
    write_parts(path, header, bytes(changed))

    refused(path, "logits differ by nan")


def test_changed_bytes_cause_no_foreign_error(path):
    """Anywhere in the file: it loads, if the byte did not matter, or says that the file is damaged."""
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    rng = random.Random(0)

    for place in [rng.randrange(header) for _ in range(150)] + [rng.randrange(header, len(whole)) for _ in range(50)]:
        changed = bytearray(whole)
        changed[place] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            modelfile.load(path)
        except ModelFileError as error:
            assert str(path) in str(error)  # noqa: PT017


@pytest.mark.parametrize("kind", ["I32", "BF16", "shape"])
def test_a_golden_sample_of_another_kind_is_damage(path, kind):
    header, tensors = parts_of(path)
    if kind == "shape":
        header["golden.image"]["shape"] = [16, 24, 1]
    else:
        header["golden.image"]["dtype"] = kind
        header["golden.image"]["shape"] = [1, 16, 24] if kind == "I32" else [2, 16, 24]
    write_parts(path, header, tensors)

    refused(path, "golden sample in .* is damaged")


def test_without_a_golden_sample_a_file_is_refused(path, weights):
    tensors = {f"weights.{name}": tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, path, metadata={modelfile.KEY: described().model_dump_json()})

    refused(path, "no golden sample")


def test_weights_of_another_network_are_refused(path):
    change_description(path, lambda values: {**values, "network": {**values["network"], "base": 8}})

    refused(path, "weights in .* do not fit its network")


@pytest.mark.parametrize(
    "change",
    [
        lambda values: {**values, "surprise": 1},
        lambda values: {k: v for k, v in values.items() if k != "network"},
        lambda values: {**values, "network": {**values["network"], "depth": -1}},
        lambda values: {**values, "labels": None},
        lambda values: {**values, "version": "one"},
        lambda values: {**values, "version": None},
        lambda values: {**values, "version": float("inf")},
        lambda values: [values],
        lambda values: "text",
        lambda values: None,
    ],
)
def test_a_damaged_description_is_an_error_of_the_model_file(path, change):
    change_description(path, change)

    refused(path, "description in .* is damaged")
    with pytest.raises(ModelFileError, match="is damaged"):
        describe(path)


def test_a_description_nested_without_end_is_an_error_of_the_model_file(path):
    header, tensors = parts_of(path)
    header["__metadata__"][modelfile.KEY] = "[" * 100_000
    write_parts(path, header, tensors)

    refused(path, "is damaged")


def test_a_file_from_a_later_version_says_how_to_update(path):
    later = {"version": modelfile.VERSION + 1, "maskwright": "9.9", "surprise": 1}
    change_description(path, lambda values: {**values, **later})

    text = refused(path, f"later version \\(format {modelfile.VERSION + 1}, Maskwright 9.9\\)")

    assert "pip install --upgrade maskwright" in text


@pytest.mark.parametrize("part", ["labels", "plan", "fingerprint"])
def test_what_is_said_of_objects_comes_back(part, tmp_path, weights, golden):
    seen = Touching(masks=1, objects=4, touching=0.5, border=0.01, diameter=9.0)
    said = {"labels": LearnedObjects(kind="border"), "plan": ObjectSettings(how="distance"), "fingerprint": seen}
    about = described()
    about = about.model_copy(update={part: getattr(about, part).model_copy(update={"objects": said[part]})})

    found = describe(modelfile.save(tmp_path / "model.safetensors", weights, about, golden))

    assert getattr(found, part).objects == said[part]


def test_a_file_of_an_earlier_format_says_nothing_of_what_came_later(path):
    header, tensors = parts_of(path)
    values = json.loads(header["__metadata__"][modelfile.KEY])
    assert values["version"] == modelfile.VERSION
    for part, later in (
        ("labels", "objects"),
        ("plan", "objects"),
        ("plan", "views"),
        ("fingerprint", "objects"),
        ("preprocess", "statistics"),
    ):
        del values[part][later]
    for later in ("familiar", "members"):
        del values[later]
    header["__metadata__"][modelfile.KEY] = json.dumps({**values, "version": 1})
    write_parts(path, header, tensors)
    about = describe(path)
    assert (about.labels.objects, about.plan.objects, about.familiar, about.members) == (None, None, None, ())
    assert about.plan.views.count == 1


# -------------------------------------------------------------------------------------------------------- strangers


class Malicious:
    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("how", ["pickle", "old pickle", "torch"])
def test_a_pickle_is_refused_whatever_it_is_called_and_never_opened(tmp_path, how):
    trace, path = tmp_path / "it ran", tmp_path / "model.safetensors"
    if how == "torch":
        torch.save({"weights": Malicious(trace)}, path)
    else:
        path.write_bytes(pickle.dumps(Malicious(trace), protocol=0 if how == "old pickle" else None))

    text = refused(path)

    assert not trace.exists()
    assert how == "old pickle" or "is a pickle, whatever its name says" in text


def test_an_archive_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights.bin", b"0" * 100)

    refused(path, "written by maskwright train")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"hello\n", b"name,value\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(100), b"\xff" * 100],
    ids=["empty", "brace", "short", "text", "picture", "zeros", "ones"],
)
def test_another_kind_of_file_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    refused(path, "is not a model file")


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 10**15) + b"{}" + bytes(50))

    refused(path, "damaged or cut short")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}], ids=["bare", "with metadata"])
def test_tensors_of_somebody_else_are_refused(tmp_path, metadata):
    path = tmp_path / "model.safetensors"
    save_file({"conv.weight": torch.zeros(3)}, path, metadata=metadata)

    refused(path, "was not written by Maskwright")


def test_a_missing_file_and_a_folder_are_told_apart_from_damage(tmp_path):
    refused(tmp_path / "none.safetensors", "does not exist. A model file is the model.safetensors of a run folder")
    refused(tmp_path, "does not exist")


def test_a_file_that_may_not_be_read_is_told(path, monkeypatch):
    def closed(self, *_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(type(path), "open", closed)

    refused(path, "cannot be read .*Check its permissions")


# -------------------------------------------------------------------------------------------------------- full disk


def test_a_full_disk_leaves_the_old_file(path, golden, monkeypatch):
    before = path.read_bytes()

    def full(tensors, to, metadata):
        to.write_bytes(before[: len(before) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(modelfile, "save_file", full)
    with pytest.raises(ModelFileError, match=r"model.safetensors could not be written.*Free some space"):
        modelfile.save(path, weights_of(NETWORK, seed=5), described(), golden)

    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path, weights, golden):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ModelFileError, match="could not be written"):
        modelfile.save(tmp_path / "file" / "model.safetensors", weights, described(), golden)
