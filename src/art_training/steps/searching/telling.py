"""What is told of a search: its trials as candidates and as a table, what decided, what went wrong."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from art_training.checks.improves import ADJUSTED, GAIN
from art_training.records import Candidate, Metric, Reading, Score
from art_training.steps.searching.again import INCOMING, Decision
from art_training.steps.searching.trying import Tried
from art_training.steps.searching.watching import is_of
from art_training.tuning.importance import importances
from art_training.tuning.space import Space
from art_training.tuning.trial import Trial

_FAILURES = 10  # sentences of failed trials that are told as a reading; all are in the table

ALONE = ", which searched nothing: one point was drawn, with no other to choose from; give a larger budget, such as trials=20"


def candidates(space: Space, trials: Sequence[Trial], decision: Decision | None, seeds: int) -> tuple[Candidate, ...]:
    """Every trial, and every setup that was trained again."""
    found = [
        Candidate(trial.label, trial.scores, space.shown(trial.point), "" if trial.state == "finished" else trial.note)
        for trial in trials
    ]
    if decision is not None:
        by_name = {trial.label: trial for trial in trials}
        for one in (decision.incoming, *decision.contestants):
            parameters = space.shown(by_name[one.name].point) if one.name != INCOMING else {}
            found.append(Candidate(again(one.name, seeds), one.scores, parameters, one.note))
    return tuple(found)


def again(name: str, seeds: int) -> str:
    """What a setup is called that was trained again."""
    return f"{name} on {seeds} fresh seed{'s' if seeds > 1 else ''}"


def write_table(path: Path, space: Space, trials: Sequence[Trial], metric: Metric) -> Path:
    """All trials as a table of comma-separated values: a row each, a column for every dimension."""
    names = list(space.dimensions)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", str(metric), *names, "epochs", "watched", "curve", "note"])
        for trial in trials:
            shown = space.shown(trial.point)
            writer.writerow(
                [
                    trial.number,
                    trial.state,
                    "" if trial.value is None else repr(trial.value),
                    *(shown.get(name, "") for name in names),
                    trial.epochs,
                    trial.watched,
                    json.dumps(list(trial.curve.values())),
                    trial.note,
                ]
            )
    return path


def readings(space: Space, tried: Tried, metric: Metric, *, pruning: str | None, seed: int) -> tuple[Reading, ...]:
    """How many trials there were, what ended them early, and which dimensions decide."""
    trials = tried.trials
    states = Counter(trial.state for trial in trials)
    counts = {state: states.get(state, 0) for state in ("finished", "pruned", "failed")}
    found = [Reading("trials", counts, "trials", tried.ended)]
    if pruning is not None and trials:
        found.append(Reading("pruned by", *_pruned_by(trials, metric)))
    found.append(_importance(space, trials, seed))
    failures = {trial.label: trial.note for trial in trials if trial.state == "failed"}
    if failures:
        shown = dict(list(failures.items())[:_FAILURES])
        note = "" if len(failures) <= _FAILURES else f"{len(failures) - _FAILURES} more are in trials.csv"
        found.append(Reading("failed trials", shown, note=note))
    return tuple(found)


def _pruned_by(trials: Sequence[Trial], metric: Metric) -> tuple[str | None, str, str]:
    watched = next((trial.watched for trial in trials if trial.watched), "")
    if not watched:
        note = (
            f"nothing could be pruned: the module logs neither {metric.name} nor a loss while it validates; "
            "log one in validation_step, e.g. self.log('val_loss', loss), and let the Trainer validate while it trains "
            "(check_val_every_n_epoch)"
        )
        return None, "", note
    if is_of(watched, metric):
        return watched, "", ""
    return watched, "", f"the module logs no {metric.name} while it validates, so the validation loss stood in for it"


def _importance(space: Space, trials: Sequence[Trial], seed: int) -> Reading:
    try:
        found = importances(space, trials, seed=seed)
    except ValueError as why:
        return Reading("importance", None, note=f"not told: {why}")
    finished = sum(1 for trial in trials if trial.state == "finished")
    note = f"share in what a random forest tells of the ranks of {finished} finished trials"
    return Reading("importance", found, note=note)


def gain(decision: Decision) -> dict[str, Score]:
    """How much better the winner is than the incoming setup, on fresh seeds, with the interval of the best of several."""
    compared = decision.comparison
    if compared is None or decision.winner is None:
        return {}
    note = f"of {decision.winner.name} over the {INCOMING}; positive is better"
    if compared.p_value is not None:
        note += f"; p {compared.p_value:.3g}, adjusted for the choice"
    note = compared.note or note
    return {
        GAIN: Score(
            compared.value, compared.interval, compared.examples or None, "maximize", "paired on fresh seeds", note
        )
    }


def adjusted(decision: Decision) -> tuple[Reading, ...]:
    """The p-value of the gain, where it was compared."""
    compared, winner = decision.comparison, decision.winner
    if compared is None or winner is None or compared.p_value is None:
        return ()
    note = f"of {winner.name}, by Bonferroni's inequality: it was chosen from those trained again, and they from the search"
    return (Reading(ADJUSTED, compared.p_value, note=note),)
