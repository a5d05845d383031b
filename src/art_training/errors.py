"""Every error that ART raises.

    ARTError
    ├── UsageError (ValueError)          something that the user declared does not hold; exit code 2
    │   ├── SetupError                   a setup: model, data, trainer, outputs
    │   │   ├── Misfit                   weights that a model shall begin with and that do not fit it
    │   │   ├── WrongModifier            a modifier that returned no module, or no data
    │   │   ├── Unpaired                 predictions and targets that would be compared each with every other
    │   │   └── Unfinished               beside what a step has done so far, from which the next run goes on
    │   ├── ProjectError                 a project: names, order, metrics, where it is looked for
    │   ├── CheckError                   a check: bounds, names
    │   └── UnknownMetric (KeyError)     a metric that the outcome does not have
    ├── StoreError (OSError)             the store cannot be opened, read or written
    │   ├── StoreTooNew                  it was written by a newer ART
    │   └── StoreCorrupt                 it is not a store, or is damaged
    ├── ProjectLocked (RuntimeError)     another process runs this project now
    ├── DiagnosisError (AssertionError)   a diagnosis that was asked to be healthy is not
    ├── TrainingStopped (RuntimeError)   a step could not finish its training; what was measured is kept
    │   ├── Interrupted                  by Ctrl-C
    │   └── OutOfMemory                  by the device or the machine
    └── MissingExtra (ImportError)       an optional dependency is not installed

Each message is one sentence with the value, the rule and the remedy.
"""

from typing import ClassVar

__all__ = [
    "ARTError",
    "CheckError",
    "DiagnosisError",
    "Interrupted",
    "Misfit",
    "MissingExtra",
    "OutOfMemory",
    "ProjectError",
    "ProjectLocked",
    "SetupError",
    "StoreCorrupt",
    "StoreError",
    "StoreTooNew",
    "TrainingStopped",
    "Unfinished",
    "UnknownMetric",
    "Unpaired",
    "UsageError",
    "WrongModifier",
]


class ARTError(Exception):
    """The root of every error that ART raises on purpose."""

    page: ClassVar[str] = ""
    """Of the documentation, that tells more, as `art docs` calls it; empty for none."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument; an ART message is a sentence and stays one.
        return str(self.args[0]) if self.args else ""


class UsageError(ARTError, ValueError):
    """Something that the user declared does not hold."""


class SetupError(UsageError):
    """A setup cannot be used as declared: its model, data, trainer or outputs."""


class Misfit(SetupError):
    """Weights that a model is to begin with do not fit it, as it is made with these hyper-parameters."""


class WrongModifier(SetupError):
    """A modifier of the model or of the data returned nothing, or nothing that can be one."""


class Unpaired(SetupError):
    """Predictions and targets have shapes that broadcast to a table of every prediction against every target."""

    page = "outputs"


class Unfinished(SetupError):
    """What keeps a step from its end lies beside what it has done so far, from which the next run goes on."""

    page = "resume"


class ProjectError(UsageError):
    """A project cannot be used as declared: its names, order or metrics, or it cannot be found."""


class CheckError(UsageError):
    """A check cannot be used as declared."""

    page = "checks"


class UnknownMetric(UsageError, KeyError):
    """A metric was asked for that the outcome does not have."""

    page = "scores"


class StoreError(ARTError, OSError):
    """The store cannot be opened, read or written."""

    page = "store"


class StoreTooNew(StoreError):
    """The store was written by a newer ART than this one."""


class StoreCorrupt(StoreError):
    """The file is not a store, or it is damaged."""


class ProjectLocked(ARTError, RuntimeError):
    """Another process runs this project at this moment."""


class TrainingStopped(ARTError, RuntimeError):
    """A step could not finish its training; what was measured until then is kept."""

    page = "resume"


class Interrupted(TrainingStopped):
    """The user stopped the training with Ctrl-C."""


class OutOfMemory(TrainingStopped):
    """The device or the machine had no memory left."""


class MissingExtra(ARTError, ImportError):
    """An optional dependency is not installed."""


class DiagnosisError(ARTError, AssertionError):
    """A diagnosis that was asked to be healthy is not; the message is its account."""
