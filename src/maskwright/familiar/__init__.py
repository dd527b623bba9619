"""What the images of a training look like, so that others can be told from them: measured when a model is made, kept in
its file, compared when it is used.
"""

from maskwright.familiar.learning import HELD_OUT, TRAINED_ON, learn, some
from maskwright.familiar.measuring import Measures, measure, octave_names, value_names
from maskwright.familiar.record import Familiar, Neighbours

__all__ = [
    "HELD_OUT",
    "TRAINED_ON",
    "Familiar",
    "Measures",
    "Neighbours",
    "learn",
    "measure",
    "octave_names",
    "some",
    "value_names",
]
