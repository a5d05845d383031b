"""Where rules get their readings: each is measured when first asked for, once, and everybody is told the same."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from art_training.probes import Rows, Specimen
from art_training.records import Split
from art_training.setup.called import Called
from art_training.setup.frames import raised
from art_training.setup.task import Task, TaskKind

T = TypeVar("T")


class NotMeasured(Exception):
    """A reading that a rule needs cannot be had; the message is the reason, one sentence without a full stop."""


class NotApplicable(NotMeasured):
    """A rule does not concern a setup; the message says what the setup does not have, or what was declared."""


def lacking(rows: Rows, said: str) -> NotMeasured:
    """What to raise where a split is not there: whether it exists is not known where not all could be read."""
    return NotMeasured(rows.unread) if rows.unread else NotApplicable(said)


@dataclass
class Laboratory:
    """What is known of a setup so far.

    Attributes:
        declarations: what the user declared.
        called: how the user calls the parts of the model.
        task: what the setup is for; None where it could not be told.
    """

    declarations: Mapping[str, Any] = field(default_factory=dict[str, Any])
    called: Called = field(default_factory=Called)
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
        return self.once(probe, lambda: self._experiment(probe))

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

    def task_of(self, *kinds: TaskKind) -> Task:
        """What the setup is for, where it is one of these.

        Raises:
            NotMeasured: it could not be told.
            NotApplicable: it is something else.
        """
        if self.task is None:
            raise self._unknown.get(Task, NotMeasured("what the setup is for could not be told"))
        if self.task.kind not in kinds:
            raise NotApplicable(f"it is about {' and '.join(kinds)}, and the task is {self.task.kind}")
        return self.task

    def settled(self, *names: str) -> None:
        """Go on only where no declaration settles the question.

        Raises:
            NotApplicable: one of these is declared.
        """
        for name in names:
            declared = self.declarations.get(name)
            if declared is not None and declared is not False:
                raise NotApplicable(f"{name} is declared")

    def declared(self, *names: str) -> tuple[str, ...]:
        """The parts of the model that these declarations list: names and patterns, as the user wrote them."""
        listed = (self.declarations.get(name) for name in names)
        return tuple(part for one in listed if isinstance(one, list | tuple) for part in cast("tuple[str, ...]", one))

    def names(self, part: str, *declarations: str) -> bool:
        """Whether one of these declarations names a parameter or a module, or something that it lies in."""
        return self.called.means(self.declared(*declarations), part)

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

    def give_up(self, kind: type[Any], reason: str, *, applies: bool = True) -> None:
        """Say why the reading of this kind cannot be had, or that the setup has nothing that could be read."""
        self._unknown[kind] = NotMeasured(reason) if applies else NotApplicable(reason)

    def once(self, key: Any, measure: Callable[[], T]) -> T:
        """What is worked out of other readings, when it is first asked for; by a key that is nobody else's.

        Raises:
            NotMeasured: as `measure` did.
        """
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
            raise NotMeasured("no training could begin")
        self._until = (time.thread_time() + self._ends) / 2
        try:
            return self._specimen.once(probe)
        except NotMeasured:
            raise
        except (Exception, SystemExit) as error:  # the user's code, in a situation that it was not written for
            raise NotMeasured(f"the experiment raised {raised(error)}") from error

    def _paced(self, step: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
        """The step, as long as there is time for it."""

        def paced(batch: Any, index: int) -> Any:
            if time.thread_time() > self._until:
                raise NotMeasured("its experiment takes longer than the budget leaves for it")
            return step(batch, index)

        return paced


def require_validation(laboratory: Laboratory) -> None:
    """Go on only where there is a validation split.

    Raises:
        NotApplicable: there is none.
        NotMeasured: it could not be read.
    """
    rows = laboratory.get(Rows)
    if Split.VALIDATION not in rows.splits:
        raise lacking(rows, "there is no validation split")
