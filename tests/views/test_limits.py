"""A value beside its limit: true for every check that ART ships, or left out."""

import math

import pytest

import art_training.checks as shipped
from art_training.checks import Check, judge_all
from art_training.records import Verdict, VerdictState
from art_training.views.limits import Limit
from art_training.views.rows import CheckRow

CHECKS = sorted(
    {one for one in vars(shipped).values() if isinstance(one, type) and issubclass(one, Check) and one is not Check},
    key=lambda one: one.__name__,
)


def verdict(check: str, state: str, numbers: dict, **configuration: object) -> Verdict:
    return Verdict("a question", VerdictState(state), "a sentence", numbers, {"check": check, **configuration})


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        (verdict("Below", "passed", {"value": 0.02}, limit=0.05), Limit(0.02, None, 0.05)),
        (verdict("Below", "failed", {"value": 0.05}, limit=0.05), Limit(0.05, None, 0.05)),
        (verdict("Above", "failed", {"value": math.nan}, limit=0.9), Limit(math.nan, 0.9)),
        (verdict("Equals", "passed", {"value": 0.0}, value=0.0), Limit(0.0, 0.0, 0.0)),
        (verdict("Equals", "failed", {"value": 3.0}, value=0.0), Limit(3.0, 0.0, 0.0)),
        (verdict("CloseTo", "passed", {"value": 1.9}, value=2.0, tolerance=0.1, relative=True), Limit(1.9, 1.8, 2.2)),
        (verdict("Between", "passed", {"value": 0.5}, low=0.1, high=0.9), Limit(0.5, 0.1, 0.9)),
        (
            verdict("LossDecreases", "passed", {"first": 2.0, "last": 0.5}, factor=0.9, part=0.1),
            Limit(0.5, None, 1.8),
        ),
        (
            verdict("BeatsBaseline", "passed", {"value": 0.9, "baseline_value": 0.6, "gain": 0.3}, margin=0.1),
            Limit(0.9, 0.7, None),
        ),
        (
            verdict("BeatsBaseline", "failed", {"value": 0.9, "baseline_value": 0.6, "gain": -0.3}, margin=0.0),
            Limit(0.9, None, 0.6),
        ),
        (verdict("BeatsBaseline", "failed", {"value": 0.6, "baseline_value": 0.6, "gain": 0.0}, margin=0.0), None),
        (verdict("ExportAgrees", "passed", {"difference": 0.0}, tolerance=1e-5), Limit(0.0, None, 1e-5)),
        (verdict("GeneralizationGap", "failed", {"gap": 0.3, "at_most": 0.1}), Limit(0.3, None, 0.1)),
        (verdict("LossDecreases", "failed", {"first": 2.0, "last": 0.5, "start": 0.1}, factor=0.9), None),
        (verdict("Below", "not judged", {"value": 0.02}, limit=0.05), None),
        (verdict("Below", "passed", {}, limit=0.05), None),
        (verdict("Below", "passed", {"value": "<script>"}, limit=0.05), None),
        (verdict("Mine", "passed", {"value": 1.0}, limit=2.0), None),
    ],
)
def test_the_number_that_decided_stands_beside_its_limit(answer, limit):
    found = Limit.of(answer)
    assert (found is None) == (limit is None)
    if limit is not None:
        assert [one if one is None else pytest.approx(one, nan_ok=True) for one in limit] == list(found)


@pytest.mark.parametrize("kind", CHECKS)
def test_no_limit_says_otherwise_than_the_verdict(kind):
    told = 0
    for check, evidence in (*kind.PASSES, *kind.FAILS, *kind.NOT_JUDGED):
        (answer,) = judge_all([check], evidence)
        found = CheckRow.of(answer).limit
        if found is None:
            continue
        told += 1
        inside = (found.above is None or found.value >= found.above) and (
            found.below is None or found.value <= found.below
        )
        assert answer.state in {VerdictState.PASSED, VerdictState.FAILED}
        assert inside or answer.state is VerdictState.FAILED
    assert told >= (1 if kind.__name__ in {"Below", "Above", "Equals", "CloseTo", "Between", "BeatsBaseline"} else 0)
