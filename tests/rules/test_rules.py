"""What every rule must be."""

import re

import pytest

from art_training.rules import rules
from art_training.rules.rule import CATEGORIES
from art_training.setup.declarations import KNOWN

FIRST = {
    "1": ("data", "split", "labels"),
    "2": ("preprocessing",),
    "3": ("model", "initialization"),
    "4": ("loss",),
    "5": ("optimizer", "schedule"),
    "6": ("mode",),
    "7": ("metrics", "evaluation"),
    "8": ("reproducibility", "transfer", "checkpoint"),
    "9": ("numerics",),
}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_a_rule_says_all_that_a_user_may_want_to_know(rule):
    assert re.fullmatch(r"ART\d{3}", rule.code)
    assert rule.category in CATEGORIES
    assert rule.category in FIRST[rule.code[3]]
    assert all((rule.name, rule.finds, rule.why, rule.wrong, rule.right, rule.source))
    assert rule.wrong != rule.right
    assert set(rule.settles) <= set(KNOWN)
    assert set(rule.symptoms) <= {one.code for one in rules()}


def test_no_code_of_a_rule_is_that_of_a_finding_of_steps():
    others = {"ART301", "ART601", "ART701", "ART702", "ART703", "ART741", "ART742", "ART751", "ART752", "ART801"}
    assert not others & {rule.code for rule in rules()}
