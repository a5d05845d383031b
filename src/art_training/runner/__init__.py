"""Runs a project: plan, recall or execute, record, judge, announce."""

from art_training.runner.declared import Declared, Listener
from art_training.runner.flow import make_plan, run_project
from art_training.runner.planning import Wish
from art_training.runner.result import ProjectResult, StepResult

__all__ = ["Declared", "Listener", "ProjectResult", "StepResult", "Wish", "make_plan", "run_project"]
