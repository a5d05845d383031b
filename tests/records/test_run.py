from datetime import UTC, datetime, timedelta

from art_training.records import Fingerprint, RunRecord, RunStatus, StepState

START = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_run_lasts_from_start_to_end() -> None:
    run = RunRecord("1", "p", "s", "S", Fingerprint(), 0, START)
    assert (run.seconds, run.status, run.state) == (None, RunStatus.RUNNING, StepState.RUNNING)
    ended = RunRecord("1", "p", "s", "S", Fingerprint(), 0, START, ended=START + timedelta(minutes=2))
    assert ended.seconds == 120
