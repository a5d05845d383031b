"""Readings and set-up -> findings: one file a category, every rule with a stable code."""

from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.registry import rule_called, rules, version
from art_training.rules.rule import Found, Rule, Stage, rule

__all__ = [
    "Found",
    "Laboratory",
    "NotApplicable",
    "NotMeasured",
    "Rule",
    "Stage",
    "rule",
    "rule_called",
    "rules",
    "version",
]
