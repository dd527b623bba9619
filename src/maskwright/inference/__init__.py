"""Inference: a model and an image of any size in, labels in the image's own frame out."""

from maskwright.inference.predictor import Prediction, Predictor
from maskwright.inference.streaming import Band

__all__ = ["Band", "Prediction", "Predictor"]
