"""What flows through ART: frozen dataclasses, made of the standard library only."""

from art_training.records.events import (
    CheckJudged,
    CurvesGrew,
    Event,
    Probed,
    ProjectEnded,
    ProjectStarted,
    StepEnded,
    StepProgress,
    StepStarted,
)
from art_training.records.fingerprint import Change, Fingerprint, differences, digest_component
from art_training.records.layers import LayerCurve
from art_training.records.metric import Metric, Split
from art_training.records.outcome import (
    Artifact,
    Candidate,
    Curve,
    Direction,
    Finding,
    Interval,
    Outcome,
    Reading,
    Score,
    Severity,
)
from art_training.records.plain import Plain, plain, show
from art_training.records.plan import Action, Plan, Planned, PlannedStep
from art_training.records.probes import PROBED
from art_training.records.process import ProcessId
from art_training.records.promise import Foresight, Promise
from art_training.records.provenance import Provenance
from art_training.records.run import RunRecord, RunStatus
from art_training.records.use import Use
from art_training.records.verdict import Judgement, StepState, Verdict, VerdictState, state_of

__all__ = [
    "PROBED",
    "Action",
    "Artifact",
    "Candidate",
    "Change",
    "CheckJudged",
    "Curve",
    "CurvesGrew",
    "Direction",
    "Event",
    "Finding",
    "Fingerprint",
    "Foresight",
    "Interval",
    "Judgement",
    "LayerCurve",
    "Metric",
    "Outcome",
    "Plain",
    "Plan",
    "Planned",
    "PlannedStep",
    "Probed",
    "ProcessId",
    "ProjectEnded",
    "ProjectStarted",
    "Promise",
    "Provenance",
    "Reading",
    "RunRecord",
    "RunStatus",
    "Score",
    "Severity",
    "Split",
    "StepEnded",
    "StepProgress",
    "StepStarted",
    "StepState",
    "Use",
    "Verdict",
    "VerdictState",
    "differences",
    "digest_component",
    "plain",
    "show",
    "state_of",
]
