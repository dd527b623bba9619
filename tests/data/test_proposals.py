import numpy as np
import pytest

from maskwright.data.groups import group_of, pattern_of
from maskwright.data.proposals import of_stacks, propose_groups

PLAIN = {
    "scenes and tiles": ([f"scene{s}_tile_{i:02}_{j:02}" for s in range(5) for i in range(3) for j in range(3)], 5),
    "sequences": ([f"train/{s}_{n:06}" for s in ("0001TP", "0006R0", "Seq05VD") for n in range(6690, 6990, 30)], 3),
    "patients": ([f"images/patient{p:02}_slice_{n}" for p in range(4) for n in range(9)], 4),
    "patients in folders": ([f"data/patient_{p}/images/{n:03}" for p in range(4) for n in range(9)], 4),
    "BIDS": ([f"sub-{p:02}_ses-1_slice{n}" for p in range(4) for n in range(9)], 4),
    "left and right": ([f"IMG_{n:04}_{side}" for n in range(12) for side in ("left", "right")], 12),
    "eyes": ([f"Image_{n:02}{side}" for n in range(14) for side in "LR"], 14),
    "frames in folders": ([f"seq{s}/frame{n:04}" for s in range(5) for n in range(20)], 5),
    "frames of names": ([f"images/{s}/frame{n:04}" for s in ("anna", "bob", "carl") for n in range(20)], 3),
    "frames below images": ([f"instrument_dataset_{s}/images/frame{n:03}" for s in range(1, 9) for n in range(9)], 8),
    "augmented copies": ([f"cell{n}{end}" for n in range(9) for end in ("", "_aug1", "_aug2")], 9),
    "turned copies": ([f"cell_{n}{end}" for n in range(9) for end in ("", "_flip", "_rot90", "_hflip_2")], 9),
    "exported copies": ([f"im{n}_jpg.rf.{n * 7 + k:032x}" for n in range(9) for k in range(3)], 9),
    "tiles in a grid": ([f"austin{n}_{x}_{y}" for n in range(5) for x in (0, 512) for y in (0, 512)], 5),
    "tiles by rows": ([f"town{n}_r{x}_c{y}" for n in range(5) for x in range(2) for y in range(2)], 5),
    "views of a car": ([f"{n:06x}b59e{n:02x}_{k:02}" for n in range(9, 19) for k in range(1, 17)], 10),
    "folders that files repeat": ([f"TCGA_{n}_1996/TCGA_{n}_1996_{k}" for n in range(4941, 4950) for k in range(9)], 9),
}  # fmt: skip

NONE_OR_DOUBTFUL = {
    "numbers": [f"images/img_{n:03}" for n in range(100)],
    "bare numbers": [str(n) for n in range(30)],
    "numbers in brackets": [f"img ({n})" for n in range(100)],
    "random names": [f"images/{n * 2654435761 % 16**10:010x}" for n in range(200)],
    "breeds": [f"images/{b}_{n}" for b in ("Bengal", "pug", "great_pyrenees", "Maine_Coon") for n in range(1, 50)],
    "years": [f"{year}_{n:06}" for year in range(2007, 2012) for n in range(0, 500, 7)],
    "days of a camera": [f"IMG_201903{day}_{n:06}" for day in range(10, 20) for n in range(101010, 101900, 77)],
    "classes in folders": [f"{c}/{n:03}" for c in ("cat", "dog", "cow") for n in range(30)],
    "grades": [f"grade{c}_{n:03}" for c in range(4) for n in range(30)],
    "folds": [f"fold{c}/{n:03}" for c in range(4) for n in range(30)],
    "subsets": [f"subset{c}_{n:03}" for c in range(4) for n in range(30)],
    "editions": [f"v{c}_{n:03}" for c in range(4) for n in range(30)],
    "parts": [f"{part}/frame{n}" for part in ("train", "test", "val") for n in range(30)],
    "cases of one image": [f"case_{n:03}" for n in range(100)],
    "stains": [f"TCGA-{a}-{a * 37}-01Z-00-DX1" for a in range(18, 50)],
    "a folder an image": [f"{n * 2654435761 % 16**10:010x}/images/{n * 2654435761 % 16**10:010x}" for n in range(50)],
    "one video": [f"video1_frame{n}" for n in range(50)],
    "one scene of most": [f"scene1_{n}" for n in range(50)] + [f"scene{s}_{n}" for s in (2, 3) for n in range(5)],
    "two patients": [f"patient{p}_{n}" for p in (1, 2) for n in range(30)],
    "two copies by chance": [*(f"img_{n}" for n in range(100)), "img_3_copy"],
    "pages": [f"train-volume_{n:02}" for n in range(30)],
    "one name": ["a"],
    "times of each animal": [f"{name}/t{t}/{n:03}" for name in ("anna", "bob") for t in range(4) for n in range(5)],
    "no name": [],
}


@pytest.mark.parametrize("kind", PLAIN)
def test_groups_that_names_show_plainly_are_proposed_with_confidence(kind):
    names, count = PLAIN[kind]
    found = propose_groups(names)
    assert found is not None
    assert found.confident
    assert found.count == count
    assert len(names) / count == len([g for g in found.groups if g == found.groups[0]]), "all are of one size here"
    # What is to be written means the same.
    assert [group_of(pattern_of(found.pattern), name) for name in names] == list(found.groups) == found.of(names)


@pytest.mark.parametrize("kind", NONE_OR_DOUBTFUL)
def test_what_may_be_something_else_is_not_proposed_with_confidence(kind):
    found = propose_groups(NONE_OR_DOUBTFUL[kind])
    assert found is None or not found.confident


@pytest.mark.parametrize(
    "kind",
    ["numbers", "random names", "breeds", "years", "grades", "parts", "cases of one image", "times of each animal"],
)
def test_plain_names_are_not_even_spoken_of(kind):
    assert propose_groups(NONE_OR_DOUBTFUL[kind]) is None


@pytest.mark.parametrize("kind", PLAIN)
def test_the_order_of_the_names_changes_nothing(kind):
    names, _ = PLAIN[kind]
    found, again = propose_groups(names), propose_groups(names[::-1])
    assert again.groups == found.groups[::-1]
    assert again.pattern == found.pattern


def pictures(names, of):
    """Small pictures; those of one group show one thing, with a little noise."""
    rng = np.random.default_rng(0)
    things = {}
    return {n: things.setdefault(of(n), rng.normal(size=(8, 8))) + rng.normal(0, 0.3, (8, 8)) for n in names}


def test_pictures_bear_a_doubtful_pattern_out():
    names = [f"{p:02}_{n:02}" for p in range(6) for n in range(8)]
    assert not propose_groups(names).confident
    seen = propose_groups(names, thumbnails=pictures(names, lambda name: name[:2]))
    assert seen.confident
    assert "100% of the images look most like another of their group" in seen.reason


def test_pictures_that_are_all_different_refute_a_plain_one():
    names, _ = PLAIN["sequences"]
    seen = propose_groups(names, thumbnails=pictures(names, lambda name: name))
    assert seen is None or not seen.confident


def test_breeds_that_look_alike_are_spoken_of_but_not_followed():
    names = NONE_OR_DOUBTFUL["breeds"]
    seen = propose_groups(names, thumbnails=pictures(names, lambda name: name.rsplit("_", 1)[0]))
    assert not seen.confident


def test_a_function_of_likeness_does_as_well():
    names = [f"{p:02}_{n:02}" for p in range(6) for n in range(8)]
    assert propose_groups(names, similarity=lambda a, b: float(a[:2] == b[:2])).confident
    unlike = propose_groups(names, similarity=lambda a, b: float(a[:2] != b[:2]))
    assert unlike is None or not unlike.confident


def test_missing_thumbnails_are_like_nothing():
    names = [f"{p:02}_{n:02}" for p in range(6) for n in range(8)]
    seen = propose_groups(names, thumbnails={names[0]: np.zeros((4, 4)), names[1]: np.zeros((5, 5))})
    assert seen is None or not seen.confident


def test_several_stacks_are_groups_of_their_pages_one_is_not():
    names = [f"images/brain{s}_{page:02}" for s in "abc" for page in range(12)]
    found = of_stacks(names, [int(name[-2:]) for name in names])
    assert found.confident
    assert found.count == 3
    assert of_stacks(names, [None] * 36) is None
    assert of_stacks(names[:12], list(range(12))) is None
