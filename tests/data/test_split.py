import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.data.index import index
from maskwright.data.names import unique_names
from maskwright.data.randomness import number
from maskwright.data.split import VALIDATION_SHARE, held_out
from maskwright.errors import DataError

names = st.lists(st.text("abcdefgh0123456789_", min_size=1, max_size=6), unique=True, max_size=30)


def drawn(of):
    return {of[i] for i in held_out(list(of))}


@given(names=names, more=names)
def test_adding_images_never_moves_another_one(names, more):
    """But where none is drawn by its name, or all are: then one is taken so that both parts have one."""
    by_score = {name for name in names if number("split", name) / 2**63 < VALIDATION_SHARE}
    assume(0 < len(by_score) < len(names))
    assert drawn([*names, *(name for name in more if name not in names)]) & set(names) == drawn(names) == by_score


@given(names=names, seed=st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(names, seed):
    shuffled = list(names)
    seed.shuffle(shuffled)
    scores = sorted(number("split", name) for name in names)
    assume(not scores or scores[-1] / 2**63 >= VALIDATION_SHARE)
    assert drawn(shuffled) == drawn(names)


@given(names=names)
def test_of_two_or_more_at_least_one_is_drawn_and_one_is_left(names):
    found = held_out(list(names))
    assert len(set(found)) == len(found)
    if len(names) >= 2:
        assert 1 <= len(found) < len(names)
    else:
        assert found == []


def test_where_all_would_be_drawn_one_is_left():
    low = [name for name in map(str, range(100)) if number("split", name) / 2**63 < VALIDATION_SHARE]
    assert len(low) > 5
    assert held_out(list(low)) == list(range(len(low) - 1))


@given(names=names, holes=st.lists(st.integers(0, 30), max_size=5))
def test_what_is_not_to_be_drawn_is_not_drawn(names, holes):
    holed = list[str | None](names)
    for place in holes:
        holed.insert(place, None)
    assert {holed[i] for i in held_out(holed)} == drawn(names)


def test_about_the_share_is_drawn():
    assert 0.12 < len(held_out([f"img_{i:04}" for i in range(3000)])) / 3000 < 0.18


def test_an_image_beside_a_namesake_moves_none_but_it(paint):
    root = paint.root
    before = dict(zip("abc", unique_names([root / "x" / f"{name}.png" for name in "abc"], root), strict=True))
    after = unique_names([root / "x/a.png", root / "x/b.png", root / "x/c.png", root / "y/a.png"], root)
    assert after[1:3] == [before["b"], before["c"]]
    assert after == ["x/a", "b", "c", "y/a"]


def parts(samples):
    found = {"train": "", "val": "", "test": ""}
    for sample in samples.samples:
        found[sample.split] += sample.name
    return found


@pytest.fixture
def eight(paint):
    return paint.pairs({name: (paint.image(), paint.mask()) for name in "abcdefgh"})


def test_an_index_without_wishes_sets_some_aside_by_name(eight, paint):
    found = parts(index(eight))
    assert found["val"]
    assert found["test"] == ""
    assert set(found["val"]) == drawn(list("abcdefgh"))
    assert index(eight, workers=1) == index(eight)


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({"test": ["a.png", "b"]}, {"test": "ab"}),
        ({"test": ["[a-c]"]}, {"test": "abc"}),
        ({"test": ["[a-c].png"], "val": ["d"]}, {"test": "abc", "val": "d", "train": "efgh"}),
        ({"test": ["images/a.png", "images/b"]}, {"test": "ab"}),
        ({"val": ["*"], "test": ["[a-g]"]}, None),
        ({"val": ["[a-d]"], "test": ["[ab]"]}, {"test": "ab", "val": "cd", "train": "efgh"}),
    ],
)
def test_patterns_choose_and_the_test_goes_first(wishes, expected, eight):
    if expected is None:
        with pytest.raises(DataError, match=r"No image .* is left to train on"):
            index(eight, **wishes)
        return
    found = parts(index(eight, **wishes))
    assert {split: found[split] for split in expected} == expected
    assert sum(map(len, found.values())) == 8


def test_what_is_kept_for_the_test_is_never_trained_on(eight, paint):
    paint.write("dataset.yaml", "split: {train: ['*'], val: [b, c], test: [a, b]}\n")
    assert parts(index(eight)) == {"test": "ab", "val": "c", "train": "defgh"}


@pytest.mark.parametrize("split", ["test", "val"])
def test_a_pattern_that_matches_nothing_is_told(split, eight):
    with pytest.raises(DataError, match=f"The {split} pattern 'z.png' matches no image"):
        index(eight, **{split: ["a", "z.png"]})


def test_a_published_split_is_kept(paint):
    for split, names in (("train", "abc"), ("val", "d"), ("test", "ef")):
        for name in names:
            paint.images(f"{split}/images/{name}.png")
            paint.masks(f"{split}/masks/{name}.png")
    assert parts(index(paint.root)) == {"train": "abc", "val": "d", "test": "ef"}
    assert parts(index(paint.root, test=["a"])) == {"train": "bc", "val": "d", "test": "efa"}


def test_validation_images_without_masks_are_no_validation(paint):
    paint.images(*(f"train/images/{name}.png" for name in "abcd"), "val/images/e.png", "test/images/f.png")
    paint.masks(*(f"train/masks/{name}.png" for name in "abcd"))
    samples = index(paint.root)
    assert samples.part("val")
    assert not {s.name for s in samples.part("val")} & {"e", "f"}


def test_one_image_is_trained_on(paint):
    paint.pairs({"a": (paint.image(), paint.mask())})
    assert parts(index(paint.root)) == {"train": "a", "val": "", "test": ""}
