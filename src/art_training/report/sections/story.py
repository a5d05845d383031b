"""What happened, step by step: what was asked, what was seen, and what was tried before."""

from art_training.records import StepState
from art_training.report.document import Block, Cell, Code, Section, Table, Text, table, told
from art_training.report.pictures import Album
from art_training.report.sections.verdict import anchor, because
from art_training.report.states import of_step
from art_training.report.telling import (
    checks_table,
    gain_figure,
    interval_figure,
    learning_curves,
    left_undrawn,
    tried_figure,
    tried_table,
    when,
)
from art_training.views.account import Account, StepAccount
from art_training.views.attempts import Attempts
from art_training.views.purposes import purpose_of
from art_training.views.tried import Tried, tried_of
from art_training.views.visible import name as named
from art_training.views.wording import duration

_ELSEWHERE = {"ExploreData": "data", "EvaluateBaseline": "baselines", "FinalTest": "final"}
_PICTURES = 2
_CHANGES = 6


def story(account: Account, album: Album) -> Section | None:
    """One part a step, in the project's order."""
    parts = tuple(_part(one, place, album) for place, one in enumerate(account.steps))
    if not parts:
        return None
    begin = Text("Each step asks one question; the next one may build on it only when its checks have passed.", "lead")
    return Section("What happened, step by step", "story", (begin,), parts)


def _part(one: StepAccount, place: int, album: Album) -> Section:
    step = one.status
    kind = f" ({named(step.kind)})" if step.kind != step.step else ""
    mark = of_step(step.state, stale=step.stale, broken=bool(step.broken))
    blocks: list[Block | None] = [Text(purpose, "lead") if (purpose := purpose_of(step.kind)) else None]
    blocks += [Text(reason, "warning") for reason in because(step)] if mark.look != "good" else []
    if not step.waits_for and one.view is not None:
        blocks += _seen(one, album)
    return Section(f"{place + 1}. {named(step.step)}{kind}", anchor(place), told(*blocks), mark=mark)


def _seen(one: StepAccount, album: Album) -> list[Block | None]:
    """What the run left on which the step stands."""
    assert one.view is not None
    view, step = one.view, one.status
    outcome = view.outcome
    stopped = outcome.stopped if outcome else ""
    blocks: list[Block | None] = [
        Text(step.summary[:1].upper() + step.summary[1:] + ("" if step.summary.endswith(".") else "."))
        if step.summary
        else None,
        Text(f"The training ended early: {stopped}.", "warning") if stopped else None,
        checks_table(step.checks),
        *_initial(one),
    ]
    tried = tried_of(outcome) if outcome and outcome.candidates else None
    if tried is not None and step.kind not in _ELSEWHERE:
        blocks += _compared(tried)
    first = [row.name for row in tried.rows] if tried else []
    blocks += learning_curves(one.curves, step.step, first) if step.kind not in _ELSEWHERE else ()
    if step.kind not in _ELSEWHERE and (more := left_undrawn(one.curves)):
        blocks.append(Text(f"{more} further trainings of this step are not drawn.", "note"))
    if step.kind not in _ELSEWHERE:
        blocks += _pictures(one, album)
    blocks += [_attempts(one.attempts), _log(one), Text(_made(one), "note")]
    return blocks


def _pictures(one: StepAccount, album: Album) -> list[Block]:
    """A few of the pictures: what went wrong on validation says most, what went wrong in training least."""
    ranked = sorted(one.pictures, key=lambda kept: kept.artifact.name.startswith("train-examples"))
    ranked.sort(key=lambda kept: not kept.artifact.name.startswith("validation-examples"))
    rest = ", ".join(named(kept.artifact.name) for kept in ranked[_PICTURES:])
    note = f"Not shown: {rest}; `art export {named(one.status.step)}` copies all files of the step."
    return [album.take(kept, one.status.step) for kept in ranked[:_PICTURES]] + ([Text(note, "note")] if rest else [])


def _initial(one: StepAccount) -> tuple[Block | None, ...]:
    """The loss of fresh weights beside what is expected of it."""
    if one.status.kind != "CheckLossOnInit":
        return ()
    scores = {score.metric: score for score in one.status.scores}
    expected = scores.get("expected_loss")
    rows = [(name, score, "plain") for name, score in scores.items() if name in {"train/loss", "validation/loss"}]
    if not rows or expected is None:
        return ()
    caption = "Loss of the untrained model against what is expected of it"
    return (interval_figure(rows, caption, "loss", reference=("expected", expected.value)),)


def _compared(tried: Tried) -> list[Block | None]:
    scored = [row for row in tried.rows if row.gain is not None]
    drawing = gain_figure(tried, "Gain of each candidate, on the same examples") if scored else None
    return [
        drawing or tried_figure(tried, f"What was compared, by {tried.by}"),
        tried_table(tried, "What was tried, and what became of it"),
    ]


def _attempts(attempts: Attempts) -> Table | None:
    """Earlier runs, why they did not stand, and what was changed then."""
    rows = [
        (
            when(one.run.started),
            Cell(one.run.state.value, of_step(one.run.state)),
            _lines(one.why, "passed, and was outdated by what changed" if one.run.state is StepState.PASSED else ""),
            _lines(one.changed[:_CHANGES], "nothing that the result depends on", len(one.changed) - _CHANGES),
        )
        for one in attempts.shown
    ]
    more = f", the newest {len(rows)} of {len(rows) + attempts.more}" if attempts.more else ""
    return table(("started", "verdict", "why", "changed afterwards"), rows, f"Earlier runs of this step{more}")


def _lines(lines: tuple[str, ...], otherwise: str, more: int = 0) -> Cell | str:
    if not lines:
        return otherwise
    rest = (f"and {more} more",) if more > 0 else ()
    return Cell(lines[0], below=(*lines[1:], *rest))


def _log(one: StepAccount) -> Code | None:
    return Code("\n".join(one.lines), "The last lines of its log") if one.lines else None


def _made(one: StepAccount) -> str:
    assert one.view is not None
    run = one.view.record
    resumed = f", gone on from {run.resumed}" if run.resumed else ""
    took = f", {duration(run.seconds)}" if run.seconds is not None else ""
    judged = f", judged {len(one.view.judgements)} times" if len(one.view.judgements) > 1 else ""
    return f"Run {run.id}, {when(run.started)}{took}, seed {run.seed}{resumed}{judged}."
