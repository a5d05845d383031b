"""ART: deep-learning training as a sequence of small steps, each judged by checks, with the evidence kept.

The public names are imported when they are first used, so that `import art_training` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from art_training.diagnosis.diagnose import diagnose
    from art_training.engines.lightning.module import ArtModule
    from art_training.exported.model import load_model
    from art_training.probes.decorating import decorate
    from art_training.project import ArtProject
    from art_training.recipes import recipe
    from art_training.records import Metric, Outcome, Split, Verdict
    from art_training.setup.data.data import data
    from art_training.setup.scores.metrics import MetricCalculator
    from art_training.setup.setup import Setup
    from art_training.setup.task import Task, TaskKind
    from art_training.setup.torch_model import from_torch
    from art_training.setup.variant import Variant
    from art_training.standards import Standard, Waiver
    from art_training.steps.transfer.freezing import all_but_last
    from art_training.tuning import space

__version__ = "2.0.0"

_WHERE = {
    "ArtModule": "engines.lightning.module",
    "ArtProject": "project",
    "Metric": "records",
    "MetricCalculator": "setup.scores.metrics",
    "Outcome": "records",
    "Setup": "setup.setup",
    "Split": "records",
    "Standard": "standards",
    "Task": "setup.task",
    "TaskKind": "setup.task",
    "Variant": "setup.variant",
    "Verdict": "records",
    "Waiver": "standards",
    "all_but_last": "steps.transfer.freezing",
    "data": "setup.data.data",
    "decorate": "probes.decorating",
    "diagnose": "diagnosis.diagnose",
    "from_torch": "setup.torch_model",
    "load_model": "exported.model",
    "recipe": "recipes",
    "space": "tuning",
}

__all__ = [
    "ArtModule",
    "ArtProject",
    "Metric",
    "MetricCalculator",
    "Outcome",
    "Setup",
    "Split",
    "Standard",
    "Task",
    "TaskKind",
    "Variant",
    "Verdict",
    "Waiver",
    "__version__",
    "all_but_last",
    "data",
    "decorate",
    "diagnose",
    "from_torch",
    "load_model",
    "recipe",
    "space",
]


def __getattr__(name: str) -> Any:
    if name in {"lightning", "trackers"}:  # modules, for `art.lightning.HealthMonitor` and `art.trackers.WandbTracker`
        return import_module(f"{__name__}.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
