"""What a standard is shown of a project, of made-up history."""

import pytest

from art_training.records import Finding, Severity, StepState
from art_training.stores import Store
from art_training.stores.memory import MemoryStore
from art_training.testing.history import keep_run, verdict
from art_training.views.recorded import record_of


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def keep(store: Store, step: str, minute: int, **other: object) -> str:
    return keep_run(store, step, minute=minute, **{"verdicts": [verdict("it works")], **other}).id


def found(step: str = "Overfit") -> Finding:
    return Finding("ART301", "model", Severity.WARNING, "silent units", where=f"{step}.net")


def test_findings_are_those_of_the_run_on_which_a_step_stands(store: Store) -> None:
    keep(store, "Overfit", 1, findings=[found()])
    record = record_of(store, "toy")
    assert [(one.code, one.state) for one in record.findings] == [("ART301", "open")]
    keep(store, "Overfit", 2)
    record = record_of(store, "toy")
    assert [(one.code, one.state, one.how) for one in record.findings] == [("ART301", "settled", "gone")]


def test_reasons_to_ignore_a_finding_are_part_of_the_record(store: Store) -> None:
    keep(store, "Diagnose", 1, parameters={"step.ignore": {"ART101": "on purpose"}})
    assert record_of(store, "toy").ignored == {"Diagnose": {"ART101": "on purpose"}}


def test_a_step_that_failed_is_in_the_record_with_its_answers(store: Store) -> None:
    keep(store, "Overfit", 1, verdicts=[verdict("a < 1", "failed")])
    (step,) = record_of(store, "toy").steps
    assert step.state is StepState.FAILED
    assert step.judgement is not None
    assert [one.check for one in step.judgement.verdicts] == ["a < 1"]


def test_a_record_without_a_plan_says_so(store: Store) -> None:
    keep(store, "Overfit", 1)
    record = record_of(store, "toy", version="2.0.0")
    assert (record.planned, record.planned_at, record.art_version) == ("never", None, "2.0.0")
