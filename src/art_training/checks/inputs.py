"""Whether a model does better with its inputs than without them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from art_training.checks.check import Answer, Check, failed, not_judged, passed
from art_training.checks.evidence import Evidence
from art_training.checks.values import not_negative, number, settle, with_interval
from art_training.records import Interval, Outcome, Reading, Score

INPUTS = "inputs"
TARGETS = "targets"  # of a regression, where they are far from what fresh weights predict
INPUTS_GAIN = "inputs_gain."  # and what it is the gain of: `inputs_gain.loss`

_WAYS = frozenset({"zeroed", "shuffled"})  # that are named; others are functions
_LONGER = 4  # times as many steps


@dataclass(frozen=True)
class UsesInputs(Check):
    """The model does better with its inputs than the same model, trained the same way, without them, beyond doubt.

    It is asked of `EvaluateBaseline(inputs="zeroed")`, which leaves the paired difference by the loss and by the first
    metric. One of them is enough: a model that is too sure of itself may have the better accuracy and the worse loss, one
    that has just begun the better loss alone. The whole interval must lie above zero, and the p-value, adjusted for there
    being two, below the level.

    It must also do better than the dummy, where there is one. Without inputs a model learns the mean of its targets more
    slowly than with any inputs, wrong ones too; what only learned the mean sooner has learned nothing from its inputs,
    and is not judged.

    Attributes:
        level: below which the adjusted p-value must be.
    """

    level: float = 0.05

    def __post_init__(self) -> None:
        settle(self, level=not_negative("level", self.level))

    @property
    def title(self) -> str:
        """In words."""
        return "better with its inputs than without, beyond doubt"

    def judge(self, evidence: Evidence) -> Answer:
        """Look at each gain, its interval, its p-value and the dummy."""
        reading = evidence.outcome.reading(INPUTS)
        if reading is None:
            return not_judged(
                f"step {evidence.step} has not trained the model without its inputs; set EvaluateBaseline(inputs='zeroed')"
            )
        gains = _gains(evidence.outcome)
        if not isinstance(reading.value, Mapping) or not gains:
            return not_judged(f"what the inputs are worth is not known: {reading.note}")
        told = cast("Mapping[str, Any]", reading.value)
        rows = told.get("compared", {})
        compared = [_Compared(name, score, rows) for name, score in gains.items()]
        numbers = {name: score.value for name, score in gains.items()}
        sure = [one for one in compared if one.is_sure(self.level)]
        beyond = [one for one in sure if one.beats_dummy]
        if beyond:
            return passed(f"better with its inputs than without: {_told(beyond)}", **numbers)
        if sure:
            return not_judged(
                f"better with its inputs than without ({_told(sure)}), but not than the dummy, which knows of no inputs "
                f"either ({', '.join(one.beside_dummy for one in sure)}): it may only have learned the mean sooner; "
                f"{_unscaled(told)}{_longer(told)}",
                **numbers,
            )
        if not any(one.is_known for one in compared):
            return not_judged(
                f"whether it is better with its inputs than without cannot be said: {_told(compared)}; "
                f"{compared[0].score.note}; give a larger validation split, or do not ask: EvaluateBaseline(inputs=None)",
                **numbers,
            )
        return failed(
            f"not better with its inputs than without: {_told(compared)}; look whether inputs and targets belong "
            f"together, and whether the output depends on the inputs; or {_unscaled(told)}{_longer(told)}",
            **numbers,
        )


def _unscaled(told: Mapping[str, Any]) -> str:
    """What comes before all else where targets are far from what fresh weights predict: all steps go into getting there."""
    found = told.get(TARGETS)
    if not isinstance(found, Mapping):
        return ""
    far = cast("Mapping[str, float]", found)
    return (
        f"the targets have a mean of {number(far['mean'])} and a deviation of {number(far['deviation'])}, and fresh outputs are "
        "around 0 with about 1: standardise the targets with mean and deviation of the training split; else "
    )


def _longer(told: Mapping[str, Any]) -> str:
    """The remedy as it is to be written; `inputs_steps` alone would train nothing, nor would it past the Trainer's own end."""
    how, steps = told.get("how", "zeroed"), told.get("steps")
    hiding = repr(how) if how in _WAYS else str(how)
    if epochs := told.get("trainer_epochs"):
        return f"train longer: EvaluateBaseline(inputs={hiding}, trainer={{'max_epochs': {_LONGER * epochs}}})"
    longer = _LONGER * steps if isinstance(steps, int) and steps > 0 else "..."
    return f"train longer: EvaluateBaseline(inputs={hiding}, inputs_steps={longer})"


class _Compared:
    """A difference with what is needed to judge it."""

    def __init__(self, name: str, score: Score, rows: Mapping[str, Any]) -> None:
        self.name, self.score = name.removeprefix(INPUTS_GAIN), score
        found = rows.get(self.name)
        self._values: Mapping[str, Any] = cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}

    @property
    def is_known(self) -> bool:
        """Whether anything can be said of it; two models that are the same on every example have no interval."""
        return self.score.interval is not None or self._values.get("p_adjusted") is not None

    def is_sure(self, level: float) -> bool:
        """Whether it is above zero beyond doubt."""
        interval, p = self.score.interval, self._values.get("p_adjusted")
        return (
            self.score.value > 0
            and interval is not None
            and interval.low > 0
            and isinstance(p, int | float)
            and p < level
        )

    @property
    def beats_dummy(self) -> bool:
        """Whether the model with its inputs does better than the dummy; what is not known is no reproach."""
        beyond = self._values.get("beyond_dummy")
        return not isinstance(beyond, int | float) or beyond > 0

    @property
    def beside_dummy(self) -> str:
        """The two numbers."""
        return f"{self.name} {self._number('with')}, the dummy's {self._number('dummy')}"

    def __str__(self) -> str:
        """Both models, and their difference."""
        if self.score.interval is None and self.score.value == 0:
            return f"{self.name} is {self._number('with')} either way, the same on every example"
        return (
            f"{self.name} {self._number('with')} with and {self._number('without')} without, "
            f"gain {with_interval(self.score, apart_from=0)}"
        )

    def _number(self, name: str) -> str:
        value = self._values.get(name)
        return number(value) if isinstance(value, int | float) else "unknown"


def _gains(outcome: Outcome) -> dict[str, Score]:
    return {name: score for name, score in outcome.scores.items() if name.startswith(INPUTS_GAIN)}


def _told(compared: Sequence[_Compared]) -> str:
    return "; ".join(map(str, compared))


def _gain(value: float, low: float | None = None, p: float | None = 0.01, beyond_dummy: float | None = 0.3) -> Evidence:
    interval = None if low is None else Interval(low, 2 * abs(value) + 0.1)
    row = {"with": 0.9, "without": 0.9 - value, "dummy": 0.1, "p_adjusted": p, "beyond_dummy": beyond_dummy}
    note = "no interval: 12 examples are fewer than 30" if p is None else ""
    outcome = Outcome(
        scores={f"{INPUTS_GAIN}accuracy": Score(value, interval, note=note)},
        readings=(Reading(INPUTS, {"how": "zeroed", "compared": {"accuracy": row}}),),
    )
    return Evidence("EvaluateBaseline", outcome)


_UNKNOWN = Outcome(readings=(Reading(INPUTS, None, note="the target is the input itself"),))

UsesInputs.PASSES = (
    (UsesInputs(), _gain(0.8, 0.7)),
    (UsesInputs(), _gain(0.8, 0.7, beyond_dummy=None)),
    (UsesInputs(level=0.1), _gain(0.05, 0.01, 0.08)),
)
UsesInputs.FAILS = (
    (UsesInputs(), _gain(0.01, -0.02, 0.4)),
    (UsesInputs(), _gain(-0.3, -0.4)),
    (UsesInputs(), _gain(0.05, 0.01, 0.08)),
    (UsesInputs(), _gain(0.0, None, 1.0)),
    (UsesInputs(), _gain(math.nan, math.nan)),
)
UsesInputs.NOT_JUDGED = (
    (UsesInputs(), Evidence("EvaluateBaseline", Outcome())),
    (UsesInputs(), Evidence("EvaluateBaseline", _UNKNOWN)),
    (UsesInputs(), _gain(0.8, 0.7, beyond_dummy=-0.2)),
    (UsesInputs(), _gain(0.8, None, None)),
)
