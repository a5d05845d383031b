"""Where rules get their readings: each is measured when first asked for, once, and everybody is told the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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

    def lay_open(self, specimen: Specimen | None) -> None:
        """Give the specimen that probes are asked of; None: it is gone."""
        self._specimen = specimen

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
        with self._specimen.kept():
            try:
                return probe(self._specimen)
            except NotMeasured:
                raise
            except Exception as error:  # the user's code, in a situation that it was not written for
                raise NotMeasured(f"the experiment raised {type(error).__name__}: {error}") from error
