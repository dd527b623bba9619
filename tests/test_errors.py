import pytest

from maskwright import errors
from maskwright.errors import MaskwrightError, nearest

KEYS = ["model.depth", "model.base", "training.optimizer.lr", "seed"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dpeth", "model.depth"),
        ("model.dept", "model.depth"),
        ("sed", "seed"),
        ("optimiser.lr", "training.optimizer.lr"),
    ],
)
def test_the_nearest_name_is_named_whole_or_by_its_last_word(typed, meant):
    assert nearest(typed, KEYS) == f"Did you mean {meant!r}?"


def test_where_nothing_is_near_all_names_are_listed():
    assert nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert nearest("zzz", []) == "Known: none."


def test_every_error_of_ours_is_caught_by_one_name():
    ours = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(ours) > 5
    assert all(issubclass(error, MaskwrightError) and error.__doc__ for error in ours)
