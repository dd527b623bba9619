"""Evaluation: how good a model is on labelled images, and the report that shows it."""

from maskwright.evaluation.scores import ClassScores, ImageScores, Scores, evaluate

__all__ = ["ClassScores", "ImageScores", "Scores", "evaluate"]
