import os
import subprocess
import sys

import numpy as np
import pytest

from art_training.checks import Answer, Check, Evidence, check, judge, passed
from art_training.errors import CheckError
from art_training.records import Outcome, Score, VerdictState

EVIDENCE = Evidence("Overfit", Outcome(scores={"train/loss": Score(0.5, rows=100)}))


@check
def loss_is_low(evidence):
    return evidence.score("train/loss").value < 1


@check(title="at least {rows} rows")
def enough_rows(evidence, rows=50):
    seen = evidence.score("train/loss").rows
    return seen >= rows, f"{seen} rows were scored"


def test_a_decorated_function_is_a_check():
    assert isinstance(loss_is_low, Check)
    judged = judge(loss_is_low, EVIDENCE)
    assert (judged.state, judged.check, judged.reason) == (VerdictState.PASSED, "loss is low", "loss is low")


def test_a_title_names_arguments_and_arguments_make_another_check():
    assert enough_rows.title == "at least 50 rows"
    strict = enough_rows(rows=101)
    assert strict.title == "at least 101 rows"
    assert judge(strict, EVIDENCE).state is VerdictState.FAILED
    assert judge(strict, EVIDENCE).reason == "100 rows were scored"
    assert strict != enough_rows
    assert strict.configuration["arguments"] == {"rows": 101}


def test_arguments_are_shown_where_the_title_does_not_name_them():
    assert loss_is_low.title == "loss is low"
    assert check(lambda evidence, limit=1: True)(limit=2).title == "<lambda> (limit=2)"
    assert check(title="braces {that are not ours}")(lambda evidence: True).title == "braces {that are not ours}"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (True, "passed"),
        (False, "failed"),
        (np.bool_(True), "passed"),
        (np.bool_(False), "failed"),
        ((True, "because"), "passed"),
        ((False, "because"), "failed"),
        ((np.bool_(False), "because"), "failed"),
        (passed("because"), "passed"),
        (Answer(VerdictState.NOT_JUDGED, "because"), "not judged"),
        (None, "errored"),
        (1, "errored"),
        (np.float64(1.0), "errored"),
        ("yes", "errored"),
        ((True, 3), "errored"),
        ((None, "because"), "errored"),
    ],
)
def test_a_function_answers_with_a_bool_a_bool_and_a_reason_or_an_answer(answer, state: str):
    assert judge(check(lambda evidence: answer), EVIDENCE).state == state


def test_a_function_that_returns_nothing_is_errored_with_a_sentence():
    @check
    def forgets_to_return(evidence):
        evidence.score("train/loss")

    judged = judge(forgets_to_return, EVIDENCE)
    assert judged.state is VerdictState.ERRORED
    assert judged.reason == (
        "check 'forgets to return' returned nothing; return True or False, or (True or False, 'why')"
    )


def test_a_function_that_raises_is_errored_alone_with_its_traceback():
    @check
    def divides_by_zero(evidence):
        return 1 / 0

    judged = judge(divides_by_zero, EVIDENCE)
    assert judged.state is VerdictState.ERRORED
    assert judged.reason == "the check raised ZeroDivisionError: division by zero"
    assert "divides_by_zero" in judged.traceback


def test_an_argument_without_a_value_is_errored_and_named():
    @check
    def below(evidence, limit):
        return evidence.score("train/loss").value < limit

    assert judge(below(limit=1), EVIDENCE).state is VerdictState.PASSED
    judged = judge(below, EVIDENCE)
    assert judged.state is VerdictState.ERRORED
    assert "missing a required argument: 'limit'" in judged.reason


async def _coroutine(evidence):
    return True


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (lambda: check(3), "@check was given 3; decorate a function"),
        (lambda: check(dict), "@check was given <class 'dict'>"),
        (lambda: check(_coroutine), "write it with def, not async def"),
        (lambda: check(lambda: True), "too many positional arguments; its arguments are none"),
        (lambda: enough_rows(row=3), "got an unexpected keyword argument 'row'; its arguments are evidence, rows"),
    ],
)
def test_what_cannot_be_a_check_is_refused_at_construction(declare, sentence: str):
    with pytest.raises(CheckError) as raised:
        declare()
    assert sentence in str(raised.value)


def test_a_changed_function_has_another_configuration():
    def made(limit):
        def low(evidence):
            return evidence.score("train/loss").value < limit

        return check(low)

    assert made(1).configuration == made(1).configuration
    assert made(1).configuration != made(2).configuration
    assert check(lambda e: e.step == "a").configuration != check(lambda e: e.step == "b").configuration


def test_a_docstring_or_a_comment_changes_no_function():
    def made(text):
        namespace = {"check": check}
        exec(f'def few(evidence):\n    """{text}"""\n    return True\n', namespace)
        return check(namespace["few"])

    assert made("One.").configuration == made("Another.").configuration


def test_a_function_that_a_check_calls_is_part_of_it():
    def made(rows):
        def enough(evidence):
            return evidence.score("train/loss").rows >= rows

        return check(lambda evidence: not enough(evidence))

    assert made(1).configuration == made(1).configuration
    assert made(1).configuration != made(2).configuration


def test_a_function_reads_alike_in_every_process():
    script = """if True:
        import json
        from art_training.checks import check

        class Few:
            def __call__(self, evidence):
                return True

        @check
        def ended(evidence):
            return evidence.outcome.stopped in {"", "max_epochs", "patience", "deadline"}

        print(json.dumps([ended.configuration, check(Few()).configuration]))
    """
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
