"""A search for hyper-parameters, while it runs and after: its trials, the best so far, and which dimensions decide."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from art_training.records import Candidate, Direction, Outcome, RunRecord, Score, StepState
from art_training.stores import Store
from art_training.stores.fields import Cell, cell
from art_training.stores.workspaces import memory_folder, project_folder, recall, same_work
from art_training.tuning.trial import Trial
from art_training.views.rows import RunRow, ScoreRow

TrialState = Literal["finished", "pruned", "failed", "running"]

# Fields of the step that say how much is searched: they do not change which trials there are.
AMOUNTS = frozenset({"trials", "seconds", "epochs", "seeds_for_winner", "top", "examples", "examples_seconds"})
_LOSS = "validation/loss"
_SPACE = "step.space."
_TRIAL = re.compile(r"trial (\d+)")
_AGAIN = re.compile(r"(.+) on \d+ fresh seeds?")
_PRUNED = re.compile(r"pruned after epoch (\d+)(?: of (\d+))?")


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        number: from 0, in the order in which they were proposed.
        state: how it ended, or that it trains now.
        parameters: its point of the space.
        value: what the search goes by; None where it did not come so far.
        low: lower bound of the value's interval, if it has one.
        high: upper bound.
        epochs: that it trained, where that is known.
        planned: epochs that it has in all, where that is known.
        pruned_at: the epoch (from 1) after which it was ended; None where it was not.
        seconds: that it took, where that is still known.
        newest: of a trial that trains, the newest value of the curve that pruning goes by.
        note: why it was pruned or failed.
    """

    number: int
    state: TrialState
    parameters: Mapping[str, Cell]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    epochs: int | None = None
    planned: int | None = None
    pruned_at: int | None = None
    seconds: float | None = None
    newest: float | None = None
    note: str = ""


@dataclass(frozen=True)
class BestRow:
    """A finished trial that was better than all before it."""

    number: int
    value: float


@dataclass(frozen=True)
class SliceRow:
    """One dimension of the space against what was reached.

    Attributes:
        name: of the dimension.
        low: its lower end; None where it is a choice, or nothing is known of it.
        high: its upper end.
        logarithmic: whether it is searched on a logarithmic scale.
        levels: what can be chosen, as text; empty where it is a number.
        points: trial, what it had, what it reached: finished trials alone.
    """

    name: str
    low: float | None
    high: float | None
    logarithmic: bool
    levels: tuple[str, ...]
    points: tuple[tuple[int, Cell, float], ...]


@dataclass(frozen=True)
class AgainRow:
    """A setup that was trained again under seeds that chose nothing: its mean scores."""

    name: str
    scores: tuple[ScoreRow, ...]
    note: str


@dataclass(frozen=True)
class SearchView:
    """One search.

    Attributes:
        run: the run.
        by: what the search goes by.
        direction: which way of it is better; None while it is not known.
        live: whether it still runs.
        budget: what it may cost, by name; what does not limit it is left out.
        trials: in order.
        best: the best so far, a row each time that it changed.
        importance: the share of each dimension in what decides, largest first; empty where it is not told.
        importance_note: how it was told, or why not.
        slices: a row for each dimension.
        again: what was trained again under fresh seeds, the incoming setup among it.
        winner: the trial that won under these; empty where none has.
        verdict: what became of it, in a sentence.
        forgotten: whether trials may be missing, because what a search remembers while it runs is no longer there.
    """

    run: RunRow
    by: str
    direction: Direction | None
    live: bool
    budget: Mapping[str, float]
    trials: tuple[TrialRow, ...]
    best: tuple[BestRow, ...] = ()
    importance: tuple[tuple[str, float], ...] = ()
    importance_note: str = ""
    slices: tuple[SliceRow, ...] = ()
    again: tuple[AgainRow, ...] = ()
    winner: str = ""
    verdict: str = ""
    forgotten: bool = field(default=False)

    def has_won(self, trial: int) -> bool:
        """Whether the trial of this number won under fresh seeds."""
        found = _TRIAL.fullmatch(self.winner)
        return found is not None and int(found[1]) == trial


def search_of(store: Store, record: RunRecord) -> SearchView:
    """A search, whether it runs, ended or was broken off.

    While it runs, and where it was broken off, its trials are those that are remembered now: trials that an earlier run of
    the same search made count among them, as they do for the step itself.
    """
    outcome = store.outcome(record.id)
    by = str(record.parameters.get("step.by", _LOSS))
    space = _space(record.parameters)
    memory = memory_folder(
        project_folder(store, record.project), record.step, same_work(record.fingerprint, AMOUNTS).digest
    )
    remembered = tuple(_remembered(memory, by, space))
    ended = outcome is not None and any(_TRIAL.fullmatch(one.name) for one in outcome.candidates)
    run = RunRow.of(record, outcome)
    live = run.state is StepState.RUNNING
    if outcome is not None and ended:
        trials = tuple(_told(outcome, by, remembered))
    else:  # a trial that was broken off with its process trains no more
        trials = tuple(one for one in remembered if live or one.state != "running")
    direction = _direction(outcome, memory, by)
    importance = outcome.reading("importance") if outcome else None
    winner = outcome.reading("winner") if outcome else None
    shares = importance.value if importance and isinstance(importance.value, Mapping) else {}
    return SearchView(
        run=run,
        by=by,
        direction=direction,
        live=live,
        budget=_budget(record.parameters),
        trials=trials,
        best=_best(trials, direction),
        importance=tuple(sorted(cast("Mapping[str, float]", shares).items(), key=lambda one: -one[1])),
        importance_note=importance.note if importance else "told when the search has come to its end",
        slices=tuple(_slice(name, space.get(name, {}), trials) for name in _names(space, trials)),
        again=_again(outcome),
        winner=str(outcome.parameters.get("winner", "")) if outcome else "",
        verdict=winner.note if winner else "",
        forgotten=not ended and not memory.is_dir(),
    )


def _space(parameters: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The dimensions as the step declares them, as far as they are plain data."""
    return {
        name.removeprefix(_SPACE): cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
        for name, value in parameters.items()
        if name.startswith(_SPACE)
    }


def _budget(parameters: Mapping[str, Any]) -> dict[str, float]:
    given = {name: parameters.get(f"step.{name}") for name in ("trials", "seconds", "epochs")}
    return {name: float(value) for name, value in given.items() if isinstance(value, int | float)}


def _remembered(memory: Path, by: str, space: Mapping[str, Mapping[str, Any]]) -> Iterator[TrialRow]:
    """The trials that ended, each remembered as it did, and the one that trains."""
    number = 0
    while (trial := _recalled(memory, number)) is not None:
        score = trial.scores.get(by)
        between = score.interval if score and trial.state == "finished" else None
        yield TrialRow(
            number=number,
            state=trial.state,
            parameters=_shown(trial.point, space),
            value=trial.value,
            low=between.low if between else None,
            high=between.high if between else None,
            epochs=trial.epochs,
            planned=trial.planned,
            pruned_at=trial.epochs if trial.state == "pruned" else None,
            seconds=trial.seconds,
            note=trial.note,
        )
        number += 1
    if (training := _in_progress(memory, number)) is not None:
        yield training


def _recalled(memory: Path, number: int) -> Trial | None:
    stored = recall(memory, f"trial {number}")
    try:
        return Trial.parse(stored) if isinstance(stored, dict) else None
    except (LookupError, TypeError, ValueError, AttributeError):  # written by another version, or damaged
        return None


def _in_progress(memory: Path, number: int) -> TrialRow | None:
    stored: Any = recall(memory, "trial in progress")
    if not isinstance(stored, dict):
        return None
    told = cast("dict[str, Any]", stored)
    if told.get("number") != number or not isinstance(told.get("curves"), dict):
        return None
    curves = [
        {int(epoch): float(value) for epoch, value in curve.items()} for curve in told["curves"].values() if curve
    ]
    longest = max(curves, key=len, default={})
    return TrialRow(
        number=number,
        state="running",
        parameters={},  # it is told when the trial ends
        epochs=max(longest, default=-1) + 1,
        planned=told.get("planned"),
        seconds=told.get("seconds"),
        newest=longest[max(longest)] if longest else None,
    )


def _told(outcome: Outcome, by: str, remembered: Sequence[TrialRow]) -> Iterator[TrialRow]:
    """The trials as the outcome tells them, with what is still remembered of how long each took."""
    kept = {trial.number: trial for trial in remembered}
    for one in outcome.candidates:
        if found := _TRIAL.fullmatch(one.name):
            row = _of_candidate(int(found[1]), one, by)
            before = kept.get(row.number)
            if before is not None and (before.state, before.value) == (row.state, row.value):
                row = replace(row, epochs=before.epochs, planned=before.planned, seconds=before.seconds)
            yield row


def _of_candidate(number: int, one: Candidate, by: str) -> TrialRow:
    pruned = _PRUNED.match(one.note)
    score: Score | None = one.scores.get(by)
    state: TrialState = "pruned" if pruned else "finished" if score is not None and not one.note else "failed"
    reached = score if state == "finished" else None
    return TrialRow(
        number=number,
        state=state,
        parameters={name: cell(value) for name, value in one.parameters.items()},
        value=reached.value if reached else None,
        low=reached.interval.low if reached and reached.interval else None,
        high=reached.interval.high if reached and reached.interval else None,
        epochs=int(pruned[1]) if pruned else None,
        planned=int(pruned[2]) if pruned and pruned[2] else None,
        pruned_at=int(pruned[1]) if pruned else None,
        note=one.note,
    )


def _shown(point: Mapping[str, Any], space: Mapping[str, Mapping[str, Any]]) -> dict[str, Cell]:
    """A point as a person reads it: what a choice stands for where that is plain, else its label."""
    shown: dict[str, Cell] = {}
    for name, value in point.items():
        options = space.get(name, {}).get("options")
        chosen = options.get(value, value) if isinstance(options, Mapping) else value
        shown[name] = value if isinstance(chosen, Mapping | list) else cell(chosen)
    return shown


def _direction(outcome: Outcome | None, memory: Path, by: str) -> Direction | None:
    """As the scores say it: those of the outcome, or of the first trial that is remembered to have one."""
    if by.rpartition("/")[2] == "loss":
        return "minimize"
    scores = [one.scores.get(by) for one in (outcome.candidates if outcome else ())]
    number = 0
    while not any(scores) and (trial := _recalled(memory, number)) is not None:
        scores.append(trial.scores.get(by))
        number += 1
    return next((score.direction for score in scores if score is not None and score.direction), None)


def _best(trials: Sequence[TrialRow], direction: Direction | None) -> tuple[BestRow, ...]:
    if direction is None:
        return ()
    found: list[BestRow] = []
    for trial in trials:
        if trial.value is None or not math.isfinite(trial.value):
            continue
        better = not found or (
            trial.value > found[-1].value if direction == "maximize" else trial.value < found[-1].value
        )
        if better:
            found.append(BestRow(trial.number, trial.value))
    return tuple(found)


def _names(space: Mapping[str, Any], trials: Sequence[TrialRow]) -> list[str]:
    return list(dict.fromkeys([*space, *(name for trial in trials for name in trial.parameters)]))


def _slice(name: str, dimension: Mapping[str, Any], trials: Sequence[TrialRow]) -> SliceRow:
    low, high = (float(one) if isinstance(one := dimension.get(end), int | float) else None for end in ("low", "high"))
    options = dimension.get("options")
    points = tuple(
        (trial.number, trial.parameters[name], trial.value)
        for trial in trials
        if trial.value is not None and name in trial.parameters
    )
    levels = tuple(str(one) for one in cast("Mapping[str, Any]", options)) if isinstance(options, Mapping) else ()
    return SliceRow(name, low, high, bool(dimension.get("log")), levels, points)


def _again(outcome: Outcome | None) -> tuple[AgainRow, ...]:
    found = [(one, _AGAIN.fullmatch(one.name)) for one in (outcome.candidates if outcome else ())]
    return tuple(
        AgainRow(name[1], tuple(ScoreRow.of(metric, score) for metric, score in one.scores.items()), one.note)
        for one, name in found
        if name
    )
