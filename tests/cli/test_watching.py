"""What is shown while a project runs, on a terminal and elsewhere."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from art_training.cli import output, watching
from art_training.cli.watching import Watching
from art_training.records import (
    Action,
    CheckJudged,
    Fingerprint,
    Judgement,
    Plan,
    PlannedStep,
    ProjectEnded,
    ProjectStarted,
    RunRecord,
    RunStatus,
    StepEnded,
    StepProgress,
    StepStarted,
    StepState,
    Verdict,
    VerdictState,
)

START = datetime(2026, 5, 4, tzinfo=UTC)
EXPLORE = PlannedStep("ExploreData", "ExploreData", Action.RECALL, "nothing changed")
OVERFIT = PlannedStep("Overfit", "Overfit", Action.RUN, "hparams.lr: 0.1 -> 0.01", seconds=31.0)
GOOD = Verdict("train/loss < 0.05", VerdictState.PASSED, "train/loss is 0.0194, < 0.05")
LONG = Verdict(
    "validation/accuracy beats the best baseline",
    VerdictState.FAILED,
    "validation/accuracy is 0.9 [0.88, 0.92], not above boosting's 0.9694 [0.946, 0.983] (EvaluateBaseline)",
)


def record(step: str, state: StepState) -> RunRecord:
    ended = START.replace(second=31)
    return RunRecord(
        "r", "toy", step, step, Fingerprint(), 0, START, status=RunStatus.COMPLETED, ended=ended, state=state
    )


def events():
    yield ProjectStarted(Plan("toy", (EXPLORE, OVERFIT)))
    yield CheckJudged("ExploreData", GOOD)
    yield StepEnded(record("ExploreData", StepState.PASSED), None, Judgement((GOOD,), START, StepState.PASSED), True)
    yield StepStarted(OVERFIT, record("Overfit", StepState.RUNNING))
    for batch in range(3):
        values = {"train/loss": 0.5, "lr/0": 0.001} if batch == 1 else {}
        yield StepProgress("Overfit", "fit", 3, 20, batch, 23, None, 65.0, values)
    yield CheckJudged("Overfit", GOOD)
    yield CheckJudged("Overfit", LONG)
    yield StepEnded(record("Overfit", StepState.FAILED), None, None)
    yield ProjectEnded({"Overfit": StepState.FAILED}, "Next: do this.")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Terminal:
    shown = Terminal()
    real = output.console
    monkeypatch.setattr(watching, "console", lambda _: real(shown))
    monkeypatch.setenv("TERM", "xterm-256color")
    return shown


def test_elsewhere_than_on_a_terminal_there_are_plain_lines_that_stay_whole(capsys, snapshot):
    watch = Watching()
    for event in events():
        watch(event)
    out, err = capsys.readouterr()
    assert out == ""
    assert "\x1b" not in err
    assert "\r" not in err
    assert watch.next == "Next: do this."
    assert "\n".join(line.rstrip() for line in err.splitlines()) == snapshot


def test_the_time_of_a_step_that_went_on_tells_what_it_took_before(capsys):
    watch = Watching()
    ended = replace(record("Overfit", StepState.PASSED), seconds_before=90.0)
    for event in (ProjectStarted(Plan("toy", (OVERFIT,))), StepEnded(ended, None, None)):
        watch(event)
    assert "passed in 2 min 1 s, 1 min 30 s of it before it was broken off" in capsys.readouterr().err


def test_what_a_replaced_step_lost_is_told_when_the_run_begins(capsys):
    lost = {
        "human of EvaluateBaseline": "to be given again: EvaluateBaseline(human=1)",
        "FinalTest": "a test split",
    }
    Watching()(ProjectStarted(Plan("toy", (OVERFIT,), lost)))
    said = " ".join(capsys.readouterr().err.split())
    assert "human of EvaluateBaseline, which needs to be given again: EvaluateBaseline(human=1)" in said
    assert "FinalTest" not in said


def test_long_training_says_now_and_then_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(watching, "_SECONDS_BETWEEN_PLAIN_LINES", 0.0)
    watch = Watching()
    for event in events():
        watch(event)
    lines = [line.strip() for line in capsys.readouterr().err.splitlines() if "epoch" in line]
    assert lines == [
        "fit, epoch 4/20, batch 0/23, about 1 min 5 s left",
        "fit, epoch 4/20, batch 1/23, train/loss 0.5, about 1 min 5 s left",
        "fit, epoch 4/20, batch 2/23, train/loss 0.5, about 1 min 5 s left",
    ]


def test_on_a_terminal_a_line_moves_and_is_gone_at_the_end(terminal):
    watch = Watching()
    for event in events():
        watch(event)
        if isinstance(event, StepProgress):
            assert watch._bar is not None
            watch._bar.refresh()
    shown = terminal.getvalue()
    assert "epoch 4/20" in shown
    assert "1 min 5 s left" in shown
    assert watch._bar is None
    assert shown.rstrip().endswith("31 s")
    assert "\x1b[?25h" in shown, "the cursor is shown again"


@pytest.mark.parametrize("columns", ["40", "80"])
def test_the_moving_line_fits_a_narrow_terminal(terminal, monkeypatch, columns):
    from rich.text import Text

    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    watch = Watching()
    for event in events():
        watch(event)
        if isinstance(event, StepProgress) and watch._bar is not None:
            watch._bar.refresh()
    lines = Text.from_ansi(terminal.getvalue()).plain.replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= int(columns)


def test_an_exception_leaves_no_moving_line(terminal):
    watch = Watching()
    for event in events():
        watch(event)
        if isinstance(event, StepProgress):
            break
    watch.close()
    assert "\x1b[?25h" in terminal.getvalue()
