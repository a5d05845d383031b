"""How the model came to be what it is: what each step reached of one score, what it decided, and what changed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from art_training.records import Change, StepState
from art_training.records.fingerprint import differences
from art_training.records.plain import Plain, plain
from art_training.views.account import Account, StepAccount
from art_training.views.delivered import declared, delivered_of
from art_training.views.overall import deciding_score
from art_training.views.readable import readable
from art_training.views.rows import ScoreRow
from art_training.views.tried import TriedRow, tried_of
from art_training.views.wording import shortened

_GAIN = "gain"
_LONGEST = 160  # characters of a point of a search
_DECIDES = {"TransferLearning", "Regularize", "Tune", "Squeeze"}
_UNTRAINED = {"ExploreData", "Diagnose", "EvaluateBaseline", "CheckLossOnInit", "OverfitOneBatch", "FinalTest"}


@dataclass(frozen=True)
class Stage:
    """What one step reached."""

    step: str
    score: ScoreRow


@dataclass(frozen=True)
class Decision:
    """What one step decided.

    Attributes:
        step: its name.
        chosen: what it chose.
        why: as the step said it.
        gain: how much better that is than what it was compared with, where it was measured.
    """

    step: str
    chosen: str
    why: str
    gain: ScoreRow | None


@dataclass(frozen=True)
class Journey:
    """The way to the model that is delivered.

    Attributes:
        metric: the score that is followed.
        stages: what each step reached of it that trained on the declared data; side lines on other data are left out.
        aside: steps that were left out, because they trained or validated on other data.
        baseline: the best baseline's name and number, where there is one.
        decisions: what the steps chose, in their order.
        changes: in which settings the delivered model's training differs from what was declared at first.
        settings: with which it was trained, by name.
        delivered_by: the step that made the delivered model; empty where none has passed.
        beyond: what was made of it that these settings do not tell; else empty.
    """

    metric: str
    stages: tuple[Stage, ...]
    aside: tuple[str, ...]
    baseline: tuple[str, float] | None
    decisions: tuple[Decision, ...]
    changes: tuple[Change, ...]
    settings: Mapping[str, Plain]
    delivered_by: str
    beyond: str = ""


def journey_of(account: Account, metric: str = "") -> Journey:
    """The journey of a project's model, by a metric; by default the one that decides on validation."""
    trained = [one for one in account.steps if _trained(one)]
    followed = metric or next((score.metric for one in reversed(trained) if (score := deciding_score(one.status))), "")
    data = _data(account.steps[0]) if account.steps else None
    main = [one for one in trained if _data(one) == data]
    scores = [(one, score) for one in main for score in one.status.scores if score.metric == followed]
    best = next((score for _, score in reversed(scores) if score.baseline is not None), None)
    delivered = delivered_of(account.steps, main)
    return Journey(
        metric=followed,
        stages=tuple(Stage(one.status.step, score) for one, score in scores),
        aside=tuple(one.status.step for one in trained if one not in main),
        baseline=(best.baseline_name, best.baseline) if best and best.baseline is not None else None,
        decisions=tuple(decision for one in trained if (decision := _decision(one)) is not None),
        changes=differences(delivered.settings, declared(account.steps[0])) if delivered else (),
        settings=delivered.settings if delivered else {},
        delivered_by=delivered.by if delivered else "",
        beyond=delivered.note if delivered else "",
    )


def _trained(one: StepAccount) -> bool:
    step = one.status
    return step.state is StepState.PASSED and one.view is not None and step.kind not in _UNTRAINED and bool(one.curves)


def _data(one: StepAccount) -> object:
    return None if one.view is None else plain(one.view.record.parameters.get("data"))


def _decision(one: StepAccount) -> Decision | None:
    if one.status.kind not in _DECIDES or one.view is None or one.view.outcome is None:
        return None
    tried = tried_of(one.view.outcome)
    chosen = next((row for row in tried.rows if row.chosen), None)
    if chosen is None:
        return None
    why, outcome = chosen.why, one.view.outcome
    if outcome.parameters.get("carried") is False:
        return Decision(one.status.step, "the incoming setup", f"{chosen.name}, the best: {why}", None)
    gain = next((score for score in one.status.scores if score.metric == _GAIN), chosen.gain)
    if chosen.gain is None and any(row.gain is not None for row in tried.rows):
        gain = None  # the step's gain is that of the best of the others, which was not chosen
    return Decision(one.status.step, _what(chosen), why, gain)


def _what(chosen: TriedRow) -> str:
    """What was chosen by its name; of a point of a search also what it is."""
    if not chosen.name.startswith("trial "):
        return chosen.name
    return f"{chosen.name} ({shortened(readable(chosen.parameters), _LONGEST)})"
