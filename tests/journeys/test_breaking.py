"""A training that breaks off keeps the best model so far, and goes on once what broke it is mended."""

import pytest
import torch
from safetensors.torch import load_file

import maskwright
from maskwright import api
from maskwright.errors import CheckpointError, DataError, MaskwrightError, ModelFileError
from maskwright.training.callbacks import Listener

SETTINGS = {"model.base": 4, "device.threads": 1}


class At(Listener):
    def __init__(self, step, act):
        self.step, self.act = step, act

    def stepped(self, news):
        if news.step == self.step:
            self.act()


@pytest.fixture
def train(blobs, tiny, tmp_path):
    def run(name="run", step=0, act=None, **settings):
        wishes = {**tiny, **SETTINGS, **{key.replace("__", "."): value for key, value in settings.items()}}
        folder = tmp_path / "blobs"
        data = folder if folder.exists() else blobs()
        return maskwright.train(
            data, out=tmp_path / name, epochs=4, device="cpu", settings=wishes, callbacks=[At(step, act)]
        )

    return run


def same(one, other):
    weights = [load_file(run / "model.safetensors") for run in (one, other)]
    return all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_files_that_vanish_are_named_and_the_best_model_is_written(train, tmp_path, monkeypatch):
    """Of the images, which have no room anywhere, each is read whenever it is needed."""
    monkeypatch.setattr("maskwright.data.cache.IN_MEMORY", 0)
    whole = train("whole").folder
    images, aside = tmp_path / "blobs" / "images", tmp_path / "aside"
    with pytest.raises(MaskwrightError, match=r"img_0\d\.png") as caught:
        train(step=9, act=lambda: images.rename(aside), training__cache_gb=0)

    run = tmp_path / "run"
    told = " ".join(caught.value.__notes__)
    assert f"The best model so far is kept: {run / 'model.safetensors'}" in told
    assert f"maskwright train --resume {run}" in told
    assert maskwright.load(run / "model.safetensors").description.provenance["ended"].startswith("it broke off")
    assert (run / "report.html").exists()
    with pytest.raises(DataError, match=r"cannot be read since the training began"):
        api.resume(run)
    aside.rename(images)
    api.resume(run)
    assert same(whole, run)
    assert not (run / "interrupted").exists()


def test_a_bug_in_a_callback_costs_nothing(train, tmp_path):
    def bug():
        raise ZeroDivisionError("a bug of mine")

    whole = train("whole").folder
    with pytest.raises(ZeroDivisionError) as caught:
        train(step=8, act=bug)
    assert "The best model so far is kept" in caught.value.__notes__[0]
    assert "ZeroDivisionError" in (tmp_path / "run" / "interrupted").read_text()
    assert (tmp_path / "run" / "scores-val.json").exists()
    api.resume(tmp_path / "run", workers=0)
    assert same(whole, tmp_path / "run")


def test_decoded_images_give_way_where_the_model_has_no_room(train, tmp_path, monkeypatch):
    from maskwright import modelfile

    real = modelfile.save_file

    def fills(tensors, path, **more):
        if (tmp_path / "run" / "cache").exists():
            raise OSError(28, "No space left on device")
        real(tensors, path, **more)

    monkeypatch.setattr(modelfile, "save_file", fills)
    assert train().model.exists()


def test_a_model_that_cannot_be_written_is_written_by_resume_without_training_again(train, tmp_path, monkeypatch):
    from maskwright import modelfile

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    whole = train("whole").folder
    with monkeypatch.context() as patch:
        patch.setattr(modelfile, "save_file", full)
        with pytest.raises(ModelFileError, match="No space left") as caught:
            train()
    assert "nothing is trained again by maskwright train --resume" in caught.value.__notes__[0]
    monkeypatch.setattr("maskwright.training.step.Step.__call__", full)  # whoever learnt would fail
    api.resume(tmp_path / "run")
    assert same(whole, tmp_path / "run")


def test_what_changed_in_the_data_is_noticed_on_resume(train, blobs, tmp_path):
    from PIL import Image

    def bug():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(step=8, act=bug)
    path = tmp_path / "blobs" / "masks" / "img_01.png"
    with Image.open(path) as image:
        image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(path)
    with pytest.raises(DataError, match=r"masks/img_01\.png changed since the training began"):
        api.resume(tmp_path / "run")


def test_a_run_that_is_at_work_is_not_resumed(train, tmp_path):
    refused = []

    def resume_too():
        with pytest.raises(CheckpointError, match="is being worked on") as caught:
            api.resume(tmp_path / "run")
        refused.append(caught.value)

    train(step=3, act=resume_too)
    assert refused


def test_minutes_used_before_a_stop_count_after_it(blobs, tiny, tmp_path):
    """What is promised of a budget in minutes; not that the model is the same."""

    def bug():
        raise ZeroDivisionError

    settings = {**tiny, **SETTINGS}
    with pytest.raises(ZeroDivisionError):
        maskwright.train(
            blobs(), out=tmp_path / "run", minutes=0.2, device="cpu", settings=settings, callbacks=[At(12, bug)]
        )
    saved = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    saved["seconds"] = 11.9
    torch.save(saved, tmp_path / "run" / "last.ckpt")
    outcome = api.resume(tmp_path / "run").outcome

    assert (outcome.steps, outcome.reason) == (13, "the budget was used"), "one step, and its time was over"
    assert outcome.seconds > 11.9
