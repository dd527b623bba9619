import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskwright.data.randomness import draw, number

keys = st.lists(st.integers(-(2**40), 2**70) | st.text(max_size=5), min_size=1, max_size=4)


@given(key=keys)
def test_a_draw_depends_on_its_key_alone(key):
    draw(*key).random(100)
    assert draw(*key).random() == draw(*key).random()


@pytest.mark.parametrize("other", [(0, "warp", 8), (1, "warp", 7), (0, "crop", 7), (0, 7, "warp"), (0, "warp7")])
def test_another_key_gives_another_draw(other):
    assert draw(0, "warp", 7).random() != draw(*other).random()


def test_the_numbers_are_the_ones_they_have_always_been():
    """A split or a resumed run made by an earlier version must stay what it was."""
    assert number("split", "img_07") == 1572752539477173997
    assert draw(0, "warp", 7).random() == 0.4953134219983293
    assert number("a", 1) == number("a", "1") != number("a1")


@given(key=keys)
def test_a_number_has_63_bits(key):
    assert 0 <= number(*key) < 2**63


def test_neighbouring_draws_have_nothing_in_common():
    first = np.array([draw(0, "crop", i).random() for i in range(2000)])
    assert abs(first.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.06
