"""`art status`: where a project stands."""

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from art_training.cli.options import Json, Project, StoreOption, WhichProject, the_one

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from art_training.views import ProjectStatus, ScoreRow, StepStatus


_UNTRAINED = {"EvaluateBaseline", "CheckLossOnInit", "OverfitOneBatch"}  # their scores are not meant to beat a baseline
_TEST = "FinalTest"  # the kind of step whose model was scored on the test split


def status(
    project: Project = None, *, which: WhichProject = None, store: StoreOption = None, json: Json = False
) -> None:
    """Show where each step stands, and what is stale.

    With the verdict, the checks, and the scores beside the best baseline.
    """
    from art_training.cli.output import console, put_json
    from art_training.cli.tables import steps_table
    from art_training.records.counted import counted

    with redirect_stdout(sys.stderr):  # what the user's code prints is no result
        found, standard = _found(the_one(project, which), store, named=which is not None, whole=not json)
    if json:
        put_json(found)
        return
    drawn = console()
    drawn.print(steps_table(_row(step) for step in found.steps))
    for what, names in _broken(found.steps).items():
        drawn.print(f"\n{', '.join(names)}: {what}", style="red")
    if found.test_uses:
        drawn.print(f"\nThe test split was used {counted(found.test_uses, 'time')} by this project.")
    if standard:
        drawn.print(f"\n{standard}")
    drawn.print(f"\n{found.next}")


def _found(project: str | None, store: str | None, *, named: bool, whole: bool) -> "tuple[ProjectStatus, str]":
    """Where it stands, and, if that is wanted, whether it meets the standard that it declares."""
    from art_training.cli.standing import standing
    from art_training.cli.verifying import told_of
    from art_training.views import status_of

    with standing(project, store, named=named) as known:
        found = status_of(known.store, known.project, known.plan, known.continuing)
        asked = known.declared if whole else None
        return found, told_of(asked, known.plan, known.continuing) if asked is not None else ""


def _broken(steps: "Sequence[StepStatus]") -> dict[str, list[str]]:
    """What setups raised, each once, with the steps that cannot be told of for it."""
    found: dict[str, list[str]] = {}
    for step in steps:
        if step.broken:
            found.setdefault(step.broken, []).append(step.step)
    return found


def _telling(step: "StepStatus") -> "Iterator[tuple[ScoreRow, str]]":
    """The scores of a trained model that have a baseline, with what it reached, unless a check says both.

    Of the final test they are those on the test split, where no baseline was scored. `art show` has all scores.
    """
    from art_training.checks.values import number

    if step.kind == _TEST:
        yield from ((score, "") for score in _tested(step.scores))
        return
    for score in () if step.kind in _UNTRAINED else step.scores:
        told = any(score.metric in check.reason and score.baseline_name in check.reason for check in step.checks)
        if score.baseline is not None and not told:
            yield score, f"best baseline {number(score.baseline)} ({score.baseline_name})"


def _tested(scores: "Sequence[ScoreRow]") -> "list[ScoreRow]":
    """The scores of the whole test split, without those of classes and the gap; the loss where there is no other."""
    names = {score.metric for score in scores}
    validated = any(name.startswith("validation/") for name in names)
    whole = [
        score
        for score in scores
        if score.metric.startswith("test/")
        and (score.metric.replace("test/", "validation/", 1) in names if validated else "." not in score.metric)
    ]
    return [score for score in whole if score.metric != "test/loss"] or whole


def _row(step: "StepStatus") -> Any:
    from rich.text import Text

    from art_training.cli.output import console, note
    from art_training.cli.tables import verdict_line
    from art_training.records.counted import counted
    from art_training.views.wording import duration, score_text

    lines = [] if step.waits_for else [verdict_line(check, console()) for check in step.checks]
    for score, baseline in () if step.waits_for else _telling(step):
        told = ", ".join(filter(None, (f"{score.metric} {score_text(score)}", baseline)))
        lines.append(Text(f"{note(console())} {told}", "dim"))
    if step.error:
        lines.append(Text(step.error, "red"))
    if step.findings:
        found = counted(step.findings, "finding")
        lines.append(Text(f"{found}; `art show {step.step}` has the list", "yellow"))
    lines += [Text(reason, "yellow") for reason in step.reasons]
    beside = "setup broken" if step.broken else "stale" if step.stale else ""
    return step.step, step.state, beside, lines, duration(step.seconds)
