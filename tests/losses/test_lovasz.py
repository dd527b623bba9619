import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskwright.losses.lovasz import Lovasz
from maskwright.records import IGNORED


def extension(errors, true):
    """One pixel after the other is made wrong, the worst first: what each adds to one minus the Jaccard index."""
    total, before, wrong = 0.0, 0.0, np.zeros(len(true), bool)
    for i in np.argsort(-errors, kind="stable"):
        wrong[i] = True
        said = true ^ wrong
        cost = 1 - (said & true).sum() / max(1, (said | true).sum())
        total, before = total + errors[i] * (cost - before), cost
    return total


SHARE_IGNORED = st.sampled_from([0.2, 0.8])  # so that some images are ignored whole


@given(
    seed=st.integers(0, 999), classes=st.integers(2, 4), per=st.sampled_from(["batch", "image"]), ignored=SHARE_IGNORED
)
def test_several_logits_are_the_extension_over_the_classes_that_occur(batch, by_class, seed, classes, per, ignored):
    logits, labels = batch(seed, classes, size=(2, 3, 2), ignored=ignored)

    expected = by_class(lambda p, t: extension(np.abs(t - p), t > 0), logits, labels, per)

    assert Lovasz(per=per)(logits, labels).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@given(seed=st.integers(0, 999), per=st.sampled_from(["batch", "image"]), ignored=SHARE_IGNORED)
def test_one_logit_is_the_extension_of_its_hinge(batch, seed, per, ignored):
    logits, labels = batch(seed, 2, 1, size=(2, 2, 2), ignored=ignored)
    groups = [(logits[:, 0], labels)] if per == "batch" else list(zip(logits[:, 0], labels, strict=True))
    expected = []
    for z, t in groups:
        z, t = z[t != IGNORED].double().numpy(), t[t != IGNORED].numpy() == 1
        if len(t):
            expected.append(extension(np.maximum(0, 1 - np.where(t, z, -z)), t))

    found = Lovasz(per=per)(logits, labels).item()

    assert found == pytest.approx(np.mean(expected) if expected else 0, rel=1e-4, abs=1e-6)


def test_of_certain_logits_it_is_the_jaccard_index_itself(batch):
    _, labels = batch(1, 3, size=(2, 8, 8))
    _, said = batch(2, 3, size=(2, 8, 8), ignored=0)
    counted = labels != IGNORED
    expected = [
        1 - ((said == k) & (labels == k)).sum() / (((said == k) | (labels == k)) & counted).sum() for k in range(3)
    ]

    certain = torch.nn.functional.one_hot(said, 3).movedim(-1, 1) * 1000.0

    torch.testing.assert_close(Lovasz()(certain, labels), torch.stack(expected).mean())


def test_an_empty_mask_costs_its_worst_pixel():
    logits = torch.tensor([[-3.0, 0.5, -0.25, -2.0]]).view(1, 1, 2, 2)

    assert Lovasz()(logits, torch.zeros(1, 2, 2, dtype=torch.long)).item() == pytest.approx(1.5)


def test_a_large_picture_s_pixels_keep_their_exact_share():
    """Differences of float32 indices near 1 would be mostly rounding."""
    logits = torch.zeros(1, 1, 1000, 1000, requires_grad=True)
    labels = torch.zeros(1, 1000, 1000, dtype=torch.long)
    labels[0, :10] = 1

    loss = Lovasz()(logits, labels)
    loss.backward()

    assert loss.item() == pytest.approx(1, rel=1e-5)
    assert -logits.grad[0, 0, :10].sum().item() + logits.grad[0, 0, 10:].sum().item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("per", ["batch", "image"])
def test_it_is_segmentation_models_own(batch, per):
    smp = pytest.importorskip("segmentation_models_pytorch.losses")
    options = {"per_image": per == "image", "ignore_index": IGNORED}

    logits, labels = batch(3, 3, size=(2, 8, 8))
    torch.testing.assert_close(Lovasz(per=per)(logits, labels), smp.LovaszLoss("multiclass", **options)(logits, labels))
    logits, labels = batch(4, 2, 1, size=(2, 8, 8))
    torch.testing.assert_close(Lovasz(per=per)(logits, labels), smp.LovaszLoss("binary", **options)(logits, labels))
