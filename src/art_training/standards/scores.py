"""Requirements about scores that hold for whatever metric a project has."""

from dataclasses import dataclass

from art_training.checks import BeatsBaseline, NoNaN, judge
from art_training.checks.baseline import BASELINES
from art_training.records import StepState, VerdictState
from art_training.records.counted import counted
from art_training.standards.record import Record, StepRecord
from art_training.standards.requirement import Answer, Requirement, met, not_judged, not_met
from art_training.standards.steps import evidence_of, nothing_ran

_UNTRAINED = {BASELINES, "CheckLossOnInit", "ExploreData", "Diagnose", "OverfitOneBatch"}


@dataclass(frozen=True)
class BetterThanBaseline(Requirement):
    """The model is better on validation than the best baseline: a simpler one would not do.

    Compared is the last step that scored a trained model on validation, by the metric that `EvaluateBaseline` ordered its
    baselines by, or by the one given.

    Attributes:
        metric: e.g. `validation/accuracy`; empty: that one.
    """

    metric: str = ""

    def judge(self, record: Record) -> Answer:
        """Find the metric, the model and the best baseline."""
        metric = self.metric or next((by for one in record.named(BASELINES) if (by := _by(one))), "")
        if not metric:
            return not_met(f"no {BASELINES} evaluated a baseline, so that there is none to be better than")
        passed = [one for one in record.steps if one.state is StepState.PASSED and one.kind not in _UNTRAINED]
        models = [(one, one.outcome) for one in passed if one.outcome and metric in one.outcome.scores]
        if not models:
            return not_judged(f"no trained step that passed has {metric}")
        step, outcome = models[-1]
        verdict = judge(BeatsBaseline(metric), evidence_of(record, step, outcome))
        answer = {VerdictState.PASSED: met, VerdictState.FAILED: not_met}.get(verdict.state, not_judged)
        return answer(f"{step.step}: {verdict.reason}", **dict(verdict.numbers))


@dataclass(frozen=True)
class Finite(Requirement):
    """No step left a score or the end of a curve that is NaN or infinite."""

    def judge(self, record: Record) -> Answer:
        """Ask `NoNaN` of every step."""
        if (nothing := nothing_ran(record)) is not None:
            return nothing
        ran = [(one, one.outcome) for one in record.steps if one.outcome is not None]
        verdicts = {one.step: judge(NoNaN(), evidence_of(record, one, outcome)) for one, outcome in ran}
        wrong = [f"{step}: {one.reason}" for step, one in verdicts.items() if one.state is not VerdictState.PASSED]
        if wrong:
            return not_met("; ".join(wrong), steps=len(ran), wrong=len(wrong))
        return met(f"every score of {counted(len(ran), 'step')} is finite", steps=len(ran))


@dataclass(frozen=True)
class SlicesScored(Requirement):
    """The final test scored the model on parts of the test split by themselves: `FinalTest(slices=...)`.

    Whether what it reached there is enough, `CheckPasses("FinalTest", Above("test:dark/accuracy", 0.9))` asks.
    """

    def judge(self, record: Record) -> Answer:
        """Look for scores on slices of the test split."""
        names = [name for one in record.steps if one.outcome for name in one.outcome.scores if name.startswith("test:")]
        slices = sorted({name.partition(":")[2].partition("/")[0] for name in names})
        if not slices:
            return not_met("no score on a slice of the test split; FinalTest(slices=...) leaves them", slices=0)
        return met(f"{counted(len(slices), 'slice')} of the test split scored: {', '.join(slices)}", slices=len(slices))


def _by(step: StepRecord) -> str:
    return str(step.outcome.parameters.get("by", "")) if step.outcome else ""
