"""What codes stand for, read and not run."""

import subprocess
import sys

from art_training.records.codes import CODES
from art_training.rules import rules
from art_training.views.rulebook import rule_of, rules_known


def test_every_rule_is_told_as_it_is() -> None:
    for rule in rules():
        row = rule_of(rule.code)
        assert row is not None, rule.code
        for name in ("code", "name", "category", "finds", "why", "wrong", "right", "source", "symptoms"):
            assert getattr(row, name) == getattr(rule, name), (rule.code, name)
        assert (row.stage, row.severities) == (rule.stage.value, (rule.severity.value,))
        assert tuple(row.settles or ()) == rule.settles


def test_codes_of_steps_are_told_too_and_any_spelling_is_understood() -> None:
    assert {*CODES, *(rule.code for rule in rules())} == {row.code for row in rules_known()}
    row = rule_of(" art101 ")
    assert row is not None
    assert row == rule_of("101") == rule_of("ART101")
    assert (row.name, row.told_by) == (CODES["ART101"].what, "ExploreData")
    assert rule_of("ART999") is None


def test_nothing_that_trains_is_imported_for_it() -> None:
    told = "import sys; from art_training.views.rulebook import rules_known; assert len(rules_known()) > 100; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
