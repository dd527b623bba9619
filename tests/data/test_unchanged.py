import os
import time

import pytest
from PIL import Image

from maskwright.data.cache import Decoder
from maskwright.data.index import index
from maskwright.data.preprocess import Preprocess
from maskwright.data.unchanged import demand_unchanged
from maskwright.errors import DataError, ReadError

LATER = 10**9 * 10**9


@pytest.fixture
def samples(blobs):
    return index(blobs())


def changed(path):
    with Image.open(path) as image:
        other = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    other.save(path)


def ask(samples, since=0):
    demand_unchanged(samples, samples.samples, since=since, workers=2)


def test_what_nobody_touched_is_unchanged(samples):
    ask(samples)
    ask(samples, LATER)


@pytest.mark.parametrize("what", ["images/img_03.png", "masks/img_03.png"])
def test_changed_and_vanished_files_are_named(samples, blobs, what):
    root = blobs()
    changed(root / what)
    (root / "masks" / "img_05.png").unlink()

    with pytest.raises(DataError, match=rf"masks/img_05.png cannot be read and {what} changed since") as caught:
        ask(samples)
    assert set(caught.value.files) == {"masks/img_05.png", what}


def test_only_what_was_touched_since_is_read(samples, blobs, monkeypatch):
    from maskwright.data import unchanged

    root, read, real = blobs(), [], unchanged.content_of
    monkeypatch.setattr(unchanged, "content_of", lambda root, one: read.append(one.image) or real(root, one))
    then = time.time_ns() + 120 * 10**9
    os.utime(root / "images" / "img_02.png", ns=(then, then))  # copied anew, say
    ask(samples, then)

    assert read == ["images/img_02.png"]


def test_a_file_that_changed_before_it_was_decoded_is_not_trained_on(samples, blobs):
    preprocess = Preprocess(mean=(0.0,), std=(1.0,), channels=1, dtype="uint8")
    decode = Decoder(samples, samples.samples, preprocess, None)
    decode(3)
    changed(blobs() / samples.samples[3].image)
    with pytest.raises(DataError, match=r"img_03\.png changed while the training was at work"):
        decode(3)
    (blobs() / samples.samples[4].image).unlink()
    with pytest.raises(ReadError, match=r"img_04\.png"):
        Decoder(samples, samples.samples, preprocess, None)(4)
