"""Engines turn a job into a result. Lightning is the first; the contract admits others."""

from art_training.engines.engine import (
    Engine,
    EvaluateJob,
    EvaluateResult,
    FitJob,
    FitResult,
    Position,
    Stopped,
    Watch,
)
from art_training.engines.experiment import ExperimentJob
from art_training.engines.shaping import Averaging, Change, Look, Parameter, Parts, Teacher, Teaching

__all__ = [
    "Averaging",
    "Change",
    "Engine",
    "EvaluateJob",
    "EvaluateResult",
    "ExperimentJob",
    "FitJob",
    "FitResult",
    "Look",
    "Parameter",
    "Parts",
    "Position",
    "Stopped",
    "Teacher",
    "Teaching",
    "Watch",
]
