"""Causes are told, and their symptoms beneath them; nothing that was found is hidden."""

from dataclasses import replace

import pytest

from art_training.diagnosis import diagnosing
from art_training.records import Finding, Severity
from art_training.rules import rules

SOME = rules()[:3]


def finding(code, severity=Severity.ERROR, confirmed=""):
    return Finding(code, "data", severity, f"{code} was found", confirmed_by=confirmed)


@pytest.fixture
def told(monkeypatch):
    """Tells findings of three rules, `a`, `b` and `c`, which explain what is given."""

    def tell(findings, **symptoms):
        made = [
            replace(rule, code=code, symptoms=symptoms.get(code, ())) for rule, code in zip(SOME, "abc", strict=True)
        ]
        monkeypatch.setattr(diagnosing, "rules", lambda: tuple(made))

        class Done:
            judged, stages, broken, seen = (), {}, "", None

        Done.findings = findings
        setup = type("Setup", (), {"model": dict})
        result = diagnosing.told(setup, Done)
        return [one.code for one in result.findings], {
            code: [one.code for one in found] for code, found in result.symptoms.items()
        }

    return tell


def test_a_symptom_is_told_beneath_its_cause(told):
    assert told([finding("b"), finding("a")], a=("b",)) == (["a"], {"a": ["b"]})


def test_two_rules_that_explain_each_other_hide_nothing(told):
    assert told([finding("a"), finding("b", confirmed="seen")], a=("b",), b=("a",)) == (["b"], {"b": ["a"]})


def test_what_is_explained_explains_nothing_itself(told):
    assert told([finding("a"), finding("b"), finding("c")], a=("b",), b=("c",)) == (["a", "c"], {"a": ["b"]})


def test_a_cause_does_not_hide_what_is_worse_than_it(told):
    assert told([finding("a", Severity.INFO), finding("b")], a=("b",)) == (["b", "a"], {})
