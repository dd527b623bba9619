import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.losses.dice import Dice
from maskwright.losses.jaccard import Jaccard
from maskwright.records import IGNORED


def jaccard_of(smooth):
    """One minus intersection over union."""
    return lambda p, t: 1 - ((p * t).sum() + smooth) / (p.sum() + t.sum() - (p * t).sum() + smooth)


@given(
    seed=st.integers(0, 999),
    classes=st.integers(1, 4),
    per=st.sampled_from(["batch", "image"]),
    smooth=st.sampled_from([0.0, 1.0]),
    switches=st.tuples(st.booleans(), st.booleans()),
)
def test_it_agrees_with_the_formula_class_by_class(batch, by_class, seed, classes, per, smooth, switches):
    logits, labels = batch(seed, max(2, classes), classes, size=(2, 3, 2))
    where = {"per": per, "background": switches[0], "absent": switches[1] and smooth > 0}

    found = Jaccard(smooth=smooth, **where)(logits, labels).item()

    assert found == pytest.approx(by_class(jaccard_of(smooth), logits, labels, **where), rel=1e-4, abs=1e-6)


def test_for_one_class_it_follows_from_dice(batch):
    logits, labels = batch(1, 2, 1)
    dice = 1 - Dice()(logits, labels)

    torch.testing.assert_close(1 - Jaccard()(logits, labels), dice / (2 - dice))


def test_it_is_segmentation_models_own(batch):
    smp = pytest.importorskip("segmentation_models_pytorch.losses")
    logits, labels = batch(2, 4, ignored=0)

    torch.testing.assert_close(Jaccard()(logits, labels), smp.JaccardLoss("multiclass")(logits, labels))


def test_it_is_monai_s(batch):
    monai = pytest.importorskip("monai.losses")
    logits, labels = batch(3, 3, ignored=0)

    theirs = monai.DiceLoss(softmax=True, to_onehot_y=True, jaccard=True, smooth_nr=0.5, smooth_dr=0.5)  # 2 I / 2 U

    torch.testing.assert_close(
        Jaccard(per="image", smooth=0.25, absent=True)(logits, labels), theirs(logits, labels[:, None])
    )


def test_a_class_nobody_is_sure_of_costs_two_thirds():
    """p = ½ on a full mask: ½ / 1; on half a mask: ¼ / (½ + ½ - ¼)."""
    labels = torch.ones(1, 2, 4, dtype=torch.long)
    assert Jaccard()(torch.zeros(1, 1, 2, 4), labels).item() == pytest.approx(1 / 2)
    labels[:, 0] = 0
    assert Jaccard()(torch.zeros(1, 1, 2, 4), labels).item() == pytest.approx(2 / 3)
    labels[:, 0] = IGNORED
    assert Jaccard()(torch.zeros(1, 1, 2, 4), labels).item() == pytest.approx(1 / 2)
