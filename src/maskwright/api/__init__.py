"""The street: folder → samples → fingerprint → plan → network → training → model file → scores → report.

These functions are the public Python API, and what the command line calls. Each returns a record or a small object.
"""

from maskwright.api.crossing import CrossValidated, cross_validate, resume_folds
from maskwright.api.exporting import export
from maskwright.api.knowing import familiarise
from maskwright.api.looking import Inspection, Watch, clean, diagnose, inspect, look
from maskwright.api.planning import plan
from maskwright.api.running import Run
from maskwright.api.sharing import hub_folder, pull, push
from maskwright.api.training import resume, train
from maskwright.api.trying import find_lr, overfit_one_batch, resume_tune, tune
from maskwright.api.using import ensemble, evaluate, load, predict, predict_files
from maskwright.evaluation.diagnosis import Diagnosis
from maskwright.exports import Certificate
from maskwright.inference.many import Written
from maskwright.recipes import build

__all__ = [
    "Certificate", "CrossValidated", "Diagnosis", "Inspection", "Run", "Watch", "Written", "build", "clean",
    "cross_validate", "diagnose", "ensemble", "evaluate", "export", "familiarise", "find_lr", "hub_folder", "inspect",
    "load", "look", "overfit_one_batch", "plan", "predict", "predict_files", "pull", "push", "resume", "resume_folds",
    "resume_tune", "train", "tune",
]  # fmt: skip
