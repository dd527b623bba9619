import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maskwright.data.index import index
from maskwright.data.names import unique_names
from maskwright.data.randomness import number
from maskwright.data.split import VALIDATION_SHARE, held_out, stratified
from maskwright.errors import DataError, SettingError

names = st.lists(st.text("abcdefgh0123456789_", min_size=1, max_size=6), unique=True, max_size=30)
many = st.lists(st.text("abcdefgh0123456789_", min_size=1, max_size=6), unique=True, min_size=15, max_size=30)


def drawn(of):
    return {of[i] for i in held_out(list(of))}


@given(names=many, more=names)
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


@given(names=names, share=st.floats(0.01, 0.99), seed=st.integers(0, 3))
def test_a_seed_draws_others_and_a_share_more(names, share, seed):
    found = set(held_out(names, share, seed))
    hashes = [number("split", name) if seed == 0 else number("split", name, seed) for name in names]
    below = {i for i, value in enumerate(hashes) if value / 2**63 < share}
    if 0 < len(below) < len(names):
        assert found == below
    last = set(held_out(names, 1 - share, seed, first=False))
    if 0 < len(below) < len(names):
        assert not found & last


@given(names=names.filter(lambda names: len(names) > 1), share=st.floats(0, 1), more=st.text("abc", min_size=7))
def test_a_number_is_drawn_exactly_and_adding_an_image_moves_one_at_most(names, share, more):
    count = 1 + round(share * (len(names) - 2))
    found = {names[i] for i in held_out(names, count)}
    assert len(found) == count
    after = {[*names, more][i] for i in held_out([*names, more], count)}
    assert len(found - after) == len(after - found - {more}) + (more in after) <= 1


def painted_of(least):
    """Names with the stratum of each."""
    return st.lists(
        st.tuples(st.text("abcdefgh", min_size=1, max_size=6), st.integers(0, 4)),
        unique_by=lambda pair: pair[0], min_size=least, max_size=60,
    )  # fmt: skip


@given(painted=painted_of(2), share=st.floats(0.01, 0.99), seed=st.integers(0, 2))
def test_each_stratum_gives_its_share_and_all_together_the_exact_number(painted, share, seed):
    names, of = [name for name, _ in painted], [stratum for _, stratum in painted]

    found = stratified(names, of, share, seed)

    assert len(found) == len(set(found)) == min(max(1, int(share * len(names) + 0.5)), len(names) - 1)
    for stratum in set(of):
        members = [i for i, s in enumerate(of) if s == stratum]
        drawn = [i for i in found if i in members]
        assert abs(len(drawn) - share * len(members)) <= 1 + 1e-9
        first = sorted(members, key=lambda i: number("split", names[i], *([seed] if seed else [])))
        assert drawn == sorted(first[: len(drawn)])


@given(painted=painted_of(10), share=st.floats(0.05, 0.94), more=st.integers(0, 4))
def test_adding_an_image_moves_one_of_its_stratum_and_one_of_another_at_most(painted, share, more):
    """Where the share itself draws one and leaves one, as it does of ten."""
    names, of = [name for name, _ in painted], [stratum for _, stratum in painted]
    before = {names[i] for i in stratified(names, of, share)}
    after = {[*names, "added"][i] for i in stratified([*names, "added"], [*of, more], share)}
    moved = [stratum for name, stratum in painted if (name in before) != (name in after)]
    assert len(moved) == len(set(moved))
    assert len(set(moved) - {more}) <= 1


@given(
    painted=painted_of(2),
    share=st.floats(0.05, 0.5),
    other=st.floats(0.05, 0.45),
    seed=st.randoms(use_true_random=False),
)
def test_two_parts_drawn_from_both_ends_do_not_meet(painted, share, other, seed):
    names, of = [name for name, _ in painted], [stratum for _, stratum in painted]
    test = stratified(names, of, share, first=False)
    val = stratified([None if i in test else name for i, name in enumerate(names)], of, other)
    assert not set(test) & set(val)
    if len(names) - len(test) >= 2:
        assert len(val) == min(max(1, int(other * len(names) + 0.5)), len(names) - len(test) - 1)
    shuffled = list(painted)
    seed.shuffle(shuffled)
    again = stratified([name for name, _ in shuffled], [s for _, s in shuffled], share, first=False)
    assert {shuffled[i][0] for i in again} == {names[i] for i in test}


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


@pytest.fixture
def salt(paint):
    """100 images: 40 without foreground, the others with 1 to 10 of 10 columns."""
    for i in range(100):
        cut = 10 if i < 40 else i % 10
        paint.write(f"images/s{i:03}.png", paint.image())
        paint.write(f"masks/s{i:03}.png", paint.mask(*[0] * cut, *[255] * (10 - cut)))
    return paint


def shares(part):
    """Images of a part by how many tenths of them are foreground."""
    tenths = [sample.values.get(255, 0) // 8 for sample in part]
    return [tenths.count(n) for n in range(11)]


@pytest.mark.parametrize("stated", [True, False])
def test_a_stratified_share_shows_as_much_foreground_as_all(stated, salt):
    if stated:
        salt.write("dataset.yaml", "split: {val: 0.5, stratify: true}\n")
    samples = index(salt.root) if stated else index(salt.root, share=0.5, stratify=True)
    assert shares(samples.part("val")) == shares(samples.part("train")) == [20] + [3] * 10
    assert samples.notes[2] == "val: 50 of 100 images, drawn by name; each stratum of foreground gives its share"


def test_test_and_validation_are_both_shares_of_all(salt):
    samples = index(salt.root, share=0.2, test_share=0.3, stratify=True)
    assert [len(samples.part(part)) for part in ("train", "val", "test")] == [50, 20, 30]
    assert sorted(shares(samples.part("test"))) == [1, 1, *[2] * 8, 12]  # 1.8 of each six
    assert sorted(shares(samples.part("val"))) == [*[1] * 8, 2, 2, 8]
    salt.write("dataset.yaml", "split: {val: 0.2, test: 0.3, stratify: true}\n")
    assert index(salt.root).samples == samples.samples
    salt.write("dataset.yaml", "skip: []\n")
    alone = index(salt.root, test_share=0.3, stratify=True)
    assert [s.name for s in alone.part("test")] == [s.name for s in samples.part("test")]


def test_stratify_alone_makes_the_usual_share_exact(salt):
    assert len(index(salt.root, stratify=True).part("val")) == 15


def test_a_share_without_strata_is_drawn_by_the_hash_of_each_name(salt):
    samples = index(salt.root, share=0.3)
    assert {s.name for s in samples.part("val")} == {
        s.name for s in samples.samples if number("split", s.name) / 2**63 < 0.3
    }
    assert {s.name for s in index(salt.root).part("val")} < {s.name for s in samples.part("val")}
    with_test = index(salt.root, share=0.3, test_share=0.4)
    assert {s.name for s in with_test.part("val")} == {s.name for s in samples.part("val")}
    assert samples.notes[2].startswith("val: ")
    assert len(index(salt.root).notes) == 2


@pytest.mark.parametrize("options", [{}, {"stratify": True}])
def test_another_seed_draws_other_images_and_a_number_is_exact(options, salt):
    first, second = (index(salt.root, share=23, split_seed=seed, **options) for seed in (0, 1))
    names = [{s.name for s in samples.part("val")} for samples in (first, second)]
    assert len(names[0]) == len(names[1]) == 23
    assert names[0] != names[1]
    salt.write("dataset.yaml", f"split: {{val: 23, seed: 1, stratify: {str(bool(options)).lower()}}}\n")
    assert index(salt.root).samples == second.samples


def test_what_counts_nowhere_is_not_of_the_share(paint):
    """Half of what counts is foreground in all; in some of them nearly nothing counts."""
    for i in range(20):
        paint.write(f"images/{i}.png", paint.image())
        paint.write(f"masks/{i}.png", paint.mask(0, 1) if i % 2 else paint.mask(0, 1, *[9] * 8))
    paint.write("dataset.yaml", "ignore: [9]\nsplit: {val: 0.5, stratify: true}\n")
    samples = index(paint.root)
    assert len(samples.part("val")) == 10
    plain = index(paint.root, stratify=True)
    assert {s.name for s in samples.part("val")} == {s.name for s in plain.part("val")}
    assert {s.name for s in samples.part("val")} == {
        s.name for s in sorted(samples.samples, key=lambda s: number("split", s.name))[:10]
    }


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"share": 0.0}, SettingError, "val: 0.0 of the images cannot be drawn; a share lies between 0 and 1"),
        ({"share": -1}, SettingError, "val: -1 of the images"),
        ({"test_share": 1.5}, SettingError, "test: 1.5 of the images"),
        ({"share": 0.6, "test_share": 0.5}, SettingError, "val: 0.6 and test: 0.5 leave nothing"),
        ({"share": 8}, DataError, "8 val images were asked for, but only 8 of"),
        ({"share": 5, "test_share": 3, "stratify": True}, DataError, "5 val images were asked for, but only 5 of"),
        ({"share": 0.2, "val": ["a"]}, DataError, "1 images of .* are in the val part already"),
        ({"test_share": 0.2, "test": ["[ab]"]}, DataError, "2 images of .* are in the test part already"),
    ],
)
def test_a_share_that_cannot_be_meant_is_told(options, error, says, eight):
    with pytest.raises(error, match=says):
        index(eight, **options)


@pytest.mark.parametrize("text", ["true", "half", "0", "1.5", "-0.2", "{a: 1}"])
def test_a_share_in_the_file_that_is_none_is_told(text, eight, paint):
    paint.write("dataset.yaml", f"split: {{val: {text}}}\n")
    with pytest.raises(SettingError, match=r"split\.val in .*dataset\.yaml"):
        index(eight)


def test_a_share_and_patterns_of_different_parts_go_together(eight, paint):
    paint.write("dataset.yaml", "split: {val: 2, test: ['[ab]']}\n")
    samples = index(eight)
    assert [s.name for s in samples.part("test")] == ["a", "b"]
    assert len(samples.part("val")) == 2


def test_an_image_with_a_single_pixel_of_foreground_is_not_empty_whichever_class_is_the_background(paint):
    for i in range(20):
        mask = paint.mask(0)
        mask[0, 0] = 255 * (i % 4 == 0)
        paint.write(f"images/{i}.png", paint.image())
        paint.write(f"masks/{i}.png", mask)
    paint.write("dataset.yaml", "classes: {salt: 255, rock: 0}\n")
    for share in (4, 8, 12, 16):
        part = index(paint.root, share=share, stratify=True).part("val")
        assert sum(255 in sample.values for sample in part) == share // 4


def test_a_wish_for_strata_where_nothing_is_drawn_is_answered(eight):
    notes = index(eight, val=["a"], stratify=True).notes
    assert notes[2] == "nothing to stratify: the parts are as published or named"
