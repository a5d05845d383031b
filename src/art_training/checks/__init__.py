"""Checks ask whether an outcome is right. They are pure and see one thing: the evidence."""

from art_training.checks.against import KeepsUpWithBaseline
from art_training.checks.baseline import BeatsBaseline
from art_training.checks.bounds import Above, Below, Between, CloseTo, Equals, Exists, ScoreCheck
from art_training.checks.capacity import CapacityHelps
from art_training.checks.check import Answer, Check, failed, judge, judge_all, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.export import ExportAgrees
from art_training.checks.finite import NoNaN
from art_training.checks.function import FunctionCheck, check
from art_training.checks.gap import GeneralizationGap
from art_training.checks.healthy import Healthy
from art_training.checks.improves import Improves
from art_training.checks.inputs import UsesInputs
from art_training.checks.losses import LossDecreases, LossIsTheoretical
from art_training.checks.reference import MetricLike, MetricReference
from art_training.checks.unchanged import Changed, Unchanged

__all__ = [
    "Above",
    "Answer",
    "BeatsBaseline",
    "Below",
    "Between",
    "CapacityHelps",
    "Changed",
    "Check",
    "CloseTo",
    "Equals",
    "Evidence",
    "Exists",
    "ExportAgrees",
    "FunctionCheck",
    "GeneralizationGap",
    "Healthy",
    "Improves",
    "KeepsUpWithBaseline",
    "LossDecreases",
    "LossIsTheoretical",
    "MetricLike",
    "MetricReference",
    "NoNaN",
    "ScoreCheck",
    "Unchanged",
    "UsesInputs",
    "check",
    "failed",
    "judge",
    "judge_all",
    "not_judged",
    "passed",
]
