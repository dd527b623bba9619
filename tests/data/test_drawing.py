"""Drawing of groups; of single images see test_split."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.data.drawing import VALIDATION_SHARE, held_out, place
from maskwright.data.groups import together

grouped_names = st.lists(
    st.tuples(st.text("abcdefgh", min_size=1, max_size=5), st.sampled_from([None, *"ABCDEFGHIJKLMNOP"])),
    unique_by=lambda pair: pair[0], min_size=2, max_size=40,
)  # fmt: skip


def columns(painted):
    return [name for name, _ in painted], [group for _, group in painted]


def drawn(painted, share=VALIDATION_SHARE, seed=0, **options):
    names, groups = columns(painted)
    return {names[i] for i in held_out(names, share, seed, groups=groups, **options)}


@given(painted=grouped_names, share=st.one_of(st.floats(0.01, 0.99), st.integers(1, 39)), first=st.booleans())
def test_no_group_is_parted_and_both_parts_have_something(painted, share, first):
    found = drawn(painted, share, first=first)
    for group in {group for _, group in painted if group}:
        members = {name for name, of in painted if of == group}
        assert found & members in (set(), members)
    if len(together(*columns(painted))) > 1:
        assert 0 < len(found) < len(painted)
    else:
        assert not found


def by_hash(painted, share, seed):
    """The slow, obvious twin."""
    return {name for name, group in painted if place(group or name, seed) < share}


@given(painted=grouped_names, more=grouped_names, share=st.floats(0.05, 0.95), seed=st.integers(0, 2))
def test_adding_images_and_groups_moves_no_other(painted, more, share, seed):
    """But where none or all are drawn by name: then one is taken, so that both parts have one."""
    below = by_hash(painted, share, seed)
    assume(0 < len(below) < len(painted))
    names = {name for name, _ in painted}
    after = drawn([*painted, *(pair for pair in more if pair[0] not in names)], share, seed)
    assert drawn(painted, share, seed) == below == after & names


@given(painted=grouped_names)
def test_without_groups_nothing_is_other_than_before(painted):
    names, _ = columns(painted)
    assert held_out(names) == held_out(names, groups=[None] * len(names))


@given(painted=grouped_names, part=st.floats(0, 1))
def test_a_number_is_met_to_within_a_group(painted, part):
    share = 1 + round(part * (len(painted) - 2))
    units = together(*columns(painted))
    assume(len(units) > 1)
    found = len(drawn(painted, share))
    largest = max(unit.size for unit in units)
    assert abs(found - share) <= largest


@pytest.mark.parametrize(
    ("sizes", "wanted", "images"),
    [
        ([40, 5, 30, 25], 5, 5),
        ([40, 5, 30, 25], 29, 30),
        ([40, 5, 30, 25], 44, 45),
        ([40, 40, 40], 25, 40),
        ([40, 40, 40], 10, 40),
        ([30, 10, 10], 19, 20),
        ([10, 10, 10, 10], 24, 20),
        ([10, 10, 10, 10], 26, 30),
    ],
)
def test_a_number_of_images_is_met_by_the_groups_that_come_near(sizes, wanted, images):
    # Named such that they are drawn in this order.
    names = sorted(map(str, range(len(sizes))), key=lambda name: place(name, 0))
    painted = [(f"{g}_{i}", g) for g, size in zip(names, sizes, strict=True) for i in range(size)]
    assert len(drawn(painted, wanted)) == images


def test_where_no_hash_of_a_few_groups_lies_below_the_share_a_group_near_it_is_taken():
    names = [name for name in map(str, range(50)) if place(name, 0) > 0.2]
    large, *small = sorted(names, key=lambda name: place(name, 0))[:4]
    painted = [(f"x{i}", large) for i in range(60)] + [(f"{g}_{i}", g) for g in small for i in range(13)]
    assert len(drawn(painted, 0.15)) == 13


def test_what_is_not_to_be_drawn_leaves_the_rest_of_its_group_together():
    names = ["a", None, "c", "d", "e"]
    groups = ["A", "A", "A", "B", "B"]
    for share in (0.2, 0.5, 0.8):
        assert held_out(names, share, groups=groups) in ([0, 2], [3, 4])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_about_the_share_of_many_groups_is_drawn(seed):
    painted = [(f"g{g}_{i}", f"g{g}") for g in range(600) for i in range(g % 5 + 1)]
    assert 0.11 < len(drawn(painted, seed=seed)) / len(painted) < 0.19


def test_a_group_and_an_image_of_one_name_are_two_units():
    units = together(["a", "b", "c"], [None, "a", "a"])
    assert [(unit.members, unit.grouped) for unit in units] == [((0,), False), ((1, 2), True)]
