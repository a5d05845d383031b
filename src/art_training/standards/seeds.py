"""Requirements about repetition: how many seeds a result rests on, and whether a training can be done again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from art_training.records.counted import counted
from art_training.standards.record import Record, StepRecord
from art_training.standards.requirement import Answer, Requirement, met, not_met
from art_training.standards.steps import nothing_ran, require_count

# What steps of ART say of their seeds: of their outcomes, then of what they were declared with.
_OUTCOME = ("seeds",)
_DECLARED = ("step.seeds", "step.seeds_for_winner")
_ENSEMBLE, _OF = "step.ensemble", "step.of"
_DIFFERING = "differing_tensors"


@dataclass(frozen=True)
class Seeds(Requirement):
    """A step trained one setup under so many seeds, so that it is known how much another training would differ.

    `Regularize(seeds=)`, `Tune(seeds_for_winner=)` and `Squeeze(ensemble=)` do; a step of your own says it with the parameter
    `seeds` of its outcome, a whole number. The most that any step says counts.

    Attributes:
        at_least: seeds.
    """

    at_least: int = 3

    def __post_init__(self) -> None:
        require_count("at_least", self.at_least)

    def judge(self, record: Record) -> Answer:
        """Count the seeds of each step."""
        if (nothing := nothing_ran(record)) is not None:
            return nothing
        found = {one.step: seeds_of(one) for one in record.steps}
        step = max(found, key=lambda name: found[name])
        if found[step] == 0:
            return not_met(
                f"no step trained one setup under several seeds, {self.at_least} or more are asked for", seeds=1
            )
        said = f"{step} trained under {counted(found[step], 'seed')}"
        if found[step] >= self.at_least:
            return met(said, seeds=found[step], at_least=self.at_least)
        return not_met(f"{said}, not {self.at_least} or more", seeds=found[step], at_least=self.at_least)


@dataclass(frozen=True)
class Repeatable(Requirement):
    """A step trained twice or more with one seed and ended with bit-identical weights: `OverfitOneBatch(repeats=2)`."""

    def judge(self, record: Record) -> Answer:
        """Look for steps that repeated themselves."""
        if (nothing := nothing_ran(record)) is not None:
            return nothing
        scored = {
            one.step: one.outcome.scores[_DIFFERING].value for one in record.steps if _repeated(one) and one.outcome
        }
        if not scored:
            return not_met("no step trained again with the same seed; OverfitOneBatch(repeats=2) does")
        step, worst = max(scored.items(), key=lambda one: one[1])
        if worst == 0:
            return met(f"{', '.join(scored)} trained again and left the same weights, bit by bit", differing=worst)
        return not_met(f"{step} trained again and left {counted(int(worst), 'tensor')} otherwise", differing=worst)


def seeds_of(step: StepRecord) -> int:
    """Under how many seeds a step trained one setup; 0 where it says nothing of it."""
    if step.outcome is None:
        return 0
    ensemble = step.declared.get(_ENSEMBLE) if not step.declared.get(_OF) else None
    told = [*_numbers(step.outcome.parameters, _OUTCOME), *_numbers(step.declared, _DECLARED), *_whole(ensemble)]
    return max(told, default=0)


def _numbers(values: Mapping[str, Any], names: tuple[str, ...]) -> list[int]:
    return [number for name in names for number in _whole(values.get(name))]


def _whole(value: object) -> list[int]:
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


def _repeated(step: StepRecord) -> bool:
    return step.outcome is not None and _DIFFERING in step.outcome.scores
