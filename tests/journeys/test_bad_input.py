"""Bad input gives a clear error before any long work, and leaves nothing half-written."""

import errno
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import maskwright
from maskwright.errors import DataError, MaskwrightError, ModelFileError, ReadError, SettingError
from maskwright.training import checkpoint
from maskwright.training.callbacks import Listener


@pytest.fixture
def refused(tmp_path, tiny):
    """Try to train on a folder, expecting an error of that kind; gives its text."""

    def attempt(folder, kind=DataError, **options):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(kind) as caught:
            maskwright.train(folder, out=tmp_path / "run", epochs=1, device="cpu", **{"settings": tiny, **options})
        assert sorted(tmp_path.rglob("*")) == before, "nothing is written when training is refused"
        return str(caught.value)

    return attempt


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    text = refused(tmp_path / "empty")
    assert "is empty" in text
    assert "images/ and masks/" in text


def test_a_folder_that_does_not_exist(refused, tmp_path):
    assert "does not exist" in refused(tmp_path / "nowhere")


def test_no_masks(refused, blobs):
    folder = blobs()
    for path in (folder / "masks").iterdir():
        path.unlink()
    assert "No images with masks" in refused(folder)


def test_a_mask_that_is_missing_is_told_and_the_image_left_out(blobs):
    folder = blobs()
    (folder / "masks" / "img_03.png").unlink()
    samples = maskwright.inspect(folder).samples
    assert "left out, as 1 image has no mask: images/img_03.png" in samples.notes
    assert "img_03" not in {sample.name for sample in samples.samples}


def test_mismatched_sizes(refused, blobs):
    folder = blobs()
    Image.new("L", (41, 48)).save(folder / "masks" / "img_02.png")
    text = refused(folder)
    assert "48×40" in text
    assert "48×41" in text
    assert "img_02.png" in text


def test_a_truncated_png(refused, blobs):
    folder = blobs()
    path = folder / "images" / "img_05.png"
    path.write_bytes(path.read_bytes()[:300])
    assert "img_05.png" in refused(folder, ReadError)


def test_a_text_file_called_png(refused, blobs):
    folder = blobs()
    (folder / "images" / "img_01.png").write_text("this is no picture")
    assert "img_01.png" in refused(folder, ReadError)


def test_a_mask_with_an_unexpected_value(refused, blobs):
    folder = blobs(count=12, size=(96, 96))
    path = folder / "masks" / "img_04.png"
    mask = np.array(Image.open(path))
    mask[0, 0] = 7
    Image.fromarray(mask).save(path)
    text = refused(folder)
    assert "img_04.png" in text
    assert "value 7" in text
    assert "dataset.yaml" in text


def test_a_photograph_in_place_of_a_mask(refused, blobs):
    folder = blobs()
    noise = np.random.default_rng(0).integers(0, 256, (48, 40)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "masks" / "img_04.png")
    assert "img_04.png" in refused(folder)


def test_an_unknown_setting_names_the_nearest(refused, blobs):
    assert "model.depth" in refused(blobs(), SettingError, settings={"model.dpeth": 3})
    assert "training.optimizer.lr" in refused(blobs(), SettingError, settings={"optimizer.lrr": 3})


class Hears(Listener):
    def __init__(self):
        self.warnings = []

    def warned(self, text):
        self.warnings.append(text)


def test_a_disk_that_fills_while_a_checkpoint_is_written(blobs, tiny, tmp_path, monkeypatch):
    """The checkpoint before it stays whole, training goes on, the person is told."""
    real = torch.save
    calls = []

    def fills(state, path, *rest):
        calls.append(path)
        if len(calls) > 1:
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(state, path, *rest)

    monkeypatch.setattr(torch, "save", fills)
    hears = Hears()
    settings = {**tiny, "checkpoint_seconds": 0}
    run = maskwright.train(blobs(), out=tmp_path / "run", epochs=2, device="cpu", settings=settings, callbacks=[hears])

    assert "No space left" in hears.warnings[0]
    assert "Free some space" in hears.warnings[0]
    assert checkpoint.load(run.folder / "last.ckpt", torch.device("cpu"))["progress"]["pace"]["step"] == 1
    assert run.model.exists()
    assert not list(run.folder.glob(".*")), "no temporary file is left"


def test_a_disk_that_is_full_when_the_model_is_written(blobs, tiny, tmp_path, monkeypatch):
    import maskwright.modelfile

    def fills(tensors, path, **_):
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(maskwright.modelfile, "save_file", fills)
    with pytest.raises(ModelFileError, match="No space left"):
        maskwright.train(blobs(), out=tmp_path / "run", epochs=1, device="cpu", settings=tiny)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert (tmp_path / "run" / "last.ckpt").exists(), "once there is space the run can be resumed"


def test_a_loss_that_is_no_number_ends_the_training_with_the_best_model(blobs, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("maskwright.training.schedules.rate", lambda _, progress: 1.0 if progress < 0.6 else 1e30)
    hears = Hears()
    settings = {**tiny, "optimizer.name": "sgd", "optimizer.lr": 1e-3}
    run = maskwright.train(blobs(), out=tmp_path / "run", epochs=9, device="cpu", settings=settings, callbacks=[hears])
    assert "optimizer.lr" in hears.warnings[0]
    assert "The loss is" in run.outcome.reason
    assert all(torch.isfinite(t).all() for t in maskwright.load(run.model).network.state_dict().values())


def test_a_loss_that_is_no_number_from_the_beginning_is_an_error(blobs, tiny, tmp_path):
    settings = {**tiny, "optimizer.name": "sgd", "optimizer.lr": 1e30}
    with pytest.raises(MaskwrightError, match=r"optimizer\.lr"):
        maskwright.train(blobs(), out=tmp_path / "run", epochs=30, device="cpu", settings=settings)


@pytest.fixture(scope="module")
def trained(paint_blobs, tiny, tmp_path_factory):
    """A model file of a short training, not to be changed."""
    home = tmp_path_factory.mktemp("model")
    return maskwright.train(paint_blobs(home / "blobs"), out=home / "run", epochs=1, device="cpu", settings=tiny).model


@pytest.fixture
def model(trained, tmp_path):
    """A copy of it that a test may change."""
    return Path(shutil.copy(trained, tmp_path / "model.safetensors"))


def test_a_model_file_that_is_truncated(model):
    model.write_bytes(model.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="damaged"):
        maskwright.load(model)


def test_a_model_file_from_a_later_version(model, monkeypatch):
    raw = model.read_bytes()
    later = raw.replace(b'{\\"version\\":3,', b'{\\"version\\":9,')
    assert later != raw
    model.write_bytes(later)
    with pytest.raises(ModelFileError, match="later version"):
        maskwright.load(model)


def test_a_pickle_in_disguise(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ModelFileError, match="pickle"):
        maskwright.load(path)
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="pickle"):
        maskwright.load(path)


def test_the_command_line_prints_the_error_without_a_traceback(tmp_path):
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "maskwright", "train", str(tmp_path / "empty")],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("Error:")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_predicting_never_overwrites_an_input(model, blobs):
    images = blobs() / "images"
    with pytest.raises(DataError, match="written over"):
        list(maskwright.api.predict_files(model, [images], images))


def test_predicting_never_overwrites_a_file_unless_told_to(model, blobs):
    """The masks a person drew may well lie in the folder named as --out."""
    folder = blobs()
    drawn = (folder / "masks" / "img_00.png").read_bytes()
    with pytest.raises(DataError, match="--overwrite"):
        list(maskwright.api.predict_files(model, [folder / "images"], folder / "masks"))
    assert (folder / "masks" / "img_00.png").read_bytes() == drawn
    done = list(maskwright.api.predict_files(model, [folder / "images"], folder / "masks", overwrite=True))
    assert len(done) == 8


def test_predicting_what_is_not_there(model, tmp_path):
    with pytest.raises(DataError, match=r"nothing\.png"):
        list(maskwright.api.predict_files(model, [tmp_path / "nothing.png"], tmp_path / "out"))


def test_another_kind_of_value_is_refused_rather_than_guessed(model):
    with pytest.raises(DataError, match="uint16"):
        maskwright.predict(model, np.zeros((30, 30), np.uint16))
