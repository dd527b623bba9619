import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.mirror import mirror_indices
from maskwright.model import UNet, UNetRecord
from maskwright.model.sizes import fitting_input, geometry
from maskwright.tiling import (
    Tiles,
    blended_windows,
    exact_windows,
    gaussian,
    logits_of,
    plan_windows,
    smallest_window,
)

LOCAL = {"norm": st.sampled_from(["batch", "none"]), "depth": st.integers(1, 2), "init": "he_normal"}


def trained(record, seed):
    """A network as training leaves it: statistics that are not 0 and 1, logits of a few units."""
    torch.manual_seed(seed)
    network = UNet.from_record(record).train()
    with torch.no_grad():
        for _ in range(2):
            logits = network(torch.randn(2, 1, *[fitting_input(record, 8)] * 2))
        network.head.weight.mul_(3 / logits.std().clamp(min=1e-2))
    return network.eval().requires_grad_(False)


def painted(record, wanted, seed):
    """An image 1 H W that fits the network and is at least so large."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, *(fitting_input(record, n) for n in wanted), generator=generator)


@st.composite
def reaches(draw):
    """How networks may look at their input; a valid one sees little more or less than it loses on each side."""
    margin = draw(st.sampled_from([0, 1, 2, 5, 12]))
    sides = st.integers(-3, 3).map(lambda more: max(0, margin + more)) if margin else st.integers(0, 20)
    return SimpleNamespace(
        stride=draw(st.sampled_from([1, 2, 4, 8])),
        before=draw(sides),
        after=draw(sides),
        margin=margin,
        is_local=draw(st.booleans()),
    )


@given(
    data=st.data(),
    wanted=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    more=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    batch=st.sampled_from([1, 2, 5]),
)
@settings(max_examples=50)
def test_exact_tiles_give_the_logits_of_the_whole_image(records, data, wanted, more, batch):
    record = data.draw(records(**LOCAL))
    network, image = trained(record, 0), painted(record, wanted, 1)
    reach = geometry(record)
    least = smallest_window(reach)
    tiles = Tiles(window=(least + more[0], least + more[1]), mode="exact", batch=batch)

    found = logits_of(network.logits, image, reach, tiles)

    torch.testing.assert_close(found, network.logits(image[None])[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("up", "down", "stem", "padding"), [
    ("transposed", "max", 1, "same"), ("bilinear", "strided", 1, "same"), ("bilinear", "max", 4, "same"),
    ("transposed", "strided", 1, "valid"), ("bilinear", "max", 1, "valid"),
])  # fmt: skip
def test_in_double_precision_they_are_the_same_to_ten_digits(up, down, stem, padding):
    """Joined here by hand, as the tiles' own logits are kept in single precision."""
    record = UNetRecord(in_channels=1, depth=2, base=2, norm="none", up=up, down=down, stem=stem, padding=padding)
    network, reach = trained(record, 0).double(), geometry(record)
    image = painted(record, (61, 300), 1).double()
    whole = network.logits(image[None])[0]

    exact, windows = plan_windows(image.shape[1:], reach, Tiles(window=[smallest_window(reach)] * 2, mode="exact"))

    assert exact
    assert max(len(line) for line in windows) >= 3
    for y, x in itertools.product(*windows):
        logits = network.logits(image[None, :, y.start : y.stop, x.start : x.stop])[0]
        kept = logits[:, y.first : y.first + y.high - y.low, x.first : x.first + x.high - x.low]
        torch.testing.assert_close(kept, whole[:, y.low : y.high, x.low : x.high], atol=1e-10, rtol=1e-10)


@given(reach=reaches(), size=st.integers(1, 400), more=st.integers(0, 50))
@settings(max_examples=150)
def test_exact_windows_take_every_output_pixel_once_and_see_all_it_needs(reach, size, more):
    size = size * reach.stride if not reach.margin else size
    assume(size > 2 * reach.margin)
    limit = smallest_window(reach) + more

    windows = exact_windows(size, limit, reach)

    rows = [row for w in windows for row in range(w.low, w.high)]
    assert rows == list(range(size - 2 * reach.margin))
    for w in windows:
        assert 0 <= w.start < w.stop <= size
        assert w.stop - w.start <= limit
        assert w.start % reach.stride == 0
        assert w.first == w.low - w.start
        assert w.start == 0 or w.start <= w.low + reach.margin - reach.before
        assert w.stop == size or w.stop >= w.high + reach.margin + reach.after
        if reach.margin:
            assert w.low >= w.start
            assert w.high <= w.stop - 2 * reach.margin
            assert (size - (w.stop - w.start)) % reach.stride == 0  # so that it fits as the whole does


@given(reach=reaches(), size=st.integers(1, 200), limit=st.integers(1, 200), overlap=st.floats(0, 0.95))
@settings(max_examples=150)
def test_blended_windows_leave_no_pixel_out_and_overlap_as_asked(reach, size, limit, overlap):
    size = size * reach.stride if not reach.margin else size
    assume(size > 2 * reach.margin)
    try:
        windows = blended_windows(size, limit, reach, overlap)
    except SettingError as error:
        assert "raise tiles.window" in str(error)  # noqa: PT017
        assert limit < 2 * reach.stride + 2 * reach.margin
        return

    length = windows[0].stop - windows[0].start
    out = length - 2 * reach.margin
    weight = np.zeros(size - 2 * reach.margin)
    for w in windows:
        assert (w.stop - w.start, w.high - w.low, w.first) == (length, out, 0)
        assert w.low == w.start
        assert w.start % reach.stride == 0
        weight[w.low : w.high] += gaussian((out,) * 2)[out // 2].numpy()
    assert length <= max(limit, size if size <= limit else 0)
    assert (weight > 0).all()
    for one, two in itertools.pairwise(windows):
        assert two.start > one.start
        assert two.low - one.low <= max(reach.stride, out * (1 - overlap))


@given(
    reach=reaches(),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    window=st.tuples(st.integers(8, 99), st.integers(8, 99)),
    overlap=st.floats(0, 0.8),
    batch=st.integers(1, 4),
    mode=st.sampled_from(["auto", "exact", "blend"]),
)
@settings(max_examples=60)
def test_a_network_that_changes_nothing_gives_the_image_back(reach, size, window, overlap, batch, mode):
    """Joined at the right places, with weights that add up, whatever the tiles."""
    size = [n * reach.stride if not reach.margin else n for n in size]
    assume(min(size) > 2 * reach.margin)
    m = reach.margin
    image = torch.randn(2, *size)

    def network(images):
        return images[..., m : images.shape[-2] - m, m : images.shape[-1] - m]

    try:
        found = logits_of(network, image, reach, Tiles(window=window, overlap=overlap, batch=batch, mode=mode))
    except SettingError:
        return

    torch.testing.assert_close(found, network(image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mode", ["exact", "blend"])
@given(size=st.tuples(st.integers(1, 30), st.integers(1, 30)))
@settings(max_examples=30)
def test_tiles_of_threes_join_to_an_image_of_threes(mode, size):
    reach = SimpleNamespace(stride=4, before=3, after=5, margin=0, is_local=True)
    image = torch.zeros(1, 4 * size[0], 4 * size[1])

    joined = logits_of(
        lambda images: torch.full((len(images), 2, *images.shape[-2:]), 3.0),
        image,
        reach,
        Tiles(window=(20, 24), mode=mode),
    )

    torch.testing.assert_close(joined, torch.full((2, *image.shape[1:]), 3.0))


def test_windows_go_through_the_network_in_batches_and_none_is_too_large():
    reach = SimpleNamespace(stride=4, before=4, after=4, margin=0, is_local=True)
    seen = []

    def network(images):
        seen.append(tuple(images.shape))
        return images

    logits_of(network, torch.zeros(1, 64, 64), reach, Tiles(window=(24, 24), mode="exact", batch=3))

    assert max(b for b, *_ in seen) == 3
    assert all(h <= 24 and w <= 24 for *_, h, w in seen)


def test_logits_are_single_precision_whatever_the_network_computes_in():
    reach = SimpleNamespace(stride=1, before=1, after=1, margin=0, is_local=True)
    for window in (8, 64):
        out = logits_of(lambda images: images.half(), torch.zeros(1, 20, 20), reach, Tiles(window=(window, window)))
        assert out.dtype == torch.float32


def test_auto_takes_exact_tiles_where_they_cost_less():
    near = SimpleNamespace(stride=4, before=8, after=8, margin=0, is_local=True)
    far = SimpleNamespace(stride=4, before=24, after=24, margin=0, is_local=True)
    wide = SimpleNamespace(stride=4, before=8, after=8, margin=0, is_local=False)
    exact = {
        name: plan_windows((256, 256), reach, Tiles(window=(64, 64), overlap=0.5))[0]
        for name, reach in {"near": near, "far": far, "wide": wide}.items()
    }

    assert exact == {"near": True, "far": False, "wide": False}


def test_blend_blends_though_exact_were_cheaper_unless_the_network_is_valid():
    tiles = Tiles(window=(64, 64), mode="blend")
    same = SimpleNamespace(stride=4, before=8, after=8, margin=0, is_local=True)
    valid = SimpleNamespace(stride=4, before=8, after=8, margin=8, is_local=True)

    assert not plan_windows((256, 256), same, tiles)[0]
    assert plan_windows((256, 256), valid, tiles)[0]


@pytest.mark.parametrize("norm", ["instance", "group"])
def test_exact_tiles_of_a_norm_over_the_image_are_refused(norm):
    reach = geometry(UNetRecord(depth=1, norm=norm))

    with pytest.raises(SettingError, match=r"tiles cannot be exact. Use tiles.mode=blend"):
        plan_windows((512, 512), reach, Tiles(window=(256, 256), mode="exact"))


@given(data=st.data())
def test_a_window_too_small_for_exact_tiles_names_the_smallest_that_is_not(records, data):
    reach = geometry(data.draw(records(**LOCAL)))
    least = smallest_window(reach)
    size = (10 * least // reach.stride * reach.stride,) * 2

    with pytest.raises(SettingError, match=f"tiles.window of {least} or more"):
        plan_windows(size, reach, Tiles(window=(least - 1, least), mode="exact"))
    assert plan_windows(size, reach, Tiles(window=(least, least), mode="exact"))[0]


def test_a_window_smaller_than_the_stride_is_refused():
    reach = SimpleNamespace(stride=16, before=30, after=30, margin=0, is_local=False)

    with pytest.raises(SettingError, match=r"window of 15 pixels is too small.*raise tiles.window"):
        plan_windows((64, 64), reach, Tiles(window=(15, 64)))


def test_a_valid_window_with_less_output_than_the_stride_is_refused():
    """Windows start a stride apart, so there would be gaps between them."""
    reach = SimpleNamespace(stride=4, before=0, after=0, margin=2, is_local=False)

    with pytest.raises(SettingError, match=r"window of 8 pixels is too small"):
        plan_windows((9, 9), reach, Tiles(window=(8, 8)))  # 5 fit into 8, and of them 1 comes out
    assert not plan_windows((13, 13), reach, Tiles(window=(9, 9)))[0]


def test_an_image_no_larger_than_a_window_is_not_cut():
    reach = SimpleNamespace(stride=4, before=99, after=99, margin=0, is_local=False)
    calls = []

    def network(images):
        calls.append(images.shape)
        return images

    logits_of(network, torch.zeros(1, 32, 48), reach, Tiles(window=(32, 48)))

    assert calls == [(1, 1, 32, 48)]


@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_the_gaussian_is_even_positive_and_highest_in_the_middle(size):
    weight = gaussian(size)

    assert weight.shape == size
    assert (weight >= 1e-6 * 0.999).all()
    torch.testing.assert_close(weight, weight.flip(0, 1))
    assert weight.max() == weight[(size[0] - 1) // 2, (size[1] - 1) // 2]


@given(size=st.integers(1, 9), start=st.integers(-40, 40), length=st.integers(0, 40))
def test_mirror_indices_walk_to_the_border_and_back(size, start, length):
    def walked(i):
        while not 0 <= i < size:
            i = 0 if size == 1 else -i if i < 0 else 2 * (size - 1) - i
        return i

    assert mirror_indices(start, start + length, size).tolist() == [walked(i) for i in range(start, start + length)]
