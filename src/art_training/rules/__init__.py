"""Readings and set-up -> findings: one file a category, every rule with a stable code."""

from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.registry import rules, version
from art_training.rules.rule import Rule, Stage, rule

__all__ = ["Laboratory", "NotMeasured", "Rule", "Stage", "rule", "rules", "version"]
