import math
from dataclasses import FrozenInstanceError, dataclass

import pytest

from art_training.checks import Answer, Below, Check, Evidence, NoNaN, judge, judge_all, passed
from art_training.records import Outcome, Score, StepState, VerdictState, state_of
from art_training.testing.checks import CheckContract

EVIDENCE = Evidence("Overfit", Outcome(scores={"train/loss": Score(0.5)}))


@dataclass(frozen=True)
class Raises(Check):
    def judge(self, evidence: Evidence) -> Answer:
        raise ZeroDivisionError("by hand")


@dataclass(frozen=True)
class KeepsAnObject(Check):
    thing: object = None

    def judge(self, evidence: Evidence) -> Answer:
        return passed("fine", thing=self.thing, value=math.nan)


def test_every_check_is_asked_whatever_the_others_answer():
    verdicts = judge_all([Below("train/loss", 0.1), Raises(), Below("nothing", 1), NoNaN()], EVIDENCE)
    assert [verdict.state.value for verdict in verdicts] == ["failed", "errored", "errored", "passed"]
    assert state_of(verdicts) is StepState.ERRORED


def test_a_check_that_raises_is_errored_with_its_traceback_and_a_missing_metric_without():
    raised, missing = judge_all([Raises(), Below("nothing", 1)], EVIDENCE)
    assert raised.reason == "the check raised ZeroDivisionError: by hand"
    assert "in judge" in raised.traceback
    assert missing.reason == "no metric 'nothing' in this outcome; it has: train/loss"
    assert missing.traceback == ""


def test_a_check_that_forgets_its_answer_or_its_title_is_errored_alone():
    @dataclass(frozen=True)
    class Forgets(Check):
        answer: object = None

        def judge(self, evidence: Evidence) -> Answer:
            return self.answer  # type: ignore[return-value]

    @dataclass(frozen=True)
    class Nameless(Raises):
        @property
        def title(self) -> str:
            raise LookupError

    verdicts = judge_all([Forgets(), Forgets(True), Forgets(passed(3)), Nameless(), NoNaN()], EVIDENCE)  # type: ignore[arg-type]
    assert [verdict.state.value for verdict in verdicts] == ["errored"] * 4 + ["passed"]
    assert verdicts[0].reason == "its judge() answered None; return passed('why'), failed('why') or not_judged('why')"
    assert verdicts[3].check == "Nameless"


def test_what_is_no_plain_data_is_kept_as_its_repr_without_its_address():
    verdict = judge(KeepsAnObject(thing=object()), EVIDENCE)
    assert verdict.configuration["thing"] == {"__repr__": "<object object>", "__type__": "builtins.object"}
    assert verdict.numbers["thing"] == verdict.configuration["thing"]


def test_a_changed_limit_is_another_configuration():
    assert Below("train/loss", 0.1).configuration != Below("train/loss", 0.2).configuration
    assert Below("train/loss", 0.1).configuration == Below("train/loss", 0.1).configuration


def test_a_check_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Below("train/loss", 0.1).limit = 0.2  # type: ignore[misc]


def test_the_contract_finds_what_a_careless_check_gets_wrong():
    @dataclass(frozen=True)
    class PassesNaN(Check):
        def judge(self, evidence: Evidence) -> Answer:
            value = evidence.score("train/loss").value
            return Answer(VerdictState.FAILED if value > 1 else VerdictState.PASSED, "it is")

    PassesNaN.PASSES = ((PassesNaN(), EVIDENCE),)

    class Contract(CheckContract):
        check = PassesNaN

    with pytest.raises(AssertionError, match="passes NaN"):
        Contract().test_nan_never_passes()
    with pytest.raises(AssertionError, match="FAILS is empty"):
        Contract().test_it_brings_examples_of_itself()


def test_the_contract_finds_a_check_whose_fields_are_no_configuration():
    class Undeclared(NoNaN):
        limit: float = 0.1

    class Contract(CheckContract):
        check = Undeclared

    with pytest.raises(AssertionError, match="declare Undeclared with @dataclass"):
        Contract().test_it_is_a_dataclass_itself()
