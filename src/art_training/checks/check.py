"""The contract of a check, and how checks are asked."""

import dataclasses
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar, cast

from art_training.checks.evidence import Evidence
from art_training.checks.reference import MetricReference
from art_training.errors import ARTError, CheckError
from art_training.records import Foresight, Metric, Plain, Verdict, VerdictState, plain

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a check found out; `judge_all` makes the verdict of it.

    Attributes:
        state: passed, failed or not judged.
        reason: one sentence with the numbers.
        numbers: the numbers by name.
    """

    state: VerdictState
    reason: str
    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Check(ABC):
    """A question about evidence. Pure: the same evidence gets the same answer.

    A check is a frozen dataclass; its fields are its configuration, validated at construction.

    Attributes:
        asks: names of scores that it asks for beside those that its fields name, so that a step that will not have them is
            told before anything costs.
        PASSES: evidence that passes, each with the check that judges it; they are its tests.
        FAILS: evidence that fails, likewise.
        NOT_JUDGED: evidence that allows no answer, likewise; may be empty.
    """

    asks: ClassVar[tuple[str, ...]] = ()
    PASSES: ClassVar[Sequence[tuple["Check", Evidence]]] = ()
    FAILS: ClassVar[Sequence[tuple["Check", Evidence]]] = ()
    NOT_JUDGED: ClassVar[Sequence[tuple["Check", Evidence]]] = ()

    @abstractmethod
    def judge(self, evidence: Evidence) -> Answer:
        """Answer the question."""

    def foresee(self, before: Foresight) -> None:
        """Refuse to be asked, before anything runs, what no earlier step is going to have an answer to.

        Args:
            before: what the steps before the one that is judged are going to leave.

        Raises:
            CheckError: one sentence with the check, the step, and what there will be.
        """
        del before

    @property
    def title(self) -> str:
        """The question as a person reads it, e.g. `validation/accuracy > 0.9`."""
        return repr(self)

    @property
    def configuration(self) -> Mapping[str, Plain]:
        """The class and the fields as plain data. Two checks that read the same here ask the same question."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"check": type(self).__name__} | {
            name: str(value) if isinstance(value, Metric | MetricReference) else plain(value)
            for name, value in values.items()
        }

    def resolved(self, name_of: Callable[[Any], str]) -> Self:
        """The same check with every metric that was given as an object named by its address.

        Args:
            name_of: the name under which a project declares a metric object; raises where it does not.
        """
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        addresses = {
            name: Metric(name_of(value.metric), value.split)
            for name, value in values.items()
            if isinstance(value, MetricReference)
        }
        return dataclasses.replace(self, **addresses) if addresses else self


def passed(reason: str, **numbers: Any) -> Answer:
    """The check holds."""
    return Answer(VerdictState.PASSED, reason, numbers)


def failed(reason: str, **numbers: Any) -> Answer:
    """The check does not hold."""
    return Answer(VerdictState.FAILED, reason, numbers)


def not_judged(reason: str, **numbers: Any) -> Answer:
    """The evidence does not allow an answer."""
    return Answer(VerdictState.NOT_JUDGED, reason, numbers)


def judge(check: Check, evidence: Evidence) -> Verdict:
    """Ask one check. A check that raises is errored alone."""
    try:
        return _verdict(check, _read(check.judge(evidence)))
    except ARTError as error:  # an unknown metric and the like: the sentence says it all
        return _verdict(check, Answer(VerdictState.ERRORED, str(error)))
    except Exception as error:  # noqa: BLE001  A check is the user's code; whatever it raises is its own result.
        reason = f"the check raised {type(error).__name__}: {error}"
        return _verdict(check, Answer(VerdictState.ERRORED, reason), traceback.format_exc())


def judge_all(checks: Iterable[Check], evidence: Evidence) -> tuple[Verdict, ...]:
    """Ask every check, whatever the others answer."""
    return tuple(judge(check, evidence) for check in checks)


def _read(answer: Any) -> Answer:
    """What a check answered, if it is an answer that can be kept.

    Raises:
        CheckError: it is none.
    """
    if not isinstance(answer, Answer) or not isinstance(cast("Any", answer.reason), str):
        raise CheckError(f"its judge() answered {answer!r}; return passed('why'), failed('why') or not_judged('why')")
    return answer


def _verdict(check: Check, answer: Answer, trace: str = "") -> Verdict:
    return Verdict(
        check=str(_of_users(lambda: check.title, type(check).__name__)),
        state=answer.state,
        reason=answer.reason,
        numbers={name: plain(number) for name, number in answer.numbers.items()},
        configuration=_of_users(lambda: check.configuration, {}),
        traceback=trace,
    )


def _of_users(read: Callable[[], T], otherwise: T) -> T:
    """What a check says of itself; its class is the user's, and what it raises here must not hide the verdict."""
    try:
        return read()
    except Exception:  # noqa: BLE001  Whatever it is.
        return otherwise
