"""Checks ask whether an outcome is right. They are pure and see one thing: the evidence."""

from art_training.checks.check import Answer, Check, failed, judge, judge_all, not_judged, passed
from art_training.checks.evidence import Evidence

__all__ = ["Answer", "Check", "Evidence", "failed", "judge", "judge_all", "not_judged", "passed"]
