"""For people with a Trainer of their own: callbacks.

    from art_training.lightning import HealthMonitor

    trainer = Trainer(callbacks=[HealthMonitor()])

They are callbacks of `lightning`, or of `pytorch_lightning` where that is what has been imported; a Trainer of either takes
both.
"""

import sys
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from art_training.engines.lightning.hierarchy import LIGHTNING, PYTORCH_LIGHTNING, Hierarchy
from art_training.engines.lightning.watching import Watching
from art_training.errors import DiagnosisError, SetupError
from art_training.probes.health import Health
from art_training.records import Finding
from art_training.rules.watched import EVERY, judged

__all__ = ["HealthMonitor"]


class _HealthMonitor(Watching):
    """Watches a training for losses, gradients and weights that are no finite numbers, and warns as soon as it sees one.

    Every loss is looked at, and the gradients of the first few optimiser steps and of one in `every`; nothing of the training
    is changed. What it found is in `findings`, each with its evidence and its remedy, and with a code that `art explain`
    explains. Gradients are those that the optimiser is about to use, also with manual optimisation.
    """

    def __init__(self, *, every: int = EVERY, raise_for_findings: bool = False) -> None:
        """Watch.

        Args:
            every: of so many optimiser steps the gradients of one are looked at.
            raise_for_findings: end the training with a `DiagnosisError` instead of a warning.

        Raises:
            SetupError: `every` is no whole number above 0.
        """
        given: Any = every
        if not isinstance(given, int) or isinstance(given, bool) or given < 1:
            raise SetupError(f"every={given!r} must be a whole number of optimiser steps of at least 1")
        self._health = Health(every=every)
        self._raises = raise_for_findings
        self._told: set[str] = set()
        super().__init__((self._health,))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, causes only."""
        return judged((self._health,))[1]

    @property
    def healthy(self) -> bool:
        """Whether nothing was found so far."""
        return not self.findings

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Training begins, maybe another one than the last."""
        if self._health.ended_well:
            self._health = Health(every=self._health.every)
            self._told.clear()
            self.watch((self._health,))
        super().on_train_start(trainer, module)

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """A batch is done."""
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)
        if self._health.loss is not None and not self._told:
            self._say(trainer)

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """An epoch is done."""
        super().on_train_epoch_end(trainer, module)
        self._say(trainer)

    def teardown(self, trainer: Any, module: Any, stage: str) -> None:
        """Training is done."""
        super().teardown(trainer, module, stage)
        if stage == "fit":
            self._say(trainer)

    def _say(self, trainer: Any) -> None:
        """Tell what is new."""
        if self._health.failure:
            return
        new = [one for one in self.findings if one.code not in self._told]
        self._told.update(one.code for one in new)
        for one in new:
            text = f"{one.code}: {one.message}; {one.remedy} (`art explain {one.code}`)"
            if self._raises:
                raise DiagnosisError(text)
            if trainer.is_global_zero:
                warnings.warn(text, stacklevel=2)


if TYPE_CHECKING:
    HealthMonitor = _HealthMonitor


def __getattr__(name: str) -> Any:
    if name != "HealthMonitor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = _hierarchy().derive(_HealthMonitor, "Callback")
    globals()[name] = made
    return made


def _hierarchy() -> Hierarchy:
    """What has been imported, else what is installed."""
    for one in (LIGHTNING, PYTORCH_LIGHTNING):
        if one.package in sys.modules:
            return one
    return LIGHTNING if find_spec("lightning") is not None else PYTORCH_LIGHTNING
