"""Where rules get their readings: each is measured when first asked for, once, and everybody is told the same."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from art_training.probes import Specimen
from art_training.setup.task import Task

T = TypeVar("T")


class NotMeasured(Exception):
    """A reading that a rule needs cannot be had; the message is the reason, one sentence without a full stop."""


@dataclass
class Laboratory:
    """What is known of a setup so far.

    Attributes:
        declarations: what the user declared.
        task: what the setup is for; None where it could not be told.
    """

    declarations: Mapping[str, Any] = field(default_factory=dict[str, Any])
    task: Task | None = None
    _specimen: Specimen | None = None
    _known: dict[Any, Any] = field(default_factory=dict[Any, Any])
    _unknown: dict[Any, NotMeasured] = field(default_factory=dict[Any, NotMeasured])
    _ends: float = math.inf  # for all experiments, by the clock of this thread
    _until: float = math.inf  # for the one that is made

    def ask(self, probe: Callable[[Specimen], T]) -> T:
        """What a probe measures on the specimen, which is afterwards as it was.

        Raises:
            NotMeasured: there is no specimen, or the probe could not measure.
        """
        return self._once(probe, lambda: self._experiment(probe))

    def get(self, kind: type[T]) -> T:
        """The reading of this kind that was laid down: of the data, of a monitor that watched, of an evaluation.

        Raises:
            NotMeasured: there is none.
        """
        if kind in self._unknown:
            raise self._unknown[kind]
        if kind not in self._known:
            raise NotMeasured(f"{kind.__name__} was not measured")
        return cast("T", self._known[kind])

    def lay_open(self, specimen: Specimen | None, *, seconds: float = math.inf) -> None:
        """Give the specimen that probes are asked of; None: it is gone.

        Args:
            specimen: that they experiment on.
            seconds: of the processor that all of them may take, so that what else a machine does changes no answer. Each may
                take half of what is left; one that wants more could not measure.
        """
        self._ends = time.thread_time() + seconds
        self._specimen = None if specimen is None else replace(specimen, step=self._paced(specimen.step))

    def lay_down(self, reading: Any) -> None:
        """Keep a reading, of which there is one of its kind."""
        self._known[type(reading)] = reading

    def give_up(self, kind: type[Any], reason: str) -> None:
        """Say why the reading of this kind cannot be had."""
        self._unknown[kind] = NotMeasured(reason)

    def _once(self, key: Any, measure: Callable[[], T]) -> T:
        if key in self._unknown:
            raise self._unknown[key]
        if key not in self._known:
            try:
                self._known[key] = measure()
            except NotMeasured as reason:
                self._unknown[key] = reason
                raise
        return cast("T", self._known[key])

    def _experiment(self, probe: Callable[[Specimen], T]) -> T:
        if self._specimen is None:
            raise NotMeasured("the model could not be made")
        self._until = (time.thread_time() + self._ends) / 2
        with self._specimen.kept():
            try:
                return probe(self._specimen)
            except NotMeasured:
                raise
            except Exception as error:  # the user's code, in a situation that it was not written for
                raise NotMeasured(f"the experiment raised {type(error).__name__}: {error}") from error

    def _paced(self, step: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
        """The step, as long as there is time for it."""

        def paced(batch: Any, index: int) -> Any:
            if time.thread_time() > self._until:
                raise NotMeasured("its experiment takes longer than the budget leaves for it")
            return step(batch, index)

        return paced
