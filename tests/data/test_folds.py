import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.data.drawing import place
from maskwright.data.folds import fold_of, folds, turn, whole
from maskwright.data.index import index
from maskwright.data.values import infer
from maskwright.errors import DataError
from maskwright.files import MaskStyle

painted = st.lists(
    st.tuples(st.text("abcdefgh", min_size=1, max_size=5), st.sampled_from([None, *"ABCDE"]), st.integers(0, 40)),
    unique_by=lambda row: row[0], min_size=12, max_size=50,
)  # fmt: skip
LABELS = infer({"a": {0: 1, 1: 1}}, MaskStyle())[0]
MANY = infer({"a": dict.fromkeys(range(5), 1)}, MaskStyle())[0]


def samples_of(bare_sample, rows, classes=2):
    return [
        bare_sample(f"{name}.png", group=group, values={0: 80 - n, n % (classes - 1) + 1: n} if n else {0: 80})
        for name, group, n in rows
    ]


@settings(max_examples=40)  # each is a data set
@given(rows=painted, k=st.integers(2, 6), labels=st.sampled_from([None, LABELS, MANY]), seed=st.integers(0, 2))
def test_every_image_validates_once_groups_stay_together_and_folds_are_alike(bare_sample, rows, k, labels, seed):
    samples = samples_of(bare_sample, rows, 5 if labels is MANY else 2)
    units = len({group or name for name, group, _ in rows})
    if units < k:
        return
    found = folds(samples, k, seed, stratify=labels)
    assert len(found) == k
    assert sorted(s.name for _, val in found for s in val) == sorted(s.name for s in samples)
    largest = max(sum(g == group for _, g, _ in rows) if group else 1 for _, group, _ in rows)
    for train, val in found:
        assert train
        assert val
        assert sorted(s.name for s in (*train, *val)) == sorted(s.name for s in samples)
        assert not {s.group for s in train} & {s.group for s in val} - {None}
        assert abs(len(val) - len(samples) / k) <= largest


@settings(max_examples=40)  # each is a data set
@given(rows=painted, k=st.integers(2, 6))
def test_single_images_go_by_the_rank_of_their_hash(bare_sample, rows, k):
    samples = [bare_sample(f"{name}.png") for name, _, _ in rows]
    order = sorted(samples, key=lambda s: place(s.name, 0))
    twin = {s.name: (2 * rank + 1) * k // (2 * len(order)) for rank, s in enumerate(order)}
    assert fold_of(samples, k) == [twin[s.name] for s in samples]


@settings(max_examples=40)  # each is a data set
@given(rows=painted, k=st.integers(2, 6), labels=st.sampled_from([None, LABELS, MANY]), order=st.randoms())
def test_the_order_of_the_files_changes_no_fold(bare_sample, rows, k, labels, order):
    rows = [(name, None, n) for name, _, n in rows]
    samples = samples_of(bare_sample, rows, 5)
    shuffled = list(samples)
    order.shuffle(shuffled)
    labels = labels and MANY
    one, other = (
        {s.name: f for s, f in zip(x, fold_of(x, k, 0, None, labels), strict=True)} for x in (samples, shuffled)
    )
    assert one == other


@settings(max_examples=40)  # each is a data set
@given(rows=painted, k=st.integers(2, 6))
def test_an_image_more_moves_one_over_each_border_of_folds_at_most(bare_sample, rows, k):
    samples = [bare_sample(f"{name}.png") for name, _, _ in rows]
    more = [*samples, bare_sample("added.png")]
    moved = [{a, b} for a, b in zip(fold_of(samples, k), fold_of(more, k), strict=False) if a != b]
    assert all(max(border) - min(border) == 1 for border in moved)
    assert len(moved) == len({min(border) for border in moved})


def test_the_test_and_images_without_masks_take_no_part(bare_sample):
    samples = [bare_sample(f"{i}.png", split=part) for i, part in enumerate(["test", "val", "train", None] * 5)]
    samples.append(bare_sample("x.png", mask=None))
    found = folds(samples, 3)
    assert sorted(s.name for _, val in found for s in val) == sorted(s.name for s in samples[:-1] if s.split != "test")


def test_each_stratum_is_in_each_fold(bare_sample):
    samples = [bare_sample(f"{i}.png", values={0: 80 - 8 * (i % 5), 1: 8 * (i % 5)}) for i in range(100)]
    for _, val in folds(samples, 5, stratify=LABELS):
        assert [sum(s.values[1] == 8 * n for s in val) for n in range(5)] == [4] * 5


def test_a_group_larger_than_a_fold_leaves_none_empty(bare_sample):
    samples = [bare_sample(f"{i}.png", group="A" if i < 100 else str(i)) for i in range(104)]
    for labels in (None, LABELS):
        rows = [s.model_copy(update={"values": {0: 1}}) for s in samples]
        assert sorted(len(val) for _, val in folds(rows, 5, stratify=labels)) == [1, 1, 1, 1, 100]


def test_fewer_groups_than_folds_are_told(bare_sample):
    samples = [bare_sample(f"{i}.png", group="AB"[i % 2]) for i in range(10)]
    with pytest.raises(
        DataError, match=r"3 folds need 3 groups or more, and there are 2 \([AB], [AB]\)\. .* groups: none"
    ):
        folds(samples, 3)
    assert len(folds(samples, 3, groups=[None] * 10)) == 3
    with pytest.raises(DataError, match=r"11 folds need 11 labelled images or more, and there are 10"):
        folds(samples, 11, groups=[None] * 10)


@pytest.mark.parametrize("how", [{}, {"stratify": True, "split_seed": 3}, {"groups": r"(\d)$", "test": ["img_00*"]}])
def test_each_turn_of_the_samples_is_what_asking_for_that_fold_gives(blobs, how):
    root = blobs(count=14, size=(16, 12))
    seen = index(root, folds=3, fold=1, **how)
    for n in range(3):
        asked = index(root, folds=3, fold=n, **how)
        assert turn(seen, n).samples == turn(whole(seen), n).samples == asked.samples
        assert turn(whole(seen), n).notes[:3] == asked.notes[:3], "the third says which fold validates"
    everything = whole(seen)
    assert not everything.part("val")
    assert len(everything.part("train")) + len(seen.part("test")) == 14
    assert any("each of 3 folds in turn, " in note for note in everything.notes)


def test_there_is_no_turn_of_samples_that_are_in_no_folds(blobs):
    seen = index(blobs(count=6, size=(16, 12)))
    with pytest.raises(DataError, match="folds=5"):
        turn(seen, 0)
    with pytest.raises(DataError, match="no fold 3; there are 3"):
        turn(index(blobs(count=6, size=(16, 12)), folds=3), 3)
