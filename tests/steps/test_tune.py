"""A search: what it tries, what it believes, what it hands on, and what it never does twice."""

import csv
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import PearsonCorrCoef, R2Score

import art_training as art
from art_training.checks import Above, NoNaN
from art_training.errors import ProjectError, SetupError, UnknownMetric
from art_training.records import Action, Outcome, StepState
from art_training.runner import StepResult
from art_training.setup.setup import Setup
from art_training.steps import Bench, Step, Tune
from art_training.stores.sql import SqlStore

DIGITS = load_digits(return_X_y=True)
X, Y = torch.tensor(DIGITS[0], dtype=torch.float32) / 16, torch.tensor(DIGITS[1])
DATA = art.data(train=(X[:300], Y[:300]), validation=(X[300:700], Y[300:700]), batch_size=50)
METRICS = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}


class Net(nn.Module):
    def __init__(self, width: int = 16, fault: str = "none") -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
        self.fault = fault

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fault == "raises":
            raise ArithmeticError("no such thing\nas this")
        if self.fault == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.net(x) * (float("nan") if self.fault == "nan" else 1.0)


def setup_of(epochs: int = 2, **hparams: Any) -> Setup:
    model = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-3)
    return Setup(model, DATA, hparams=hparams, trainer={"max_epochs": epochs, "accelerator": "cpu"})


@dataclass(frozen=True)
class Sees(Step):
    """Leaves the setup that it is given."""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(parameters=bench.setup.described())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(SqlStore(tmp_path / "art.db")) as store:
        yield store


def tuned(store: SqlStore, step: Tune, setup: Setup | None = None, **run: Any) -> tuple[StepResult, Outcome]:
    result = art.ArtProject("p", setup or setup_of(), metrics=METRICS, steps=[step], store=store).run(**run)[step.name]
    assert result.outcome is not None
    return result, result.outcome


def trained(store: SqlStore, result: StepResult) -> set[str]:
    """Names of the trainings that ran in this very run."""
    assert result.run is not None
    return {name.partition("/")[0] for name in store.curves(result.run.id)} - {"train", "validation"}


def reading(outcome: Outcome, name: str) -> Any:
    found = outcome.reading(name)
    assert found is not None
    return found


SMALL: dict[str, Any] = {"seeds_for_winner": 1, "top": 1}


def test_a_search_finds_what_is_better_and_hands_it_on(store: SqlStore) -> None:
    step = Tune({"lr": art.space.log_uniform(1e-3, 1e-1)}, by="accuracy", trials=4, seeds_for_winner=2, top=2)
    project = art.ArtProject("p", setup_of(lr=1e-6), metrics=METRICS, steps=[step, Sees()], store=store)
    result = project.run()
    outcome = result["Tune"].outcome
    assert outcome is not None
    assert result["Tune"].state is StepState.PASSED

    scores = outcome.scores
    winner = outcome.parameters["winner"]
    best = max(one.scores["validation/accuracy"].value for one in outcome.candidates[:4])
    assert scores["selected_value"].value <= best
    assert scores["gain"].value > 0.2
    assert scores["gain"].interval is not None
    again = next(one for one in outcome.candidates if one.name == f"{winner} on 2 fresh seeds")
    assert scores["validation/accuracy"].value == again.scores["validation/accuracy"].value
    interval = scores["validation/accuracy"].interval
    assert interval is not None
    assert 0 <= interval.low < scores["validation/accuracy"].value < interval.high <= 1
    assert "handed on" in outcome.summary

    # Later steps begin with the winner.
    seen = result["Sees"].outcome
    assert seen is not None
    assert seen.parameters["hparams.lr"] == outcome.parameters["point"]["lr"]

    # Only the weights of the best are kept, and what is handed on.
    names = [artifact.name for artifact in outcome.artifacts]
    assert len([name for name in names if name.startswith("trial ") and name.endswith(".ckpt")]) == 2
    assert {"last.ckpt", "trials.csv", f"{winner}.ckpt"} <= set(names)
    with store.artifacts.fetch(outcome.artifact("trials.csv").digest).open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["lr"]) for row in rows] == [one.parameters["lr"] for one in outcome.candidates[:4]]
    assert reading(outcome, "importance").note == "not told: 4 finished trials are too few, it takes 15"
    assert not list(store.workspace.rglob("*.ckpt"))
    assert step.configured(setup_of(), outcome, winner).hparams["lr"] == outcome.parameters["point"]["lr"]
    with pytest.raises(ProjectError, match="'trial 99' is none of the best trials of step 'Tune'"):
        step.configured(setup_of(), outcome, "trial 99")


def test_a_winner_that_is_the_incoming_setup_is_not_called_better(store: SqlStore) -> None:
    step = Tune({"lr": art.space.choice(1e-2, 1e-7)}, by="accuracy", trials=2, sampler="random", **SMALL)
    _, outcome = tuned(store, step, setup_of(lr=1e-2))
    assert outcome.parameters["point"] == {"lr": "0.01"}
    assert outcome.parameters["carried"] is True
    note = reading(outcome, "winner").note
    assert note.endswith("validation/accuracy is that of the incoming setup, no better and no worse")


def test_a_winner_that_is_worse_than_what_there_was_is_not_handed_on(store: SqlStore) -> None:
    step = Tune({"lr": art.space.log_uniform(1e-8, 1e-7)}, by="accuracy", trials=2, **SMALL)
    setup = setup_of(lr=1e-2)
    result = art.ArtProject("p", setup, metrics=METRICS, steps=[step, Sees()], store=store).run()
    outcome, seen = result["Tune"].outcome, result["Sees"].outcome
    assert outcome is not None
    assert seen is not None
    assert outcome.scores["gain"].value < 0
    assert outcome.parameters["carried"] is False
    assert "not handed on" in outcome.summary
    assert "searched nothing" not in outcome.summary
    assert "is worse than that of the incoming setup by" in reading(outcome, "winner").note
    assert seen.parameters["hparams.lr"] == 1e-2
    incoming = next(one for one in outcome.candidates if one.name.startswith("incoming setup"))
    assert outcome.scores["validation/accuracy"].value == incoming.scores["validation/accuracy"].value
    assert outcome.artifact("last.ckpt").note.startswith("incoming setup")


def test_a_trial_that_fails_is_not_the_end_and_a_space_may_come_to_its_end(store: SqlStore) -> None:
    space = {"fault": art.space.choice("none", "raises", "memory", "nan")}
    _, outcome = tuned(store, Tune(space, trials=10, **SMALL))
    assert reading(outcome, "trials").value == {"finished": 1, "pruned": 0, "failed": 3}
    assert reading(outcome, "trials").note == "all 4 points of the space were tried"
    by_fault = {one.parameters["fault"]: one for one in outcome.candidates[:4]}
    assert "ArithmeticError: no such thing" in by_fault["raises"].note
    assert "out of memory" in by_fault["memory"].note
    assert "not finite" in by_fault["nan"].note
    assert by_fault["none"].note == ""
    assert len(reading(outcome, "failed trials").value) == 3
    assert outcome.parameters["winner"] == next(
        one.name for one in outcome.candidates if one.parameters["fault"] == "none"
    )


def test_where_every_trial_fails_the_step_fails_with_their_sentences_and_hands_on_what_there_was(
    store: SqlStore,
) -> None:
    step = Tune({"fault": art.space.choice("raises", "nan"), "lr": art.space.uniform(1e-3, 1e-2)}, epochs=10**6)
    result, outcome = tuned(store, step)
    assert result.state is StepState.FAILED
    assert result.judgement is not None
    assert "no trial gave a value: trial 0: " in result.judgement.verdicts[0].reason
    assert reading(outcome, "trials").note == "the first 10 trials all failed"
    assert outcome.scores["finished_trials"].value == 0
    assert outcome.artifacts[0].name == "trials.csv"
    assert step.carry(setup_of(lr=0.5), outcome).hparams["lr"] == 0.5


def test_what_the_step_lays_over_the_setup_is_for_the_search_and_a_setup_of_its_own_goes_along() -> None:
    outcome = Outcome(parameters={"carried": True, "point": {"lr": 0.5}, "points": {"trial 3": {"lr": 0.5}}})
    short = Tune(SPACE, trials=1, trainer={"max_epochs": 1}, hparams={"width": 4})
    carried = short.carry(setup_of(7), outcome)
    assert (carried.described()["trainer.max_epochs"], dict(carried.hparams)) == (7, {"lr": 0.5})
    trained = short.configured(setup_of(7), outcome, "trial 3")
    assert (trained.described()["trainer.max_epochs"], trained.hparams["width"]) == (1, 4)
    own = Tune(SPACE, trials=1, setup=setup_of(5), hparams={"width": 4})
    carried = own.carry(setup_of(7), outcome)
    assert (carried.described()["trainer.max_epochs"], carried.hparams["width"]) == (5, 4)


def test_a_changed_modifier_makes_the_search_stale(store: SqlStore) -> None:
    def plan(factor: float) -> Any:
        def scaled(module: nn.Module) -> nn.Module:
            with torch.no_grad():
                module.net[0].weight.mul_(factor)
            return module

        space = {"start": art.space.choice(plain=art.Variant(), scaled=art.Variant(model=scaled))}
        step = Tune(space, trials=2, **SMALL)
        return art.ArtProject("p", setup_of(1), metrics=METRICS, steps=[step], store=store)

    plan(0.5).run()
    assert plan(0.5).plan().steps[0].action is Action.RECALL
    assert plan(0.25).plan().steps[0].action is Action.RUN


def test_epochs_are_a_budget(store: SqlStore) -> None:
    step = Tune({"lr": art.space.log_uniform(1e-4, 1e-2)}, epochs=5, pruning=None, **SMALL)
    _, outcome = tuned(store, step)
    assert reading(outcome, "trials").value == {"finished": 3, "pruned": 0, "failed": 0}
    assert reading(outcome, "trials").note == "the 5 epochs were spent"
    assert outcome.reading("pruned by") is None


def test_seconds_are_a_budget(store: SqlStore) -> None:
    _, outcome = tuned(store, Tune({"lr": art.space.log_uniform(1e-4, 1e-2)}, seconds=0.001, **SMALL), setup_of(1))
    assert reading(outcome, "trials").value["finished"] == 1
    assert reading(outcome, "trials").note == "the 0.001 seconds were spent"


def test_a_larger_budget_trains_no_trial_again_and_a_forced_run_does(store: SqlStore) -> None:
    def step(**amounts: int) -> Tune:
        return Tune({"lr": art.space.log_uniform(1e-4, 1e-1)}, **{**SMALL, **amounts})

    first, small = tuned(store, step(trials=2), setup_of(1))
    assert {"trial 0", "trial 1"} <= trained(store, first)
    second, large = tuned(store, step(trials=3), setup_of(1))
    assert not {"trial 0", "trial 1"} & trained(store, second)
    assert large.candidates[:2] == small.candidates[:2]
    # Two of the best are trained again now; the one that had been is remembered, and its weights are still known.
    third, wider = tuned(store, step(trials=3, top=2), setup_of(1))
    assert not {"trial 0", "trial 1", "trial 2"} & trained(store, third)
    assert wider.candidates[:3] == large.candidates[:3]
    assert len([artifact for artifact in wider.artifacts if artifact.name.startswith("trial ")]) >= 1
    forced, same = tuned(store, step(trials=3, top=2), setup_of(1), force=True)
    assert {"trial 0", "trial 1", "trial 2"} <= trained(store, forced)
    assert same.candidates == wider.candidates


def test_less_of_the_same_search_is_its_beginning(store: SqlStore) -> None:
    space = {"lr": art.space.log_uniform(1e-4, 1e-1)}
    _, large = tuned(store, Tune(space, trials=3, **SMALL), setup_of(1))
    _, small = tuned(store, Tune(space, trials=2, **SMALL), setup_of(1))
    assert small.candidates[:2] == large.candidates[:2]
    assert reading(small, "trials").value["finished"] == 2


def test_a_changed_space_says_what_changed_and_an_unchanged_one_is_recalled(store: SqlStore) -> None:
    def plan(high: float) -> Any:
        step = Tune({"lr": art.space.log_uniform(1e-4, high)}, trials=1, **SMALL)
        return art.ArtProject("p", setup_of(1), metrics=METRICS, steps=[step], store=store)

    plan(1e-1).run()
    assert plan(1e-1).plan().steps[0].action is Action.RECALL
    changed = plan(1e-2).plan().steps[0]
    assert changed.action is Action.RUN
    assert "step.space.lr" in changed.reason


def test_ctrl_c_ends_the_search_and_the_next_run_goes_on_from_there(store: SqlStore) -> None:
    class Interrupts(lightning.Callback):
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            # Counted where no fingerprint looks: neither with the class nor in a file that the code names.
            begun = Path(os.environ["HOME"]) / "begun"
            with begun.open("a") as file:
                file.write("x")
            if begun.stat().st_size == 2:
                raise KeyboardInterrupt

    setup = setup_of(1).but(trainer={"callbacks": [Interrupts()]})
    step = Tune({"lr": art.space.log_uniform(1e-4, 1e-1)}, trials=3, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        tuned(store, step, setup)
    result, outcome = tuned(store, step, setup)
    assert result.run is not None
    assert result.run.resumed
    assert reading(outcome, "trials").value["finished"] == 3
    assert (Path(os.environ["HOME"]) / "begun").stat().st_size == 3 + 1 + 2, (
        "three trials, one of them begun twice, and two trainings on a fresh seed"
    )


def test_modifiers_may_be_chosen(store: SqlStore) -> None:
    def blind(module: nn.Module) -> nn.Module:
        module.net[0].weight.requires_grad_(False).zero_()
        return module

    space = {"start": art.space.choice(plain=art.Variant(hparams={"lr": 1e-2}), blind=art.Variant(model=blind))}
    _, outcome = tuned(store, Tune(space, by="accuracy", trials=2, **SMALL), setup_of(3))
    assert {one.parameters["start"] for one in outcome.candidates[:2]} == {"plain", "blind"}
    assert outcome.parameters["point"] == {"start": "plain"}


def test_a_choice_whose_data_give_no_batch_is_told_by_name_before_the_first_trial(store: SqlStore) -> None:
    def unvalidated(data: Any) -> Any:
        return art.data(train=(X[:300], Y[:300]), batch_size=50)

    space = {"rows": art.space.choice(all=art.Variant(hparams={"lr": 1e-2}), none=art.Variant(data=unvalidated))}
    _, outcome = tuned(store, Tune(space, trials=2, **SMALL), setup_of(1))
    assert "; rows='none' could not be trained for want of data: the data has no validation split" in outcome.summary
    assert [one.code for one in outcome.findings] == ["ART742"]
    assert outcome.scores["finished_trials"].value == 1


def test_where_no_choice_has_data_nothing_is_searched(store: SqlStore) -> None:
    def unvalidated(data: Any) -> Any:
        return art.data(train=(X[:300], Y[:300]), batch_size=50)

    space = {"rows": art.space.choice(a=art.Variant(data=unvalidated), b=art.Variant(data=unvalidated, note="too"))}
    with pytest.raises(
        SetupError, match=r"no choice of space\['rows'\] can be trained: rows='a': for want of data: the data has"
    ):
        tuned(store, Tune(space, trials=2, **SMALL), setup_of(1))


def test_options_that_change_what_is_validated_on_are_compared_by_their_means(store: SqlStore) -> None:
    def fewer(data: Any) -> Any:
        return data.but(validation=(X[300:400], Y[300:400]))

    space = {
        "lr": art.space.uniform(0.01, 0.02),
        "rows": art.space.choice(few=art.Variant(data=fewer), same=art.Variant(data=fewer, note="x")),
    }
    _, outcome = tuned(store, Tune(space, trials=1, **SMALL), setup_of(1))
    assert "1 trial (1 finished), which searched nothing: one point was drawn" in outcome.summary
    assert outcome.scores["gain"].interval is None
    assert "can be compared on the same ones only" in outcome.scores["gain"].note


class Logs(lightning.LightningModule):
    """Logs an accuracy while it validates, the better the higher `lr` is; its loss says the contrary."""

    def __init__(self, lr: float = 0.1, *, logs: bool = True) -> None:
        super().__init__()
        self.net, self.lr, self.logs = nn.Linear(64, 10), lr, logs

    def training_step(self, batch: Any, index: int) -> Any:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, index: int) -> None:
        if self.logs:
            self.log("val_accuracy", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.lr)


@pytest.mark.slow
def test_pruning_goes_by_the_metric_where_the_module_logs_it(store: SqlStore) -> None:
    setup = Setup(Logs, DATA, trainer={"max_epochs": 4, "accelerator": "cpu"})
    step = Tune({"lr": art.space.log_uniform(1e-5, 1.0)}, by="accuracy", sampler="random", trials=9, **SMALL)
    _, outcome = tuned(store, step, setup)
    told = reading(outcome, "pruned by")
    assert (told.value, told.note) == ("logged/val_accuracy", "")
    pruned = [one for one in outcome.candidates if one.note.startswith("pruned after epoch")]
    assert pruned
    assert all("of 4, at logged/val_accuracy" in one.note for one in pruned)
    assert all(one.parameters["lr"] < outcome.parameters["point"]["lr"] for one in pruned)


def test_where_nothing_is_logged_nothing_is_pruned_and_that_is_said(store: SqlStore) -> None:
    setup = Setup(Logs, DATA, hparams={"logs": False}, trainer={"max_epochs": 1, "accelerator": "cpu"})
    _, outcome = tuned(store, Tune({"lr": art.space.log_uniform(1e-3, 1.0)}, by="accuracy", trials=1, **SMALL), setup)
    told = reading(outcome, "pruned by")
    assert told.value is None
    assert "nothing could be pruned: the module logs neither accuracy nor a loss" in told.note


def test_where_the_metric_is_not_logged_the_validation_loss_stands_in(store: SqlStore) -> None:
    _, outcome = tuned(
        store, Tune({"lr": art.space.log_uniform(1e-3, 1.0)}, by="accuracy", trials=1, **SMALL), setup_of(1)
    )
    told = reading(outcome, "pruned by")
    assert told.value == "validation/loss"
    assert "stood in for it" in told.note


@pytest.mark.slow
def test_a_regression_is_searched_by_its_loss_with_hyperband(store: SqlStore) -> None:
    table, target = load_diabetes(return_X_y=True)
    x = torch.tensor(table, dtype=torch.float32) * 20
    y = torch.tensor((target - target.mean()) / target.std(), dtype=torch.float32)
    setup = Setup(
        art.from_torch(lambda: nn.Sequential(nn.Linear(10, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=1e-5),
        art.data(train=(x[:300], y[:300]), validation=(x[300:], y[300:]), batch_size=50),
        trainer={"max_epochs": 4, "accelerator": "cpu"},
    )
    step = Tune({"lr": art.space.log_uniform(1e-5, 1e-1)}, trials=8, pruning="hyperband", seeds_for_winner=2, top=1)
    result = art.ArtProject("p", setup, metrics={"r2": R2Score()}, steps=[step], store=store).run()["Tune"]
    outcome = result.outcome
    assert outcome is not None
    assert reading(outcome, "trials").value["pruned"] > 0
    assert outcome.parameters["point"]["lr"] > 1e-4
    assert outcome.scores["gain"].value > 0
    assert outcome.scores["validation/r2"].value > 0.2


SPACE = {"lr": art.space.uniform(0.1, 0.2)}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"space": {}, "trials": 1}, "has no dimension, so there is nothing to search"),
        ({"space": SPACE}, "has no budget and would search for ever"),
        ({"space": SPACE, "trials": 0}, "trials=0 of step 'Tune' is no budget"),
        ({"space": SPACE, "epochs": -1}, "epochs=-1 of step 'Tune' is no budget"),
        ({"space": SPACE, "seconds": 0}, "seconds=0 of step 'Tune' is no budget"),
        ({"space": SPACE, "trials": 1.5}, "trials=1.5"),
        ({"space": SPACE, "trials": True}, "trials=True"),
        ({"space": SPACE, "trials": 1, "by": "test/accuracy"}, "is of the test split"),
        ({"space": SPACE, "trials": 1, "by": "train/loss"}, "is not of the whole validation split"),
        ({"space": SPACE, "trials": 1, "by": 3}, "by=3 of step 'Tune' is no metric"),
        ({"space": SPACE, "trials": 1, "sampler": "grid"}, "sampler='grid' of step 'Tune' is none of: 'tpe', 'random'"),
        ({"space": SPACE, "trials": 1, "pruning": "none"}, "pruning='none' of step 'Tune' is none of: .*None"),
        ({"space": SPACE, "trials": 1, "top": 0}, "top=0"),
        ({"space": SPACE, "trials": 1, "seeds_for_winner": 0}, "seeds_for_winner=0"),
    ],
)
def test_wrong_use_is_refused_when_it_is_declared(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ProjectError, match=sentence):
        Tune(**fields)


@pytest.mark.parametrize(
    ("space", "by", "setup", "error", "sentence"),
    [
        ({"widht": art.space.integer(2, 8)}, "loss", setup_of(), SetupError, "'widht', which the model does not take"),
        ({"max_epochs": art.space.integer(2, 8)}, "loss", setup_of(), SetupError, r"called 'trainer\.max_epochs'"),
        (SPACE, "precision", setup_of(), UnknownMetric, "no metric 'precision'"),
        (SPACE, "accuracy", setup_of().but(data=art.data(train=(X, Y))), SetupError, "the data has: train"),
        (SPACE, "unsure", setup_of(), SetupError, "not known which way metric 'unsure' is better"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_trained(
    store: SqlStore, *, space: dict[str, Any], by: str, setup: Setup, error: type[Exception], sentence: str
) -> None:
    metrics = {**METRICS, "unsure": lambda predictions, targets: 0.0}
    with pytest.raises(error, match=sentence):
        art.ArtProject("p", setup, metrics=metrics, steps=[Tune(space, by=by, trials=1)], store=store).run()


def test_checks_may_name_its_scores() -> None:
    step = Tune(SPACE, trials=1, checks=[Above("gain", 0.0), Above("validation/accuracy", 0.9)])
    assert {"gain", "selected_value", "finished_trials"} <= set(step.score_names(["accuracy"]))
    assert step.default_checks(setup_of().task, ["accuracy"]) == (Above("finished_trials", 0), NoNaN())


@pytest.mark.filterwarnings("ignore:The variance of predictions or target")
def test_a_metric_that_is_no_number_does_not_pass_though_another_one_decides(store: SqlStore) -> None:
    x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    data = art.data(train=(x, x.sum(1, keepdim=True)), validation=(x[:40], torch.zeros(40, 1)))
    model = art.from_torch(partial(nn.Linear, 4, 1), loss=nn.MSELoss, lr=1e-2)
    setup = Setup(model, data, trainer={"max_epochs": 1, "accelerator": "cpu"})
    step = Tune({"lr": art.space.uniform(0.01, 0.02)}, trials=1, examples=0, **SMALL)
    result = art.ArtProject("p", setup, metrics={"pearson": PearsonCorrCoef()}, steps=[step], store=store).run()["Tune"]
    assert result.state is StepState.FAILED
    assert [verdict.reason for verdict in result.judgement.verdicts if "validation/pearson is nan" in verdict.reason]
