"""What a report is made of: attempts, what was tried, the verdict on the whole, and the way to the delivered model."""

from dataclasses import replace

import pytest

from art_training.records import Artifact, Candidate, Interval, Outcome, Reading, Score
from art_training.stores.sql import SqlStore
from art_training.testing.history import keep_run, keep_toy_project, verdict
from art_training.views import find_run
from art_training.views.account import account_of, account_of_run
from art_training.views.attempts import attempts_of
from art_training.views.journey import journey_of
from art_training.views.tried import tried_of


@pytest.fixture
def store(tmp_path):
    opened = SqlStore(tmp_path / "art.db")
    yield opened
    opened.close()


@pytest.fixture
def toy(store):
    keep_toy_project(store)
    return store


def test_attempts_say_why_a_run_did_not_stand_and_what_was_changed_then(toy):
    (attempt,) = attempts_of(toy, find_run(toy, "toy", "Overfit")).shown
    assert attempt.run.state.value == "failed"
    assert attempt.why == ("train/loss is 0.69",)
    assert "hparams.lr: 0.1 -> 0.001" in attempt.changed


def test_of_many_attempts_the_newest_are_told_and_the_others_counted(store):
    for minute in range(30):
        keep_run(store, "Overfit", minute=minute, verdicts=[verdict("x", "failed")])
    found = attempts_of(store, find_run(store, "toy", "Overfit~3"), most=5)
    assert [one.run.started.minute for one in found.shown] == [21, 22, 23, 24, 25]
    assert found.more == 21


def test_an_attempt_that_raised_says_what(store):
    keep_run(store, "Overfit", minute=1, error="ValueError: no", verdicts=None)
    keep_run(store, "Overfit", minute=2, verdicts=[verdict("x")])
    assert attempts_of(store, find_run(store, "toy", "Overfit")).shown[0].why == ("ValueError: no",)


def test_candidates_stand_in_the_order_of_the_score_that_decides_and_say_what_became_of_them():
    def one(name: str, loss: float, low: float, high: float) -> Candidate:
        gain = Score((low + high) / 2, Interval(low, high), direction="maximize")
        return Candidate(name, {"validation/loss": Score(loss, direction="minimize"), "gain": gain})

    outcome = Outcome(
        candidates=(
            Candidate("reference", {"validation/loss": Score(0.5, direction="minimize")}),
            one("dropout", 0.45, -0.1, 0.2),
            one("moved", 0.2, 0.1, 0.3),
            one("noise", 0.9, -0.5, -0.3),
            Candidate("broken", note="ran out of memory"),
        ),
        parameters={"by": "validation/loss", "winner": "moved"},
        readings=(Reading("winner", "moved", note="better beyond doubt"),),
    )
    tried = tried_of(outcome)
    assert [row.name for row in tried.rows] == ["moved", "dropout", "reference", "noise", "broken"]
    assert [row.name for row in tried.rows if row.chosen] == ["moved"]
    why = {row.name: row.why for row in tried.rows}
    assert why["moved"] == "better beyond doubt"
    assert why["dropout"].startswith("better, though not beyond doubt: gain 0.05")
    assert why["noise"].startswith("worse: gain -0.4")
    assert why["broken"] == "ran out of memory"


def test_a_candidate_that_did_worse_is_called_worse_though_few_seeds_leave_a_doubt():
    gain = Score(-6768.0, Interval(-303821.0, 290285.0), direction="maximize")

    def why(seeds: list[float]) -> str:
        return tried_of(Outcome(candidates=(Candidate("too fast", {"gain": gain}, {"by_seed": seeds}),))).rows[0].why

    assert why([-30151.0, -1.0]) == "worse under every seed, though not beyond doubt: gain -6768 [-303821, 290285]"
    assert why([-30151.0, 1.0]) == "worse, though not beyond doubt: gain -6768 [-303821, 290285]"


def test_candidates_that_share_no_score_keep_their_order():
    outcome = Outcome(candidates=(Candidate("b"), Candidate("a", {"x": Score(float("nan"))})))
    assert [row.name for row in tried_of(outcome).rows] == ["b", "a"]


def test_the_way_to_the_model_leaves_out_what_trained_on_other_data(store):
    def trained(step: str, minute: int, value: float, data: str, **parameters: object) -> None:
        keep_run(
            store,
            step,
            minute=minute,
            kind="Overfit",
            scores={"validation/accuracy": Score(value, direction="maximize")},
            curves={"train/loss": [1.0, 0.1]},
            verdicts=[verdict("x")],
            parameters={"data": data, "hparams.lr": 0.003, **parameters},
        )

    keep_run(store, "ExploreData", verdicts=[verdict("x")], parameters={"data": "Digits", "hparams.lr": 0.003})
    trained("Overfit", 1, 0.8, "Digits")
    trained("Pretrain", 2, 0.99, "Others")
    trained("Tuned", 3, 0.9, "Digits", **{"hparams.lr": 0.01})
    journey = journey_of(account_of(store, "toy"))
    assert [(stage.step, stage.score.value) for stage in journey.stages] == [("Overfit", 0.8), ("Tuned", 0.9)]
    assert journey.aside == ("Pretrain",)
    assert journey.delivered_by == "Tuned"
    assert [str(change) for change in journey.changes] == ["hparams.lr: 0.003 -> 0.01"]


def test_a_step_that_failed_delivers_nothing(store):
    keep_run(store, "Overfit", curves={"train/loss": [1.0]}, verdicts=[verdict("x", "failed")])
    account = account_of(store, "toy")
    assert journey_of(account).delivered_by == ""
    assert account.overall.deciding is None
    assert account.overall.sentence.startswith("0 of 1 step passed: Overfit failed")


def test_the_verdict_names_the_number_that_decides_beside_the_best_baseline(toy):
    sentence = account_of(toy, "toy").overall.sentence
    assert sentence == (
        "All 4 steps passed. Overfit reached validation/accuracy 0.9806 [0.9606, 0.9916] on 360 validation examples; "
        "the best baseline, linear, reached 0.9639."
    )


def test_pictures_are_among_the_account_also_where_they_are_gone(store, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(b"a picture")
    kept = store.artifacts.put(file, name="a.png")
    gone = replace(kept, name="b.png", digest="0" * 64)
    table = Artifact("c.csv", "table", kept.digest, 1)
    keep_run(store, "Overfit", artifacts=[kept, gone, table], verdicts=[verdict("x")])
    (step,) = account_of(store, "toy").steps
    assert [(one.artifact.name, one.path is not None) for one in step.pictures] == [("a.png", True), ("b.png", False)]


def test_the_account_of_an_earlier_run_is_of_that_run(toy):
    account = account_of_run(toy, find_run(toy, "toy", "Overfit~1"))
    assert account.only.endswith("000003")
    assert [one.status.state.value for one in account.steps] == ["failed"]
    assert not account.steps[0].attempts.shown
