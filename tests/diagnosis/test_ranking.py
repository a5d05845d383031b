"""Causes are told, and their symptoms beneath them; nothing that was found is hidden."""

from hypothesis import given
from hypothesis import strategies as st

from art_training.diagnosis.ranking import ranked
from art_training.records import Finding, Severity

CODES = st.sampled_from("abcdef")


def finding(code, severity=Severity.ERROR, confirmed=""):
    return Finding(code, "data", severity, f"{code} was found", confirmed_by=confirmed)


def told(findings, **explains):
    """Codes of causes in order, and of symptoms by cause."""
    causes, symptoms = ranked(findings, {code: frozenset(explains.get(code, ())) for code in "abcdef"})
    return [one.code for one in causes], {code: [one.code for one in found] for code, found in symptoms.items()}


def test_a_symptom_is_told_beneath_its_cause():
    assert told([finding("b"), finding("a")], a=("b",)) == (["a"], {"a": ["b"]})


def test_two_rules_that_explain_each_other_hide_nothing():
    assert told([finding("a"), finding("b", confirmed="seen")], a=("b",), b=("a",)) == (["b"], {"b": ["a"]})


def test_what_is_explained_explains_nothing_itself():
    assert told([finding("a"), finding("b"), finding("c")], a=("b",), b=("c",)) == (["a", "c"], {"a": ["b"]})


def test_a_symptom_with_symptoms_of_its_own_does_not_stand_before_its_cause():
    assert told([finding("a"), finding("b"), finding("c")], a=("b",), c=("a", "b")) == (["c"], {"c": ["a", "b"]})


def test_a_cause_does_not_hide_what_is_worse_than_it():
    assert told([finding("a", Severity.INFO), finding("b")], a=("b",)) == (["b", "a"], {})


@given(
    st.dictionaries(CODES, st.sampled_from(Severity)),
    st.dictionaries(CODES, st.frozensets(CODES)),
)
def test_every_finding_is_told_once_whatever_explains_what(severities, explains):
    causes, symptoms = told([finding(code, severity) for code, severity in severities.items()], **explains)
    below = [code for found in symptoms.values() for code in found]
    assert sorted([*causes, *below]) == sorted(severities)
    order = [Severity.ERROR, Severity.WARNING, Severity.INFO]
    for cause, found in symptoms.items():
        assert all(order.index(severities[code]) >= order.index(severities[cause]) for code in found)
