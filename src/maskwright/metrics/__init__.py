"""Metrics: open lists of scores, of each class from a confusion matrix, and of each image as contests define theirs."""

from maskwright.metrics.confusion import confusion_matrix, mean_iou, pixel_accuracy
from maskwright.metrics.registry import (
    ByClass,
    ClassMetric,
    Confusion,
    ImageMetric,
    ImageResult,
    class_metrics,
    image_metrics,
)

__all__ = [
    "ByClass",
    "ClassMetric",
    "Confusion",
    "ImageMetric",
    "ImageResult",
    "class_metrics",
    "confusion_matrix",
    "image_metrics",
    "mean_iou",
    "pixel_accuracy",
]
