"""What is said of the loss at initialisation: which value was to be expected, and what to do where it is another."""

import math
from dataclasses import dataclass, replace
from typing import Any

from art_training.checks.losses import CHANCE, EXPECTED, PRETRAINED, REMEDY, RESPONSE
from art_training.records import Reading, Score
from art_training.setup.scores.expectation import Expected
from art_training.setup.scores.expected_loss import OF_ERRORS, OF_VALUES
from art_training.setup.task import Task
from art_training.steps.final_bias import FinalBias

UNIFORM = "uniform_loss"
ZERO = "zero_loss"
PRIOR = "prior_loss"
BIASED = "loss_with_final_bias"
FINAL_BIAS = "final bias"

_EXACT = 0.01
_AT_ONCE = 0.1  # so much more than knowing nothing costs is usual of fresh weights
_CLOSE = 1.5  # a loss of less than this times another is told apart from it by no remedy
_MOST_BIASES = 1_000  # outputs whose bias is worth writing down
_UNEVEN = "fresh predictions are far from even: standardise the inputs, or make the initial weights of the final layer smaller"
_WORDS = {
    UNIFORM: "uniform predictions",
    ZERO: "an output of zero",
    PRIOR: "the label prior",
}


@dataclass(frozen=True)
class InitialLoss:
    """The loss of fresh weights beside what theory says.

    Attributes:
        task: what is learned.
        measured: the loss over the training split; None where the step has none.
        expected: what theory says.
        biased: what was measured with the final bias at the prior; None where that bias was not found.
        chance: the part of the loss that is due to how the fresh outputs happen to lie; None where that is not known.
        pretrained: what the weights learned before, as the user declares it; empty where they are fresh.
        draws: losses of several draws of fresh weights, this one's first; empty where only one was made.
        response: by how many per cent the step's loss changes where what it is made of changes by one.
    """

    task: Task
    measured: Score | None
    expected: Expected
    biased: FinalBias | None = None
    chance: float | None = None
    pretrained: str = ""
    draws: tuple[float, ...] = ()
    response: float = 1.0

    def scores(self) -> dict[str, Score]:
        """Theory's values, which of them is expected, and the loss with the final bias set, by address."""
        source = "from the loss function and the labels of the training split"
        scores = {name: Score(value, direction="minimize", source=source) for name, value in self._known.items()}
        if (name := self._compared) is not None:
            others = [f"the {other} is {score.value:.4g}" for other, score in scores.items() if other != name]
            scores[EXPECTED] = replace(scores[name], note="; ".join([f"it is the {name}", *others]))
        if self.biased is not None:
            note = "; ".join(part for part in (f"{self.biased.name} set to the prior", self.biased.loss.note) if part)
            scores[f"train/{BIASED}"] = replace(self.biased.loss, note=note)
        return scores

    def readings(self) -> list[Reading]:
        """What else a reader should know."""
        if self.measured is None:
            return [Reading(EXPECTED, None, note="the step has no loss")]
        readings: list[Reading] = []
        if self._compared is None:
            readings.append(Reading(EXPECTED, None, note=self.expected.reason_if_none))
        elif self.expected.reason_if_none:
            readings.append(Reading("theory", None, note=self.expected.reason_if_none))
        if self.pretrained:
            readings.append(
                Reading(PRETRAINED, self.pretrained, note="declared; so the expected loss is an upper bound")
            )
        if self.expected.bias:
            readings.append(self._final_bias())
        if self.chance is not None:
            note = "of the loss is due to how the fresh outputs lie along the targets"
            if self.draws:
                note += (
                    f"; {len(self.draws)} draws of fresh weights lose {', '.join(f'{one:.4g}' for one in self.draws)}"
                )
            readings.append(Reading(CHANCE, self.chance, note=note))
        if abs(self.response - 1) > _EXACT:
            note = f"times as much as {self.task.loss}, which the step makes it of, the loss is off"
            readings.append(Reading(RESPONSE, round(self.response, 3), note=note))
        if remedy := self._remedy():
            readings.append(Reading(REMEDY, remedy))
        if self.task.classes and self.measured.value > 0 and self.task.activation == "softmax":
            readings.append(Reading("loss in units of ln(classes)", self.measured.value / math.log(self.task.classes)))
        return readings

    def summary(self) -> str:
        """One sentence."""
        if self.measured is None:
            return "the step has no loss"
        said = f"loss {self.measured.value:.4g} at initialisation"
        if self.pretrained:
            said += f" from weights that are pretrained ({self.pretrained})"
        name = self._compared
        if name is None:
            return f"{said}; what it should be is not known: {self.expected.reason_if_none}"
        most = "at most " if self.pretrained else ""
        return f"{said}, {most}{self._known[name]:.4g} expected of {self._called(name)}"

    @property
    def _known(self) -> dict[str, float]:
        ignorant = ZERO if self.task.loss in OF_VALUES else UNIFORM
        values = {ignorant: self.expected.uniform, PRIOR: self.expected.prior}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def _compared(self) -> str | None:
        """Which of theory's values a fresh model should have; a final bias that holds the label prior is as good as none.

        An output of zero is no lack of knowledge: how wrong it is depends on where the targets' zero lies. Pretrained
        weights may know anything, but no less than nothing.
        """
        known = self._known
        if self.measured is None or self.expected.uniform is None:
            return None  # whether a model begins at the prior alone is its author's choice, not theory
        if self.task.loss in OF_ERRORS:
            return PRIOR if PRIOR in known else None
        if self.pretrained:
            return max(known, key=known.__getitem__)
        measured = self.measured.value - (self.chance or 0.0)
        return min(known, key=lambda name: abs(known[name] - measured) if math.isfinite(measured) else 0.0)

    def _called(self, name: str) -> str:
        return "the best constant" if name == PRIOR and self.task.loss in OF_VALUES else _WORDS[name]

    def _final_bias(self) -> Reading:
        assert self.measured is not None
        bias = self.expected.bias if self.biased is None else self.biased.values
        shown: Any = [round(one, 6) + 0.0 for one in bias] if len(bias) <= _MOST_BIASES else f"{len(bias)} values"
        begins = f", where the model begins at {self.measured.value:.4g}"
        if self.biased is None:
            prior = self.expected.prior
            gain = "" if prior is None else f" and gives a loss of {prior:.4g}{begins}"
            note = f"predicts {self._called(PRIOR)}{gain}; computed, because no parameter was seen to be this bias"
        else:
            best = "" if self.expected.prior is None else f" ({self.expected.prior:.4g} of {self._called(PRIOR)})"
            note = f"of {self.biased.name}; measured: it gives a loss of {self.biased.loss.value:.4g}{best}{begins}"
        return Reading(FINAL_BIAS, shown, note=note)

    def _remedy(self) -> str:
        """What to do about a loss that is too high, if its cause is known."""
        assert self.measured is not None
        zero, prior, measured = self.expected.uniform, self.expected.prior, self.measured.value - (self.chance or 0.0)
        if self._compared is None:
            return ""
        if self.task.loss not in OF_VALUES:
            usual = 1 + _AT_ONCE * max(1.0, self.response)
            return _UNEVEN if measured > usual * max(self._known.values()) else ""
        if self.task.loss not in OF_ERRORS or zero is None or prior is None or not measured > _CLOSE * prior:
            return ""
        if zero > _CLOSE * prior and measured < _CLOSE * zero:
            bias = self.expected.bias if self.biased is None else self.biased.values
            one = len(bias) == 1
            start = f"{bias[0]:.4g}" if one else f"what the reading `{FINAL_BIAS}` says, one number an output,"
            return f"start the final bias at {start} (or standardise the targets)"
        return "standardise the inputs and the targets, or make the initial weights of the final layer smaller"
