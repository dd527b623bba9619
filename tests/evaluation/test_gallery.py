import itertools
import statistics
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from maskwright.data.display import SMALLEST, THUMBNAIL
from maskwright.data.index import Samples, index
from maskwright.data.labels import ClassLabel, Labels
from maskwright.data.preprocess import Preprocess
from maskwright.data.sample import Sample
from maskwright.data.samples import write_samples
from maskwright.evaluation import evaluate
from maskwright.evaluation.gallery import ALBUM, DRAWN, EXTRA, GAP, MISSED, Album, Gallery, data_pictures
from maskwright.files import read_image, write_image
from maskwright.inference import Prediction
from maskwright.records import IGNORED

CELLS = Labels(
    classes=(
        ClassLabel(name="background", values=(0,), colour=(0, 0, 0)),
        ClassLabel(name="cell", values=(255,), colour=(230, 159, 0)),
    )
)
CELL = (230, 159, 0)


class BrightIsCell:
    """A stand-in for a predictor."""

    def __init__(self, labels: Labels):
        self.description = SimpleNamespace(labels=labels, split={})

    def __call__(self, image_HWC: NDArray[np.uint8]) -> Prediction:
        return Prediction((image_HWC[:, :, 0] > 90).astype(np.uint8), None, self.description.labels)


def sample(name: str, size: tuple[int, int] = (20, 20)) -> Sample:
    return Sample(
        name=name, image=f"{name}.png", mask=f"{name}_mask.png", split="val", content=name, height=size[0],
        width=size[1], channels=1, dtype="uint8", low=0, high=255, mean=(0.0,), std=(1.0,),
    )  # fmt: skip


def grey(size: tuple[int, int] = (20, 20)) -> NDArray[np.uint8]:
    return np.full((*size, 1), 100, np.uint8)


def half(size: tuple[int, int] = (20, 20)) -> NDArray[np.uint8]:
    """Labels: the upper half background, the lower half cell."""
    labels = np.zeros(size, np.uint8)
    labels[size[0] // 2 :] = 1
    return labels


def with_wrong(wrong: int) -> NDArray[np.uint8]:
    """`half`, with so many cell pixels missed: the more, the lower the score."""
    said = half().ravel()
    said[200 : 200 + wrong] = 0
    return said.reshape(20, 20)


def watched(wrong: list[int], keep: int = 3) -> Gallery:
    gallery = Gallery(CELLS, keep=keep)
    for i, count in enumerate(wrong):
        gallery.watch(sample(f"{i:05d}"), grey(), half(), Prediction(with_wrong(count), None, CELLS))
    return gallery


def only_picture(folder: Path, gallery: Gallery) -> list[NDArray[np.uint8]]:
    """The four parts of the one picture that the gallery writes."""
    (shown,) = gallery.write(folder)
    picture = read_image(folder / shown.file)
    width = (picture.shape[1] - 3 * GAP) // 4
    return [picture[:, i * (width + GAP) : i * (width + GAP) + width] for i in range(4)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 10, 31])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_choice_is_that_of_sorting_all(count, seed):
    wrong = np.random.default_rng(seed).permutation(200)[:count].tolist()

    chosen = watched(wrong).chosen()

    order = [f"{i:05d}" for i in sorted(range(count), key=lambda i: -wrong[i])]  # worst first
    ends = min(3, (count + 1) // 3)
    assert chosen["worst"] == order[:ends]
    assert chosen["best"] == order[::-1][:ends]
    assert len({name for names in chosen.values() for name in names}) == min(count, 9)
    if middle := order[ends : count - ends]:
        # The score falls evenly enough with the wrong pixels for the median of either to be the same image.
        assert abs(middle.index(chosen["typical"][len(chosen["typical"]) // 2]) - (len(middle) - 1) / 2) <= 1.5


def test_every_picture_is_shown_up_to_three_times_keep():
    chosen = watched(list(range(7)), keep=3).chosen()

    assert sorted(itertools.chain(*chosen.values())) == [f"{i:05d}" for i in range(7)]


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
def test_memory_is_bounded_and_best_and_worst_are_exact_whatever_the_order(order):
    wrong = [i // 5 for i in range(1000)]
    wrong = {"rising": wrong, "falling": wrong[::-1]}.get(order) or np.random.default_rng(0).permutation(wrong).tolist()
    gallery = Gallery(CELLS)
    most = 0
    for i, count in enumerate(wrong):
        gallery.watch(sample(f"{i:05d}"), grey(), half(), Prediction(with_wrong(count), None, CELLS))
        most = max(most, len(gallery._thumbnails))

    chosen = {kind: [wrong[int(name)] for name in names] for kind, names in gallery.chosen().items()}

    assert most <= DRAWN + 2 * 3
    assert chosen["worst"] == [199] * 3
    assert chosen["best"] == [0] * 3
    assert all(abs(count - statistics.median(wrong)) < 0.15 * 200 for count in chosen["typical"])


def test_thumbnails_are_small_and_tiny_images_enlarged_by_whole_pixels(tmp_path):
    for size, expected in (((900, 1800), (THUMBNAIL // 2, THUMBNAIL)), ((30, 15), (30 * 6, 15 * 6))):
        gallery = Gallery(CELLS)
        gallery.watch(sample("a", size), grey(size), half(size), Prediction(half(size), None, CELLS))
        parts = only_picture(tmp_path / str(size), gallery)
        assert {part.shape for part in parts} == {(*expected, 3)}
        assert max(expected) <= max(THUMBNAIL, SMALLEST)


def test_the_parts_are_image_mask_prediction_and_errors(tmp_path):
    gallery = Gallery(CELLS)
    labels, said = half((200, 200)), half((200, 200))
    said[120:140] = 0  # missed
    said[20:40] = 1  # too much
    labels[:10] = IGNORED
    gallery.watch(sample("a"), grey((200, 200)), labels, Prediction(said, None, CELLS))

    image, mask, predicted, errors = only_picture(tmp_path, gallery)

    assert (image == 100).all()
    assert (mask[50], mask[150]) == (pytest.approx(0), pytest.approx(np.tile(CELL, (200, 1))))
    assert (predicted[30] == CELL).all()
    assert (predicted[130] == 0).all()
    assert (errors[130] == MISSED).all()
    assert (errors[30] == EXTRA).all()
    assert (errors[60] == errors[160]).all()
    for part in (mask, errors):  # hatched: two greys, neither a class nor an error
        assert len(np.unique(part[:10].reshape(-1, 3), axis=0)) == 2
    assert (predicted[:10] == 0).all()


def test_the_image_is_shown_as_the_network_sees_it(tmp_path):
    coarse = Preprocess(channels=1, dtype="uint8", scale=0.25, mean=(0.0,), std=(1.0,))
    gallery = Gallery(CELLS, coarse)
    checker = (np.indices((200, 200)).sum(0) % 2 * 200).astype(np.uint8)
    colour = np.stack([checker] * 3, axis=2)
    gallery.watch(sample("a"), colour, half((200, 200)), Prediction(half((200, 200)), None, CELLS))

    image = only_picture(tmp_path, gallery)[0]

    assert image.shape == (200, 200, 3)
    assert abs(image.astype(int) - 100).max() <= 12  # a quarter of the size: the checks have gone


def test_an_image_of_ignored_pixels_only_is_passed_over(tmp_path):
    gallery = Gallery(CELLS)
    gallery.watch(sample("a"), grey(), np.full((20, 20), IGNORED, np.uint8), Prediction(half(), None, CELLS))

    assert gallery.write(tmp_path) == []
    assert Album.load(tmp_path / ALBUM).pictures == ()


def test_it_watches_an_evaluation_and_agrees_with_its_scores(tmp_path):
    write_samples(tmp_path / "cells", train=6, test=4, size=(64, 64))
    samples = index(tmp_path / "cells")
    gallery = Gallery(samples.labels)

    scores = evaluate(BrightIsCell(samples.labels), samples, samples.part("test"), "test", watch=gallery.watch)
    shown = gallery.write(tmp_path / "pictures")

    assert {one.name: one.mean_iou for one in shown} == {one.name: one.mean_iou for one in scores.per_image}
    assert Album.load(tmp_path / "pictures" / ALBUM).pictures == tuple(shown)
    assert all((tmp_path / "pictures" / one.file).is_file() for one in shown)


def painted(folder: Path, count: int, rare: int) -> Samples:
    """Images of sky and road; only number `rare` shows a tram."""
    for i in range(count):
        labels = np.zeros((16, 16), np.uint8)
        labels[8:] = 1
        labels[:4, :4] = 2 if i == rare else 1
        write_image(folder / "images" / f"{i:02d}.png", np.full((16, 16), 9 + i, np.uint8))
        write_image(folder / "masks" / f"{i:02d}.png", labels)
    return index(folder, val=["03.png"])


@pytest.mark.parametrize("rare", [0, 7, 19])
def test_data_pictures_show_the_rare_class_and_spread_over_the_set(tmp_path, rare):
    samples = painted(tmp_path / "data", 20, rare)

    shown = data_pictures(samples, tmp_path / "pictures", count=4)

    places = [int(one.name) for one in shown]
    assert rare in places
    assert len(set(places)) == 4
    assert places == sorted(places)
    assert max(np.diff([-1, *places, 20])) <= 10
    assert Album.load(tmp_path / "pictures" / ALBUM).pictures == tuple(shown)
    assert read_image(tmp_path / "pictures" / shown[0].file).shape == (192, 192, 3)


def test_a_small_set_is_shown_whole(tmp_path):
    samples = painted(tmp_path / "data", 4, 0)

    assert len(data_pictures(samples, tmp_path / "pictures")) == 3  # the fourth is for validation
