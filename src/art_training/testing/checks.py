"""What every check must keep to: a suite for those who write one.

    class TestMyCheck(CheckContract):
        check = MyCheck

A check brings its examples with it (`PASSES`, `FAILS`, `NOT_JUDGED`); the suite judges them.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from art_training.checks.check import Check, judge
from art_training.checks.evidence import Evidence
from art_training.records import Curve, Outcome, Score, Verdict, VerdictState

Examples = Sequence[tuple[Check, Evidence]]


class CheckContract:
    """A pytest class to inherit from.

    Attributes:
        check: the class under test.
        nan_may_pass: a check that is not about numbers may pass where every number is NaN.
    """

    check: ClassVar[type[Check]]
    nan_may_pass: ClassVar[bool] = False

    def test_it_is_a_dataclass_itself(self) -> None:
        """Else its own fields are no configuration. Python sees to it that it is frozen, as `Check` is."""
        assert "__dataclass_fields__" in vars(self.check), f"declare {self.check.__name__} with @dataclass(frozen=True)"

    def test_it_brings_examples_of_itself(self) -> None:
        """At least one that passes and one that fails."""
        assert self.check.PASSES, f"{self.check.__name__}.PASSES is empty"
        assert self.check.FAILS, f"{self.check.__name__}.FAILS is empty"
        assert all(isinstance(check, self.check) for check, _ in self._examples())

    def test_its_examples_get_the_answers_that_they_promise(self) -> None:
        """They are the check's own tests."""
        self._expect(self.check.PASSES, VerdictState.PASSED)
        self._expect(self.check.FAILS, VerdictState.FAILED)
        self._expect(self.check.NOT_JUDGED, VerdictState.NOT_JUDGED)

    def test_the_same_evidence_gets_the_same_verdict(self) -> None:
        """A check keeps nothing between two questions."""
        for check, evidence in self._examples():
            first, second = judge(check, evidence), judge(check, evidence)
            assert _said(first) == _said(second)

    def test_it_reads_as_one_line_and_gives_a_reason(self) -> None:
        """Titles and reasons are shown in tables."""
        for check, evidence in self._examples():
            verdict = judge(check, evidence)
            assert verdict.check, f"{check!r} has no title"
            assert "\n" not in verdict.check
            assert verdict.reason, f"{check!r} gives no reason"
            assert "\n" not in verdict.reason

    def test_what_it_keeps_is_plain_data(self) -> None:
        """A verdict is written into a store."""
        for check, evidence in self._examples():
            verdict = judge(check, evidence)
            json.dumps([dict(verdict.numbers), dict(verdict.configuration)])

    def test_equal_checks_have_one_hash_and_one_configuration(self) -> None:
        """A copy asks the same question."""
        for check, _ in self._examples():
            copy = dataclasses.replace(check)
            assert copy == check
            assert hash(copy) == hash(check)
            assert copy.configuration == check.configuration
            assert copy.title == check.title

    def test_nan_never_passes(self) -> None:
        """What passed with numbers does not pass without."""
        if self.nan_may_pass:
            return
        for check, evidence in self.check.PASSES:
            spoiled = dataclasses.replace(evidence, outcome=_without_numbers(evidence.outcome))
            assert judge(check, spoiled).state is not VerdictState.PASSED, f"{check.title} passes NaN"

    def _examples(self) -> Examples:
        return (*self.check.PASSES, *self.check.FAILS, *self.check.NOT_JUDGED)

    def _expect(self, examples: Examples, state: VerdictState) -> None:
        for check, evidence in examples:
            verdict = judge(check, evidence)
            assert verdict.state is state, f"{check.title}: {verdict.state}, not {state}: {verdict.reason}"


def _said(verdict: Verdict) -> str:
    return repr((verdict.check, verdict.state, verdict.reason, sorted(verdict.numbers.items())))


def _without_numbers(outcome: Outcome) -> Outcome:
    curves = {
        name: Curve(curve.steps, tuple(math.nan for _ in curve.values), curve.epochs)
        for name, curve in outcome.curves.items()
    }
    candidates = tuple(dataclasses.replace(one, scores=_spoiled(one.scores)) for one in outcome.candidates)
    return dataclasses.replace(outcome, scores=_spoiled(outcome.scores), curves=curves, candidates=candidates)


def _spoiled(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {name: dataclasses.replace(score, value=math.nan) for name, score in scores.items()}
