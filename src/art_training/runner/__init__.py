"""Runs a project: plan, recall or execute, record, judge, announce.

Imported lazily: views that only word what was run do without what runs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from art_training.runner.declared import Declared, Listener
    from art_training.runner.flow import make_plan, run_project
    from art_training.runner.planning import Wish
    from art_training.runner.result import ProjectResult, StepResult

__all__ = ["Declared", "Listener", "ProjectResult", "StepResult", "Wish", "make_plan", "run_project"]

_WHERE = {
    "Declared": "declared",
    "Listener": "declared",
    "ProjectResult": "result",
    "StepResult": "result",
    "Wish": "planning",
    "make_plan": "flow",
    "run_project": "flow",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
