import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage

from maskwright.data import augment
from maskwright.data.augment import OFF, Augment, Moves, change_light, draw_moves, sampling_grid, warp
from maskwright.errors import SettingError
from maskwright.records import IGNORED

STRONG = Augment(
    flip_vertical=True, rotate=180, scale=(0.5, 2.0), shear=20, elastic=3.0, brightness=0.5, contrast=0.5, colour=0.3,
    noise=0.4,
)  # fmt: skip


def moves(affine, elastic=None, batch=1):
    """One affine for each crop, and nothing done to the light."""
    affine = torch.as_tensor(np.broadcast_to(affine, (batch, 2, 3)).copy(), dtype=torch.float32)
    return Moves(affine, elastic, torch.ones(batch, 1), torch.zeros(batch, 1), None, None)


def about(matrix, offset=(0.0, 0.0)):
    return np.column_stack([np.array(matrix, float), np.array(offset, float)])


def noise_images(batch, channels, h, w):
    rng = np.random.default_rng(h * w)
    images = torch.from_numpy(rng.normal(size=(batch, channels, h, w)).astype(np.float32))
    return images, torch.from_numpy(rng.choice([0, 1, 2, IGNORED], size=(batch, h, w)).astype(np.uint8))


@pytest.mark.parametrize(("crop", "source"), [((8, 10), (8, 10)), ((5, 6), (12, 9)), ((7, 4), (20, 31))])
def test_with_everything_off_the_crop_is_cut_out_exactly(crop, source):
    images, labels = noise_images(2, 3, *source)
    top, left = (source[0] - crop[0]) // 2, (source[1] - crop[1]) // 3
    middle = (left + crop[1] / 2 - source[1] / 2, top + crop[0] / 2 - source[0] / 2)
    still = draw_moves(OFF, 0, range(5, 7), 3, np.array([middle, middle]))

    seen, seen_labels, _ = warp(images, labels, still, crop)

    cut = (slice(top, top + crop[0]), slice(left, left + crop[1]))
    torch.testing.assert_close(seen, images[:, :, *cut], rtol=0, atol=2e-5)
    np.testing.assert_array_equal(seen_labels.numpy(), labels[:, *cut].numpy(), strict=True)
    torch.testing.assert_close(change_light(seen, still), seen, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("matrix", "numpy_does"),
    [
        ([[-1, 0], [0, 1]], lambda a: a[..., :, ::-1]),
        ([[1, 0], [0, -1]], lambda a: a[..., ::-1, :]),
        ([[-1, 0], [0, -1]], lambda a: np.rot90(a, 2, (-2, -1))),
        ([[0, -1], [1, 0]], lambda a: np.rot90(a, 1, (-2, -1))),
        ([[0, 1], [-1, 0]], lambda a: np.rot90(a, 3, (-2, -1))),
        ([[0, 1], [1, 0]], lambda a: np.swapaxes(a, -2, -1)),
    ],
)
@pytest.mark.parametrize("size", [(8, 10), (7, 7), (1, 5)])
def test_flips_and_quarter_turns_are_those_of_numpy(matrix, numpy_does, size):
    images, labels = noise_images(1, 2, *size)
    expected = numpy_does(images.numpy())

    seen, seen_labels, _ = warp(images, labels, moves(about(matrix)), expected.shape[-2:])

    np.testing.assert_allclose(seen.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(seen_labels.numpy(), numpy_does(labels.numpy()))


def coordinates(affine, elastic_2hw, crop, source):
    """Row and column in the source of each crop pixel, one by one."""
    h, w = crop
    found = np.empty((2, h, w))
    for i in range(h):
        for j in range(w):
            x, y = affine @ [j - (w - 1) / 2, i - (h - 1) / 2, 1.0]
            if elastic_2hw is not None:
                x, y = x + elastic_2hw[0, i, j], y + elastic_2hw[1, i, j]
            found[:, i, j] = y + (source[0] - 1) / 2, x + (source[1] - 1) / 2
    return found


@pytest.mark.parametrize("settings", [STRONG, Augment(), STRONG.with_settings({"elastic": 0})])
def test_the_warp_is_what_scipy_makes_of_the_same_coordinates(settings):
    crop, source = (13, 17), (41, 37)
    images, labels = noise_images(6, 2, *source)
    offsets = np.array([(0.0, 0.0), (2.5, -1.0), (-3.0, 4.0), (20.0, 0.0), (0.5, 19.5), (-18.0, -18.0)])
    drawn = draw_moves(settings, 3, range(40, 46), 2, offsets)

    seen, seen_labels, _ = warp(images, labels, drawn, crop)

    inside_some = outside_some = 0
    for b in range(6):
        elastic = None
        if drawn.elastic is not None:
            elastic = torch.nn.functional.interpolate(
                drawn.elastic[b : b + 1], crop, mode="bicubic", align_corners=True
            )
            elastic = elastic[0].double().numpy()
        at = coordinates(drawn.affine[b].double().numpy(), elastic, crop, source)
        inside = ((at > 0) & (at < np.array(source)[:, None, None] - 1)).all(axis=0)
        for c in range(2):
            twin = ndimage.map_coordinates(images[b, c].double().numpy(), at, order=1, mode="nearest")
            np.testing.assert_allclose(seen[b, c].numpy()[inside], twin[inside], atol=2e-4)
        # Halfway between two pixels either may be meant.
        clear = (np.abs(at - np.floor(at) - 0.5) > 1e-3).all(axis=0)
        nearest = np.rint(at).astype(int)
        within = ((nearest >= 0) & (nearest < np.array(source)[:, None, None])).all(axis=0)
        twin = np.full(crop, IGNORED, np.uint8)
        twin[within] = labels[b].numpy()[nearest[0][within], nearest[1][within]]
        np.testing.assert_array_equal(seen_labels[b].numpy()[clear], twin[clear])
        inside_some += (within & clear).sum()
        outside_some += (~within & clear).sum()
    assert inside_some > 300
    assert outside_some > 100


def test_beyond_the_edge_the_image_is_mirrored_and_the_labels_are_ignored():
    images = torch.arange(12.0).reshape(1, 1, 3, 4)
    labels = torch.zeros(1, 3, 4, dtype=torch.uint8)

    seen, seen_labels, _ = warp(images, labels, moves(about(np.eye(2))), (5, 8))

    np.testing.assert_allclose(
        seen[0, 0].numpy(), np.pad(images[0, 0].numpy(), ((1, 1), (2, 2)), "symmetric"), atol=1e-5
    )
    expected = np.full((5, 8), IGNORED)
    expected[1:4, 2:6] = 0
    np.testing.assert_array_equal(seen_labels[0].numpy(), expected)


@given(number=st.integers(0, 2**40), seed=st.integers(0, 5))
def test_labels_are_sampled_where_the_image_is(number, seed):
    """Of an image that shows its labels, the warped image shows the warped labels."""
    labels = torch.from_numpy(np.kron(np.arange(12).reshape(3, 4) % 5, np.ones((12, 12))).astype(np.uint8))[None]
    drawn = draw_moves(STRONG, seed, range(number, number + 1), 1, np.zeros((1, 2)))

    seen, seen_labels, _ = warp(labels[:, None].float(), labels, drawn, (24, 20))

    counts = (seen_labels[0] != IGNORED).numpy()
    shown, named = seen[0, 0].numpy()[counts], seen_labels[0].numpy()[counts]
    flat = np.abs(shown - np.rint(shown)) < 1e-4
    # Between labels 0 and 2 the image may show a 1 that is none: at most a thin line.
    assert (np.rint(shown)[flat] == named[flat]).mean() > 0.98
    assert flat.mean() > 0.5


@given(number=st.integers(0, 2**40), label=st.integers(0, 254))
def test_no_label_is_made_up_and_what_is_outside_is_ignored(number, label):
    labels = torch.full((1, 16, 16), label, dtype=torch.uint8)
    labels[:, :, :5] = IGNORED
    labels[:, :4, 5:] = 254 - label
    drawn = draw_moves(STRONG, 0, range(number, number + 1), 1, np.array([[9.0, -7.0]]))
    _, seen, _ = warp(torch.zeros(1, 1, 16, 16), labels, drawn, (16, 16))
    assert set(seen.unique().tolist()) <= {label, 254 - label, IGNORED}
    assert seen.dtype == torch.uint8


def test_every_label_survives():
    labels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
    _, seen, _ = warp(torch.zeros(1, 1, 16, 16), labels, moves(about(np.eye(2))), (16, 16))
    np.testing.assert_array_equal(seen.numpy(), labels.numpy())


def parts(drawn):
    return [part for part in (drawn.affine, drawn.elastic, drawn.gain, drawn.shift, drawn.noise) if part is not None]


@given(seed=st.integers(0, 2**40), first=st.integers(0, 2**40), batch=st.integers(1, 5), place=st.integers(0, 4))
def test_a_draw_depends_on_seed_and_number_alone(seed, first, batch, place):
    assume(place < batch)
    together = draw_moves(STRONG, seed, range(first, first + batch), 3, np.zeros((batch, 2)))
    alone = draw_moves(STRONG, seed, range(first + place, first + place + 1), 3, np.zeros((1, 2)))
    for one, of_many in zip(parts(alone), parts(together), strict=True):
        torch.testing.assert_close(one[0], of_many[place], rtol=0, atol=0)


def test_other_numbers_and_other_seeds_draw_otherwise():
    drawn = [
        parts(draw_moves(STRONG, seed, range(n, n + 1), 3, np.zeros((1, 2)))) for seed, n in ((0, 0), (0, 1), (1, 0))
    ]
    for same_part in zip(*drawn, strict=True):
        assert len({tuple(part.flatten().tolist()) for part in same_part}) == 3


def test_draws_stay_within_their_settings_and_fill_them():
    settings = Augment(
        flip_vertical=True, rotate=30, scale=(0.5, 2.0), elastic=2.0, brightness=0.2, contrast=0.3, noise=0.1
    )
    drawn = draw_moves(settings, 0, range(2000), 1, np.zeros((2000, 2)))
    matrix = drawn.affine[:, :, :2].double().numpy()
    zoom = 1 / np.sqrt(np.abs(np.linalg.det(matrix)))
    assert 0.5 <= zoom.min() < 0.51
    assert 1.97 < zoom.max() <= 2.0 + 1e-6
    assert abs(np.log(zoom).mean()) < 0.05  # even in the logarithm
    unflipped = matrix[:, :, 1] * np.sign(matrix[:, 1, 1])[:, None]
    angle = np.rad2deg(np.arctan2(unflipped[:, 0], unflipped[:, 1]))
    assert 29 < np.abs(angle).max() <= 30 + 1e-4
    for flipped in (matrix[:, 0, 0] < 0, matrix[:, 1, 1] < 0):
        assert 0.45 < flipped.mean() < 0.55
    assert drawn.elastic is not None
    assert float(drawn.elastic.std()) == pytest.approx(2.0, rel=0.02)
    for values, low, high in ((drawn.gain, 0.7, 1.3), (drawn.shift, -0.2, 0.2), (drawn.noise, 0.0, 0.1)):
        assert low <= float(values.min()) < low + 0.01 * (high - low) + 1e-3
        assert high - 0.01 * (high - low) - 1e-3 < float(values.max()) <= high + 1e-6


def test_colour_moves_each_channel_on_its_own():
    one = draw_moves(OFF.with_settings({"brightness": 0.5}), 0, range(50), 3, np.zeros((50, 2))).shift
    assert (one == one[:, :1]).all()
    each = draw_moves(OFF.with_settings({"colour": 0.5}), 0, range(50), 3, np.zeros((50, 2))).shift
    assert (each != each[:, :1]).any(dim=1).all()
    assert each.abs().max() <= 0.5


def test_only_the_flip_that_is_switched_on_is_made():
    for name, column in (("flip_horizontal", 0), ("flip_vertical", 1)):
        affine = draw_moves(OFF.with_settings({name: True}), 0, range(50), 1, np.zeros((50, 2))).affine
        assert (affine[:, 1 - column, 1 - column] == 1).all()
        assert set(affine[:, column, column].tolist()) == {-1.0, 1.0}


def test_the_two_flips_are_drawn_apart():
    settings = OFF.with_settings({"flip_horizontal": True, "flip_vertical": True})
    affine = draw_moves(settings, 0, range(400), 1, np.zeros((400, 2))).affine
    times = [((affine[:, 0, 0] == x) & (affine[:, 1, 1] == y)).sum() for x in (-1, 1) for y in (-1, 1)]
    assert min(times) > 70


def test_shear_pushes_rows_sideways():
    matrix = draw_moves(OFF.with_settings({"shear": 30}), 0, range(400), 1, np.zeros((400, 2))).affine[:, :, :2]
    assert (matrix[:, 1] == torch.tensor([0.0, 1.0])).all()
    assert (matrix[:, 0, 0] == 1).all()
    degrees = torch.rad2deg(torch.atan(matrix[:, 0, 1]))
    assert -30.001 <= degrees.min() < -29
    assert 29 < degrees.max() <= 30.001


def test_the_elastic_displacement_is_that_of_its_knots_and_smooth_between():
    knots = torch.zeros(1, 2, 3, 3)
    knots[0, 0, 1, 1], knots[0, 1, 0, 0], knots[0, 1, 2, 2] = 4.0, 2.0, -3.0
    source = (30, 40)
    still, bent = (sampling_grid(moves(about(np.eye(2)), knot), (21, 31), source) for knot in (None, knots))
    pushed = (bent - still)[0].numpy() * [source[1] / 2, source[0] / 2]
    np.testing.assert_allclose(pushed[10, 15], [4.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(pushed[0, 0], [0.0, 2.0], atol=1e-4)
    np.testing.assert_allclose(pushed[20, 30], [0.0, -3.0], atol=1e-4)
    np.testing.assert_allclose(pushed[0, 15], [0.0, 0.0], atol=1e-4)
    assert np.abs(np.diff(pushed, axis=0)).max() < 1
    assert np.abs(np.diff(pushed, axis=1)).max() < 1


def test_an_offset_moves_the_crop_by_whole_pixels():
    images, labels = noise_images(1, 1, 20, 30)
    seen, *_ = warp(images, labels, moves(about(np.eye(2), (4, -3))), (6, 8))
    torch.testing.assert_close(seen, images[:, :, 4:10, 15:23], rtol=0, atol=2e-5)


@given(
    crop=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    rotate=st.floats(0, 180) | st.sampled_from([0, 45, 90, 180]),
    shear=st.floats(0, 44) | st.just(0),
    low=st.floats(0.3, 1.5),
    factor=st.floats(1, 3),
    seed=st.integers(0, 2**30),
)
def test_a_source_holds_every_crop(crop, rotate, shear, low, factor, seed):
    settings = Augment(flip_vertical=True, rotate=rotate, shear=shear, scale=(low, low * factor))
    source = settings.source_size(crop)
    drawn = draw_moves(settings, seed, range(8), 1, np.zeros((8, 2)))
    assert sampling_grid(drawn, crop, source).abs().max() <= 1


def test_a_tall_crop_turned_and_sheared_is_held_too():
    """Here the shear of a row becomes a push up and down."""
    settings = OFF.with_settings({"rotate": 90, "shear": 40})
    drawn = draw_moves(settings, 0, range(500), 1, np.zeros((500, 2)))
    assert sampling_grid(drawn, (80, 4), settings.source_size((80, 4))).abs().max() <= 1


def test_a_source_is_no_larger_than_it_must_be():
    assert OFF.source_size((64, 80)) == (66, 82)
    assert OFF.with_settings({"scale": [0.5, 1.0]}).source_size((64, 80)) == (130, 162)
    assert OFF.with_settings({"rotate": 180}).source_size((64, 64)) == (93, 93)
    assert OFF.with_settings({"elastic": 2.0}).source_size((64, 80)) == (78, 94)


def test_the_elastic_spare_is_seldom_exceeded():
    settings = OFF.with_settings({"elastic": 4.0})
    drawn = draw_moves(settings, 0, range(300), 1, np.zeros((300, 2)))
    beyond = (sampling_grid(drawn, (40, 40), settings.source_size((40, 40))).abs() > 1).any(dim=-1)
    assert beyond.float().mean() < 1e-3


def lit(gain, shift, noise=None, noise_from=None):
    return Moves(torch.zeros(len(gain), 2, 3), None, gain, shift, noise, noise_from)


def test_light_is_gain_times_value_plus_shift():
    images = torch.randn(2, 3, 4, 5)
    gain = torch.tensor([[1.5] * 3, [0.5, 0.5, 2.0]])
    seen = change_light(images, lit(gain, torch.arange(6.0).reshape(2, 3)))
    torch.testing.assert_close(seen[1, 2], images[1, 2] * 2 + 5)
    torch.testing.assert_close(seen[1, 1], images[1, 1] * 0.5 + 4)
    torch.testing.assert_close(seen[0, 0], images[0, 0] * 1.5)


@given(seed=st.integers(0, 2**40), mean=st.floats(-3e4, 3e4), std=st.floats(0.01, 3e4))
def test_normalising_along_the_way_is_normalising_first(seed, mean, std):
    drawn = draw_moves(STRONG, seed, range(3), 2, np.zeros((3, 2)))
    normal = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(seed))
    means, stds = (mean, mean / 2), (std, std * 3)
    stored = normal.double() * torch.tensor(stds)[:, None, None] + torch.tensor(means)[:, None, None]

    seen = change_light(stored.float(), drawn.of_stored(means, stds))

    # A float32 of a value far from 0 knows it to 1 part in 10 million.
    slack = 1e-5 + 1e-6 * abs(mean) / std
    torch.testing.assert_close(seen, change_light(normal, drawn), rtol=0, atol=slack)


def test_noise_has_the_deviation_asked_for():
    images = torch.zeros(2, 1, 100, 100)
    noisy = lit(torch.ones(2, 1), torch.zeros(2, 1), torch.tensor([0.0, 0.3]), torch.tensor([0.2, 0.7]).double())
    seen = change_light(images, noisy)
    assert (seen[0] == 0).all()
    assert float(seen[1].std()) == pytest.approx(0.3, rel=0.03)
    assert float(seen[1].mean()) == pytest.approx(0, abs=0.01)
    beside = torch.corrcoef(torch.stack([seen[1, 0, :, :-1].flatten(), seen[1, 0, :, 1:].flatten()]))[0, 1]
    assert abs(float(beside)) < 0.05


def test_noise_is_the_crops_own_in_a_batch_of_any_size():
    """So that a step's crops may be divided over devices."""
    images = torch.zeros(4, 3, 20, 30)
    together = change_light(images, draw_moves(STRONG, 7, range(8, 12), 3, np.zeros((4, 2))))
    alone = [change_light(images[:1], draw_moves(STRONG, 7, [n], 3, np.zeros((1, 2)))) for n in (8, 9, 10, 11)]
    torch.testing.assert_close(torch.cat(alone), together, rtol=0, atol=0)
    patterns = (together - together.mean(dim=(2, 3), keepdim=True)).flatten(1)
    assert (torch.corrcoef(patterns) - torch.eye(4)).abs().max() < 0.15
    other = change_light(images[:1], draw_moves(STRONG, 6, [8], 3, np.zeros((1, 2))))
    assert (other != together[:1]).any()


@pytest.mark.parametrize("start", [0.0, 1 - 2**-53])
def test_noise_is_found_for_crops_of_any_size(start):
    """Also for one that is larger than the row of random numbers usually is."""
    for shape in ((1, 1, 1, 1), (1, 3, 700, 900)):
        one = torch.ones(1, shape[1])
        noisy = lit(one, one * 0, torch.tensor([1.0]), torch.tensor([start]).double())
        assert (change_light(torch.zeros(shape), noisy) != 0).all()


@pytest.mark.parametrize("settings", [STRONG, OFF, Augment(elastic=2.0)])
def test_the_grid_of_other_devices_is_the_same_sums(settings):
    """Their products are written out: they fit, on a device that knows shapes alone, and agree with the CPU's."""
    drawn = draw_moves(settings, 0, range(3), 1, np.ones((3, 2)))
    assert sampling_grid(drawn.to(torch.device("meta")), (7, 9), (20, 30)).shape == (3, 7, 9, 2)
    tall, wide = torch.randn(2, 5, 6), torch.randn(6, 11)
    torch.testing.assert_close(augment._product(tall, wide), tall @ wide)


@pytest.mark.parametrize(
    "settings",
    [{"scale": (1.2, 0.8)}, {"scale": (0, 1)}, {"rotate": -1}, {"rotate": 181}, {"shear": 45}, {"contrast": 1.0},
     {"elastic": -1}, {"elastic_grid": 2}, {"noise": -0.1}, {"rotat": 3}],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_told(settings):
    with pytest.raises(ValidationError):
        Augment(**settings)
    with pytest.raises(SettingError, match=next(iter(settings))):
        Augment.read(settings)
