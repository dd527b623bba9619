"""Bands: the same numbers as at once, from any row on, reading each row once; nothing is said of what holds no data."""

import itertools

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.inference.painting import model, noise, predictor
from torch.nn import functional as F

from maskwright.anysize import as_probabilities, image_logits
from maskwright.files import ArrayScene, open_scene
from maskwright.inference import Predictor, streaming
from maskwright.inference.scene_rows import STEP
from maskwright.model.sizes import geometry
from maskwright.records import IGNORED
from maskwright.runtimes import Prepared
from maskwright.tiling import Tiles, Views, smallest_window

WHOLE = Tiles(window=(4096, 4096))


def at_once(p: Predictor, image):
    """Probabilities K H W by the plain way: prepared whole, enlarged whole."""
    total = 0
    for member in p.members:
        about = member.description
        logits = image_logits(member.network, about.preprocess(image), WHOLE)
        enlarged = F.interpolate(logits[None], size=image.shape[:2], mode="bilinear", align_corners=False)[0]
        total = total + as_probabilities(enlarged) / len(p.members)
    return total.numpy()


def collected(bands, size, classes, top=0):
    """Labels and probabilities of bands that must cover the rows from `top` on, in order and each pixel once."""
    labels, shares, times = np.zeros(size, np.uint8), np.zeros((classes, *size), np.float32), np.zeros(size, int)
    row, column = top, 0
    for band in bands:
        assert band.rows.start == row
        assert band.columns.start == column
        assert band.labels.shape == (band.rows.stop - row, band.columns.stop - column) == band.probabilities.shape[1:]
        assert (band.labels.dtype, band.probabilities.dtype) == (np.uint8, np.float32)
        row, column = (row, band.columns.stop) if band.columns.stop < size[1] else (band.rows.stop, 0)
        labels[band.rows, band.columns] = band.labels
        shares[:, band.rows, band.columns] = band.probabilities
        times[band.rows, band.columns] += 1
    assert (times[top:] == 1).all()
    assert not times[:top].any()
    return labels, shares


@given(
    size=st.tuples(st.integers(1, 130), st.integers(1, 130)),
    scale=st.sampled_from([1.0, 1.0, 0.5, 0.37, 1.6]),
    channels=st.integers(1, 8),
    padding=st.sampled_from(["same", "valid"]),
    network=st.sampled_from([{}, {"stem": 2}, {"up": "bilinear"}, {"down": "strided"}, {"depth": 1}]),
    more=st.integers(0, 20),
    interpolation=st.sampled_from(["bilinear", "nearest"]),
)
@settings(max_examples=12)
def test_bands_of_exact_tiles_are_the_whole_image_at_once(size, scale, channels, padding, network, more, interpolation):
    assume(padding == "same" or "stem" not in network)
    one = model(scale, channels, padding=padding, prepared={"interpolation": interpolation}, **network)
    least = smallest_window(geometry(one.network.record))
    p = Predictor(one, device="cpu", tiles=Tiles(window=(least + more, least), mode="exact", batch=1 + more % 3))
    image = noise(*size, channels)

    labels, shares = collected(p.stream(ArrayScene(image)), size, 3)

    np.testing.assert_allclose(shares, at_once(p, image), atol=2e-5)
    np.testing.assert_array_equal(labels, shares.argmax(0))
    prediction = p(image, probabilities=True)
    np.testing.assert_array_equal(prediction.labels, labels)
    np.testing.assert_array_equal(prediction.probabilities, shares)


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (2, 2), (97, 101)])
def test_blended_bands_are_what_blending_the_whole_gives(size):
    """The whole prepared and padded in memory, its windows summed one by one."""
    p = predictor(norm="instance", tiles=Tiles(window=(32, 24), overlap=0.6, batch=2))
    image = noise(*size, 1)
    expected = as_probabilities(p.logits(image)).numpy()

    _, shares = collected(p.stream(ArrayScene(image)), size, 3)

    np.testing.assert_allclose(shares, expected, atol=1e-5)  # the stream's network is folded


CASES = {
    "exact": {"tiles": Tiles(window=(80, 96), mode="exact")},
    "exact, smaller": {"tiles": Tiles(window=(72, 72), mode="exact"), "scale": 0.6},
    "exact, larger": {"tiles": Tiles(window=(96, 128), mode="exact"), "scale": 1.3},
    "valid": {"tiles": Tiles(window=(84, 84), mode="exact"), "padding": "valid"},
    "blended": {"tiles": Tiles(window=(64, 48), overlap=0.7), "norm": "instance"},
    "blended, smaller": {"tiles": Tiles(window=(48, 48), batch=3), "norm": "group", "scale": 0.7},
    "from all sides": {
        "tiles": Tiles(window=(88, 88)),
        "views": Views(flips="vertical", turns="quarter", scales=(1, 0.8)),
    },
}


def mixed():
    """Three models that cut an image each in their own way."""
    members = [model(1.0, seed=0), model(0.6, seed=1, norm="instance"), model(1.3, seed=2, depth=3)]
    return Predictor(members, device="cpu", tiles=Tiles(window=(96, 80)))


@pytest.mark.parametrize("case", [*CASES, "ensemble"])
def test_begun_at_any_band_the_rest_is_the_same_bit_for_bit(case):
    p = mixed() if case == "ensemble" else predictor(**CASES[case])
    image = noise(211, 150, 1)
    bands = list(p.stream(image))
    starts = sorted({band.rows.start for band in bands})
    assert len(starts) > 2

    for start in {starts[1], starts[-1]}:
        again = list(p.stream(image, start=start))
        rest = [band for band in bands if band.rows.start >= start]
        assert [(b.rows, b.columns) for b in again] == [(b.rows, b.columns) for b in rest]
        for one, other in zip(again, rest, strict=True):
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize("start", [1, 100, 210])
def test_any_row_can_be_the_first(start):
    p, image = mixed(), noise(211, 150, 1)
    whole = p(image, probabilities=True)

    labels, shares = collected(p.stream(image, start=start), (211, 150), 3, start)

    np.testing.assert_array_equal(labels[start:], whole.labels[start:])
    np.testing.assert_array_equal(shares[:, start:], whole.probabilities[:, start:])


@pytest.mark.parametrize("start", [-1, 211])
def test_a_row_that_is_not_there_is_refused(start):
    from maskwright.errors import SettingError

    with pytest.raises(SettingError, match=f"rows 0 to 210.*cannot begin at {start}"):
        next(predictor().stream(noise(211, 150, 1), start=start))


class Counted(ArrayScene):
    """Counts how often each row is read, and how many pixels at once."""

    def __init__(self, image, valid=None):
        super().__init__(image, valid)
        self.times = np.zeros(self.header.height, int)
        self.most = 0

    def read_valid(self, rows, columns):
        self.times[rows] += 1
        self.most = max(self.most, rows.stop - rows.start)
        assert columns == slice(0, self.header.width)
        return super().read_valid(rows, columns)


@pytest.mark.parametrize("case", [*CASES, "ensemble"])
def test_each_row_is_read_once_and_never_all_of_them(case):
    p = mixed() if case == "ensemble" else predictor(**CASES[case])
    scene = Counted(noise(1300, 30, 1))

    for _ in p.stream(scene):
        pass

    assert (scene.times == 1).all()
    assert scene.most <= 2 * STEP


def test_from_a_later_row_on_nothing_far_above_is_read():
    scene = Counted(noise(1300, 30, 1))

    for _ in mixed().stream(scene, start=1200):
        pass

    assert not scene.times[:900].any()
    assert (scene.times[1200:] == 1).all()


def test_the_strips_of_a_tiff_are_decoded_once_and_a_little(tmp_path, monkeypatch):
    """Strips that do not end where the reading does are decoded twice, and no strip for each window."""
    image = noise(1100, 100, 3)
    tifffile.imwrite(tmp_path / "strips.tif", image, rowsperstrip=48, compression="deflate", photometric="rgb")
    decoded = []
    whole = tifffile.TiffPage.decode

    def counting(page):
        inner = whole.func(page) if hasattr(whole, "func") else whole.__get__(page)

        def decode(data, index, **options):
            decoded.append(index)
            return inner(data, index, **options)

        return decode

    monkeypatch.setattr(tifffile.TiffPage, "decode", property(counting))
    p = predictor(channels=3, tiles=Tiles(window=(256, 96), mode="exact"))
    with open_scene(tmp_path / "strips.tif") as scene:
        labels, _ = collected(p.stream(scene), (1100, 100), 3)

    strips = -(-1100 // 48)
    assert set(decoded) == set(range(strips))
    assert len(decoded) <= strips + 1100 // STEP
    np.testing.assert_array_equal(labels, p(image).labels)


@pytest.mark.parametrize("scale", [1.0, 0.5, 1.5])
@pytest.mark.parametrize("case", [{}, {"norm": "instance"}, {"padding": "valid"}])
@pytest.mark.parametrize("wild", [-9999.0, np.nan, np.inf])
def test_what_holds_no_data_is_ignored_and_spoils_no_neighbour(scale, case, wild):
    """As if the channel's mean stood there; and NaN needs no word of the file."""
    image = noise(200, 150, 2).astype(np.float32)
    valid = np.ones((200, 150), bool)
    valid[:, 100:] = valid[150:] = valid[20:30, 7:9] = False
    filled, spoilt = image.copy(), image.copy()
    filled[~valid], spoilt[~valid] = 100.0, wild
    one = model(scale, 2, dtype="float32", **case)
    p = Predictor(one, device="cpu", tiles=Tiles(window=(88, 88)))

    found = p(ArrayScene(spoilt, valid if np.isfinite(wild) else None), probabilities=True)

    assert (found.labels[~valid] == IGNORED).all()
    assert (found.probabilities[:, ~valid] == 0).all()
    expected = p(filled, probabilities=True)
    np.testing.assert_allclose(found.probabilities[:, valid], expected.probabilities[:, valid], atol=1e-5)
    np.testing.assert_array_equal(found.labels[valid], expected.labels[valid])


@pytest.mark.parametrize("case", [*CASES, "ensemble"])
def test_an_image_with_a_hole_streams_from_any_band(case):
    p = mixed() if case == "ensemble" else predictor(**CASES[case])
    image, valid = noise(211, 150, 1), np.ones((211, 150), bool)
    valid[60:170, 20:] = False
    scene = ArrayScene(image, valid)
    labels, shares = collected(p.stream(scene), (211, 150), 3)
    assert ((labels == IGNORED) == ~valid).all()

    for start in (90, 180):
        again, same = collected(p.stream(scene, start=start), (211, 150), 3, start)
        np.testing.assert_array_equal(again[start:], labels[start:])
        np.testing.assert_array_equal(same[:, start:], shares[:, start:])


def test_windows_without_data_are_not_computed():
    p = predictor(tiles=Tiles(window=(64, 64), mode="exact"))
    image, valid = noise(400, 64, 1), np.zeros((400, 64), bool)
    valid[390:] = True
    seen = []
    network = p.voices[0].network
    object.__setattr__(p.voices[0], "network", lambda images: (seen.append(len(images)), network(images))[1])

    nothing = p(ArrayScene(image, np.zeros((400, 64), bool)))
    assert not seen
    assert (nothing.labels == IGNORED).all()
    p(ArrayScene(image, valid))
    assert sum(seen) <= 2
    seen.clear()
    p(image)
    assert sum(seen) > 8


def test_several_models_are_the_mean_of_their_probabilities():
    p, image = mixed(), noise(150, 130, 1)
    alone = [Predictor(member, device="cpu", tiles=p.tiles)(image, probabilities=True) for member in p.members]

    _, shares = collected(p.stream(image), (150, 130), 3)

    np.testing.assert_allclose(shares, np.mean([one.probabilities for one in alone], 0), atol=1e-6)


def test_several_models_whose_blocks_are_large_are_averaged_in_strips(monkeypatch):
    p, image = mixed(), noise(150, 130, 1)
    whole = p(image, probabilities=True)
    monkeypatch.setattr(streaming, "PIECE", 3 * 4 * 1000)

    bands = list(p.stream(image))

    assert all(band.labels.size <= 1000 for band in bands)
    labels, shares = collected(bands, (150, 130), 3)
    np.testing.assert_array_equal(shares, whole.probabilities)
    np.testing.assert_array_equal(labels, whole.labels)


@pytest.mark.parametrize("scale", [1.0, 0.4])
def test_an_image_s_own_statistics_are_taken_in_a_first_pass(scale):
    one = model(scale, 2, prepared={"statistics": "image"})
    p = Predictor(one, device="cpu", tiles=Tiles(window=(96, 96), mode="exact"))
    image = noise(600, 130, 2) // 3
    scene = Counted(image)

    _, shares = collected(p.stream(scene), (600, 130), 3)

    np.testing.assert_allclose(shares, at_once(p, image), atol=2e-5)
    assert (scene.times == 2).all()
    brighter = (image * 2 + 20).astype(np.uint8)
    np.testing.assert_allclose(p(brighter, probabilities=True).probabilities, shares, atol=1e-4)


def test_an_image_s_own_statistics_are_of_pixels_that_hold_data():
    one = model(1.0, 2, dtype="float32", prepared={"statistics": "image"})
    p = Predictor(one, device="cpu")
    image, valid = noise(90, 70, 2).astype(np.float32), np.ones((90, 70), bool)
    valid[40:] = False
    filled, wild = image.copy(), image.copy()
    mean, std = image[valid].mean(0), image[valid].std(0)
    filled[~valid], wild[~valid] = mean, -9999
    by_hand = model(1.0, 2, dtype="float32")
    about = by_hand.description
    about = about.model_copy(
        update={
            "preprocess": about.preprocess.model_copy(update={"mean": tuple(mean.tolist()), "std": tuple(std.tolist())})
        }
    )

    found = p(ArrayScene(wild, valid), probabilities=True)

    expected = Predictor(type(by_hand)(by_hand.network, about), device="cpu")(filled, probabilities=True)
    np.testing.assert_allclose(found.probabilities[:, valid], expected.probabilities[:, valid], atol=1e-5)


def views_by_hand(p, image, views):
    """The mean of probabilities over the whole image flipped, turned and resized with numpy's own hands."""
    network, preprocess = p.network, p.description.preprocess
    total, count = 0, 0
    for scale in views.scales:
        seen = image_of = preprocess.enlarged(scale)(image)
        assert all(n % network.record.stride == 0 for n in seen.shape[1:]), "nothing is padded"
        flips = {"none": [()], "horizontal": [(), (2,)], "vertical": [(), (1,)], "both": [(), (1,), (2,), (1, 2)]}
        turns = {"none": [0], "half": [0, 2], "quarter": [0, 1, 2, 3]}
        found = {}
        for flip, turn in itertools.product(flips[views.flips], turns[views.turns]):
            looked = torch.rot90(seen.flip(flip), turn, (1, 2))
            with torch.inference_mode():
                share = as_probabilities(network.logits(looked[None])[0])
            key = torch.rot90(torch.arange(4).reshape(1, 2, 2).flip(flip), turn, (1, 2)).flatten()
            found[tuple(key.tolist())] = torch.rot90(share, -turn, (1, 2)).flip(flip)
        mean = torch.stack(list(found.values())).mean(0).log()
        total = total + as_probabilities(
            F.interpolate(
                mean[None],
                size=image_of.shape[1:] if scale == 1 else image.shape[:2],
                mode="bilinear",
                align_corners=False,
            )[0]
        )
        count += 1
    return (total / count).numpy(), len(found)


@pytest.mark.parametrize("network", [{}, {"down": "strided", "up": "bilinear", "classes": 1}])
@pytest.mark.parametrize(("flips", "turns"), [
    ("horizontal", "none"), ("vertical", "half"), ("none", "half"), ("none", "quarter"), ("horizontal", "quarter"),
    ("both", "none"), ("both", "quarter"),
])  # fmt: skip
def test_views_of_tiles_are_views_of_the_whole_image(flips, turns, network):
    views = Views(flips=flips, turns=turns, scales=(1.0, 0.5))
    image = noise(128, 160, 1)
    p = predictor(tiles=Tiles(window=(96, 80), mode="exact", batch=2), views=views, **network)
    expected, ways = views_by_hand(p, image, views)

    found = p(image, probabilities=True)

    assert ways == len(views.ways)
    np.testing.assert_allclose(found.probabilities, expected, atol=2e-5)


def test_the_plan_s_views_travel_with_the_model():
    one = model()
    views = Views(flips="both")
    plan = one.description.plan.model_copy(update={"views": views})
    about = one.description.model_copy(update={"plan": plan})
    image = noise(60, 50, 1)

    found = Predictor(type(one)(one.network, about), device="cpu")(image, probabilities=True)

    expected = predictor(views=views)(image, probabilities=True)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert np.abs(found.probabilities - predictor()(image, probabilities=True).probabilities).max() > 1e-3


def test_threads_that_share_a_predictor_and_stop_in_the_middle_disturb_nobody():
    from concurrent.futures import ThreadPoolExecutor

    p = mixed()
    images = [noise(90 + 10 * n, 100, 1) for n in range(4)]
    alone = [p(image).labels for image in images]

    def streamed(image):
        next(p.stream(image))  # and let go
        return collected(p.stream(image), image.shape[:2], 3)[0]

    with ThreadPoolExecutor(4) as pool:
        for labels, expected in zip(pool.map(streamed, images), alone, strict=True):
            np.testing.assert_array_equal(labels, expected)


def test_the_cost_says_what_goes_through_the_network():
    views = Views(flips="both", scales=(1.0, 0.5))
    p = predictor(tiles=Tiles(window=(96, 96), mode="exact"), views=views)
    seen = []

    class Counted(Prepared):
        """Counts what goes through the network, or through its inside."""

        def __call__(self, images):
            seen.append(images[:, 0].numel())
            return super().__call__(images)

        def inside(self, margin, windows):
            compute = super().inside(margin, windows)
            return lambda images: (seen.append(images[:, 0].numel()), compute(images))[1]

    for voice in p.voices:
        object.__setattr__(voice, "network", Counted(**vars(voice.network)))

    cost = p.cost(203, 150)
    p(noise(203, 150, 1))

    assert cost.computed == sum(seen)
    assert cost.wanted == 203 * 150 + round(203 * 0.5) * 75
    assert cost.overhead == cost.computed / cost.wanted
    assert "exact windows" in str(cost)
    assert str(predictor().cost(512, 512)) == "one window, 0.26 million pixels computed for 0.26 wanted: 1.00 times"
