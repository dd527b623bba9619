import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.errors import SettingError
from maskwright.model.sizes import Geometry
from maskwright.tiling import Views, seen_from_all_sides

EVERY = st.builds(
    Views,
    flips=st.sampled_from(["none", "horizontal", "vertical", "both"]),
    turns=st.sampled_from(["none", "half", "quarter"]),
)


@given(views=EVERY)
def test_each_way_is_another_and_can_be_undone(views):
    image = torch.arange(6.0).reshape(1, 2, 3)

    seen = [view.of(image) for view in views.ways]

    assert torch.equal(seen[0], image)
    assert len({(tuple(one.shape), tuple(one.flatten().tolist())) for one in seen}) == len(seen)
    assert all(torch.equal(view.undone(view.of(image)), image) for view in views.ways)


@pytest.mark.parametrize(("flips", "turns", "count"), [
    ("none", "none", 1), ("horizontal", "none", 2), ("both", "none", 4), ("none", "half", 2), ("both", "half", 4),
    ("horizontal", "half", 4), ("none", "quarter", 4), ("vertical", "quarter", 8), ("both", "quarter", 8),
])  # fmt: skip
def test_what_comes_out_twice_counts_once(flips, turns, count):
    assert len(Views(flips=flips, turns=turns).ways) == count
    assert Views(flips=flips, turns=turns, scales=(1.0, 0.5)).count == 2 * count


@pytest.mark.parametrize("scales", [(), (1.0, 1.0), (0.0,), (-1.0, 1.0)])
def test_scales_that_mean_nothing_are_refused(scales):
    with pytest.raises(SettingError, match="scales are different numbers above 0"):
        Views.read({"scales": scales})


def test_one_way_alone_is_the_network_itself():
    reach = Geometry(4, 3, 5, 0, True)
    assert seen_from_all_sides(abs, reach, Views().ways) == (abs, reach)


@given(views=EVERY, classes=st.integers(1, 3))
def test_the_logarithms_are_of_the_mean_of_probabilities(views, classes):
    weight = torch.randn(classes, 1, 3, 3, generator=torch.Generator().manual_seed(0))

    def network(images):
        return torch.nn.functional.conv2d(images, weight, padding=1)

    image = torch.randn(2, 1, 6, 8, generator=torch.Generator().manual_seed(1))
    seen, reach = seen_from_all_sides(network, Geometry(4, 3, 5, 0, True), views.ways)

    found = seen(image)

    if len(views.ways) == 1:
        return
    torch.testing.assert_close(found.softmax(1).sum(1), torch.ones(2, 6, 8))
    torch.testing.assert_close(found.exp(), found.softmax(1), atol=1e-6, rtol=1e-5)
    assert (reach.before, reach.after) == (5, 5)
    # The same from every side: what is seen of the turned image is the turned answer.
    for view in views.ways:
        torch.testing.assert_close(seen(view.of(image)), view.of(found), atol=1e-5, rtol=1e-4)


def test_what_is_impossible_stays_finite():
    seen, _ = seen_from_all_sides(
        lambda images: torch.cat([images * 0 + 1e4, images * 0], 1),
        Geometry(1, 0, 0, 0, True),
        Views(flips="both").ways,
    )
    assert seen(torch.ones(1, 1, 2, 2)).isfinite().all()
