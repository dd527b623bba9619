import numpy as np
import pytest

from maskwright.errors import SettingError
from maskwright.metrics import ImageResult, class_metrics, image_metrics


def test_the_image_metrics_are_these():
    assert image_metrics.names() == [
        "ap", "ap50", "dsb2018", "pixel_error", "pq", "rand_error", "salt", "split_merge_error", "v_info", "v_rand",
        "warping_error",
    ]  # fmt: skip


def test_the_two_lists_are_apart():
    assert not set(image_metrics.names()) & set(class_metrics.names())
    with pytest.raises(SettingError, match="no image metric called 'iou'"):
        image_metrics["iou"]


def test_errors_are_smaller_where_they_are_better_and_scores_are_not():
    smaller = {name for name, metric in image_metrics.items() if metric.smaller_is_better}

    assert smaller == {name for name in image_metrics if name.endswith("_error")}


def test_a_result_cannot_be_changed():
    result = ImageResult(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8))

    assert result.probabilities_KHW is None
    assert result.objects_HW is None
    with pytest.raises(AttributeError):
        result.labels_HW = np.ones((2, 2), np.uint8)
