"""What every rule must keep to: a suite for those who write one.

    class TestTwins(RuleContract):
        rule = same_columns

        def faulty(self):
            yield art.Setup(Net, Twins)

        def clean(self):
            yield art.Setup(Net, Different)

The rule need not be installed.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from art_training.diagnosis import diagnose_setup
from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding, plain
from art_training.records.plain import is_marked
from art_training.rules import Rule
from art_training.rules.registry import what_is_wrong
from art_training.setup.setup import Setup
from art_training.views.rulebook import written_rules


class RuleContract(ABC):
    """A pytest class to inherit from.

    Attributes:
        rule: the rule under test.
        budget_seconds: of each diagnosis.
    """

    rule: ClassVar[Rule]
    budget_seconds: ClassVar[float] = 20.0

    @abstractmethod
    def faulty(self) -> Iterable[Setup]:
        """Set-ups that have the fault, in more forms than one."""

    @abstractmethod
    def clean(self) -> Iterable[Setup]:
        """Set-ups that have not, those that look alike among them."""

    def test_it_says_all_that_a_user_may_want_to_know(self) -> None:
        """What it finds and why, by a code that nobody else has, with an example of the fault and without it."""
        prefix = self.rule.code[:-3]
        assert not what_is_wrong(self.rule, prefix), f"{self.rule.code} {what_is_wrong(self.rule, prefix)}"
        assert self.rule.wrong != self.rule.right

    def test_it_is_told_without_being_run(self) -> None:
        """The dashboard and the report import nothing that trains: literals, or names of literals in the same file, are read."""
        rows = {row.code: row for row in written_rules([Path(inspect.getfile(self.rule.judge))])}
        row = rows.get(self.rule.code)
        assert row is not None, f"write @rule({self.rule.code!r}, ...) above the function"
        for name in ("name", "category", "finds", "why", "wrong", "right", "source", "symptoms"):
            assert getattr(row, name) == getattr(self.rule, name), name

    def test_it_finds_the_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each time, with what to do, and with evidence that can be kept."""
        setups = list(self.faulty())
        assert setups, "give a set-up that has the fault"
        for number, setup in enumerate(setups, start=1):
            diagnosis = self._diagnosed(setup, monkeypatch)
            assert diagnosis.findings, f"set-up {number} of faulty(): {_said(diagnosis)}"
            for one in diagnosis.findings:
                _require_readable(one)

    def test_it_is_silent_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A false alarm costs more trust than a fault that was not seen."""
        setups = list(self.clean())
        assert setups, "give a set-up without the fault"
        for number, setup in enumerate(setups, start=1):
            diagnosis = self._diagnosed(setup, monkeypatch)
            told = [one.message for one in diagnosis.findings] or _said(diagnosis)
            assert not diagnosis.findings, f"set-up {number} of clean(): {told}"
            assert not any("the rule itself raised" in one.reason for one in diagnosis.judged), told

    def _diagnosed(self, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> Diagnosis:
        with monkeypatch.context() as patched:
            patched.setattr("art_training.diagnosis.diagnosing.rules", lambda: (self.rule,))
            return diagnose_setup(setup, budget=self.budget_seconds)


def _require_readable(finding: Finding) -> None:
    assert finding.message, "a finding has no message"
    assert finding.remedy, "a finding has no remedy"
    assert "\n" not in finding.message + finding.remedy
    evidence = plain(finding.evidence)
    json.dumps(evidence)
    assert not _marked(evidence), f"evidence must be plain data: {evidence}"


def _marked(value: Any) -> bool:
    if is_marked(value):
        return True
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_marked(one) for one in cast("Iterable[Any]", items))


def _said(diagnosis: Diagnosis) -> str:
    reasons = (f"{one.state}: {one.reason}" if one.reason else one.state for one in diagnosis.judged)
    return "; ".join(filter(None, (*reasons, diagnosis.broken)))
