"""Standards: what a team or a community asks of every record, and the waivers that somebody answers for.

Pure: a standard sees one thing, the record. `art verify` assembles it and draws the answer.
"""

from art_training.standards.assessing import Assessment, RequirementAnswer, WaiverAccount, WaiverState, assess
from art_training.standards.findings import FindingsSettled
from art_training.standards.origin import CodeCommitted, NothingUnknown, TestUsedAtMost, YoungerThan
from art_training.standards.record import FindingRecord, Record, StepRecord, Subject
from art_training.standards.requirement import Answer, Met, Part, Requirement, met, not_covered, not_judged, not_met
from art_training.standards.scored import Scored
from art_training.standards.scores import BetterThanBaseline, Finite, SlicesScored
from art_training.standards.seeds import Repeatable, Seeds
from art_training.standards.shipped.karpathy import karpathy
from art_training.standards.shipped.minimal import minimal
from art_training.standards.shipped.ml_test_score import ml_test_score
from art_training.standards.sources import installed_standard, read_standard
from art_training.standards.standard import Standard
from art_training.standards.steps import CheckAsked, CheckPasses, EveryStepPassed, StepPassed
from art_training.standards.waivers import Waiver, read_waivers

__all__ = [
    "Answer",
    "Assessment",
    "BetterThanBaseline",
    "CheckAsked",
    "CheckPasses",
    "CodeCommitted",
    "EveryStepPassed",
    "FindingRecord",
    "FindingsSettled",
    "Finite",
    "Met",
    "NothingUnknown",
    "Part",
    "Record",
    "Repeatable",
    "Requirement",
    "RequirementAnswer",
    "Scored",
    "Seeds",
    "SlicesScored",
    "Standard",
    "StepPassed",
    "StepRecord",
    "Subject",
    "TestUsedAtMost",
    "Waiver",
    "WaiverAccount",
    "WaiverState",
    "YoungerThan",
    "assess",
    "installed_standard",
    "karpathy",
    "met",
    "minimal",
    "ml_test_score",
    "not_covered",
    "not_judged",
    "not_met",
    "read_standard",
    "read_waivers",
]
