import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import euler_number, label

from maskwright.metrics.simple_points import ARCS, AROUND, SIMPLE, joins_or_cuts, warped


def topology(mask):
    """Pieces of foreground (4-connected) and of background (8-connected), with background around the image."""
    framed = np.pad(mask, 1)
    return label(framed, connectivity=1).max(), label(~framed, connectivity=2).max()


def flipped(mask, y, x):
    other = mask.copy()
    other[y, x] ^= True
    return other


def slowly_warped(source, target, certainty):
    """The words: sweep after sweep over all that differ, each flip tried on the whole image."""
    mask = source.copy()
    flips = 1
    while flips:
        flips = 0
        differing = [(-certainty[y, x], x, y) for y, x in np.argwhere(mask != target)]
        for _, x, y in sorted(differing):
            if topology(flipped(mask, y, x)) == topology(mask):
                mask[y, x] ^= True
                flips += 1
    return mask


def pair(seed, size=(8, 9)):
    """A blotchy mask and one that differs from it at the borders and here and there."""
    rng = np.random.default_rng(seed)
    source = np.kron(rng.random((4, 5)) < 0.5, np.ones((2, 2))).astype(bool)[: size[0], : size[1]]
    target = np.roll(source, rng.integers(-1, 2, 2), (0, 1)) ^ (rng.random(size) < 0.15)
    return source, target, np.round(rng.random(size), 1)


def test_a_neighbourhood_is_simple_if_flipping_its_middle_keeps_all_pieces():
    """All 256, on a picture of the neighbourhood alone, where nothing is connected elsewhere."""
    for code in range(256):
        mask = np.zeros((3, 3), bool)
        for bit, (y, x) in enumerate(AROUND):
            mask[1 + y, 1 + x] = code >> bit & 1
        same_pieces = topology(mask) == topology(flipped(mask, 1, 1))
        assert SIMPLE[code] == same_pieces, f"{mask}"
        same_euler = euler_number(np.pad(mask, 1), 1) == euler_number(np.pad(flipped(mask, 1, 1), 1), 1)
        assert same_euler or not SIMPLE[code]


@pytest.mark.parametrize(
    ("rows", "arcs"),
    [
        (("...", ".o.", "..."), (0, 1)),  # alone
        (("###", "#o#", "###"), (1, 0)),  # inside
        (("...", ".o.", "..#"), (0, 1)),  # a corner does not touch
        (("...", "#o#", "..."), (2, 2)),  # a bridge
        (("#..", "#o.", "#.."), (1, 1)),  # a straight border
        ((".#.", "#o#", ".#."), (4, 4)),
        (("##.", "#o#", "###"), (1, 1)),
        (("##.", "#o.", ".#."), (2, 2)),  # the corner below left is a background of its own
    ],
)
def test_what_touches_a_pixel_is_counted_by_hand(rows, arcs):
    code = sum((rows[1 + y][1 + x] == "#") << bit for bit, (y, x) in enumerate(AROUND))

    assert ARCS[code] == arcs


@given(seed=st.integers(0, 9999))
def test_warping_is_what_sweeps_over_the_whole_image_do(seed):
    source, target, certainty = pair(seed)

    np.testing.assert_array_equal(warped(source, target, certainty), slowly_warped(source, target, certainty))


@given(seed=st.integers(0, 9999))
def test_warping_keeps_the_topology_and_only_comes_nearer(seed):
    source, target, certainty = pair(seed)
    before = source.copy()

    moved = warped(source, target, certainty)

    assert topology(moved) == topology(source)
    assert ((moved == source) | (moved == target)).all()
    np.testing.assert_array_equal(source, before)
    np.testing.assert_array_equal(warped(moved, target, certainty), moved), "there is nothing left to flip"


def test_a_pixel_alone_is_never_wiped_out_nor_made_up(mask):
    one, none = mask("...", ".#.", "..."), mask("...", "...", "...")
    even = np.zeros((3, 3))

    np.testing.assert_array_equal(warped(one, none, even), one)
    np.testing.assert_array_equal(warped(none, one, even), none)
    np.testing.assert_array_equal(warped(~one, ~none, even), ~one), "nor a hole"


def test_the_most_certain_pixels_go_first(mask):
    """A line shrinks to one pixel, from its certain end."""
    source, target = mask("#####"), mask(".....")
    left_first, right_first = np.array([[5, 4, 3, 2, 1.0]]), np.array([[1.0, 2, 3, 4, 5]])

    np.testing.assert_array_equal(warped(source, target, left_first), mask("....#"))
    np.testing.assert_array_equal(warped(source, target, right_first), mask("#...."))
    np.testing.assert_array_equal(warped(source, target, np.zeros((1, 5))), mask("....#")), "alike: column by column"


@given(seed=st.integers(0, 9999))
def test_a_pixel_joins_or_cuts_if_flipping_it_changes_the_pieces(seed):
    mask, _, _ = pair(seed)
    pieces = topology(mask)[0]

    found = joins_or_cuts(mask, np.ones_like(mask))

    for y, x in np.ndindex(mask.shape):
        after = topology(flipped(mask, y, x))[0]
        # More pieces by taking a pixel away, or fewer by adding one. A piece of one pixel is made or wiped out.
        assert found[y, x] == (after > pieces if mask[y, x] else after < pieces)


def test_only_the_pixels_asked_for_are_judged(mask):
    picture = mask("#####")

    assert joins_or_cuts(picture, mask("#.#..")).tolist() == [[False, False, True, False, False]]
