"""How the model came to be what it is: what each step reached of one score, what it decided, and what changed on the way."""

from collections.abc import Mapping
from dataclasses import dataclass

from art_training.records import Change, StepState
from art_training.records.fingerprint import differences
from art_training.records.plain import Plain, plain
from art_training.views.account import Account, StepAccount
from art_training.views.overall import deciding_score
from art_training.views.rows import ScoreRow
from art_training.views.tried import TriedRow, tried_of

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
    """

    metric: str
    stages: tuple[Stage, ...]
    aside: tuple[str, ...]
    baseline: tuple[str, float] | None
    decisions: tuple[Decision, ...]
    changes: tuple[Change, ...]
    settings: Mapping[str, Plain]
    delivered_by: str


def journey_of(account: Account, metric: str = "") -> Journey:
    """The journey of a project's model, by a metric; by default the one that decides on validation."""
    trained = [one for one in account.steps if _trained(one)]
    followed = metric or next((score.metric for one in reversed(trained) if (score := deciding_score(one.status))), "")
    declared = _data(account.steps[0]) if account.steps else None
    main = [one for one in trained if _data(one) == declared]
    scores = [(one, score) for one in main for score in one.status.scores if score.metric == followed]
    best = next((score for _, score in reversed(scores) if score.baseline is not None), None)
    delivering = main[-1] if main else None
    return Journey(
        metric=followed,
        stages=tuple(Stage(one.status.step, score) for one, score in scores),
        aside=tuple(one.status.step for one in trained if one not in main),
        baseline=(best.baseline_name, best.baseline) if best and best.baseline is not None else None,
        decisions=tuple(decision for one in trained if (decision := _decision(one)) is not None),
        changes=_changes(account.steps[0], delivering) if delivering else (),
        settings=_settings(delivering) if delivering else {},
        delivered_by=delivering.status.step if delivering else "",
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
    gain = next((score for score in one.status.scores if score.metric == "gain"), chosen.gain)
    return Decision(one.status.step, _what(chosen), chosen.why, gain)


def _what(chosen: TriedRow) -> str:
    """What was chosen by its name; of a point of a search also what it is."""
    values = {name: value for name, value in chosen.parameters.items() if isinstance(value, float)}
    few = values if 0 < len(values) <= 4 and chosen.name.startswith("trial ") else {}
    said = ", ".join(f"{name}={value:.4g}" for name, value in few.items())
    return f"{chosen.name} ({said})" if said else chosen.name


def _changes(first: StepAccount, last: StepAccount) -> tuple[Change, ...]:
    return differences(_declared(last), _declared(first))


def _declared(one: StepAccount) -> dict[str, Plain]:
    parameters = one.view.record.parameters if one.view else {}
    return {name: plain(value) for name, value in parameters.items() if not name.startswith("step.")}


def _settings(one: StepAccount) -> dict[str, Plain]:
    return dict(_declared(one))
