"""Metrics: what a confusion matrix says. An open list of scores a class."""

from maskwright.metrics.confusion import confusion_matrix, mean_iou, pixel_accuracy
from maskwright.metrics.registry import ClassMetric, Confusion, class_metrics

__all__ = ["ClassMetric", "Confusion", "class_metrics", "confusion_matrix", "mean_iou", "pixel_accuracy"]
