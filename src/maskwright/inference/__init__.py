"""Inference: a model and an image of any size in, labels in the image's own frame out."""

from maskwright.inference.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
