"""Candidates are compared with the reference as they would be trained, and only one that is surely better is believed."""

import csv
import io
from dataclasses import replace
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from tests.steps.regularization.digits import (
    DECAY,
    DROPOUT,
    SHORT,
    VALIDATION,
    X,
    Y,
    project_of,
    run,
    setup_of,
    trained,
    winner,
)
from torch import nn
from torchmetrics.regression import PearsonCorrCoef, R2Score

import art_training as art
from art_training.checks import Improves
from art_training.errors import ProjectError, SetupError, UnknownMetric, UsageError
from art_training.records import Outcome, StepState
from art_training.steps import Regularize
from art_training.stores.memory import MemoryStore
from art_training.testing.data import diabetes


@pytest.fixture(scope="module")
def noisy() -> tuple[art.ArtProject, Outcome, Outcome]:
    project = project_of(
        {"decay": DECAY, "narrow": art.Variant(hparams={"width": 2})}, setup=setup_of(epochs=120), checks=[Improves()]
    )
    result = project.run()
    first, then = result["Regularize"].outcome, result["Next"].outcome
    assert first is not None
    assert then is not None
    return project, first, then


@pytest.mark.slow
def test_a_candidate_that_helps_wins_and_is_handed_on_by_its_configuration(noisy: Any) -> None:
    project, outcome, then = noisy
    assert winner(outcome) == "decay"
    assert then.parameters["setup"]["hparams.weight_decay"] == 1.5
    assert dict(project.setup.hparams) == {}
    gain = outcome.scores["gain"]
    assert gain.interval is not None
    assert 0 < gain.interval.low < gain.value
    better, worse = (outcome.candidate(name) for name in ("decay", "narrow"))
    assert better is not None
    assert worse is not None
    assert better.scores["gain"].value == gain.value
    assert worse.scores["gain"].value < gain.value
    assert "decay is handed on: validation/loss better by" in outcome.summary


@pytest.mark.slow
def test_the_reference_is_trained_under_the_same_seeds_and_each_gap_is_told(noisy: Any) -> None:
    _, outcome, _ = noisy
    assert trained(outcome) == {
        f"{name}, seed {seed}" for name in ("reference", "decay", "narrow") for seed in (1, 2, 3)
    }
    reference, decay = outcome.candidate("reference"), outcome.candidate("decay")
    assert reference is not None
    assert decay is not None
    for one in (reference, decay):
        scores = {name: score.value for name, score in one.scores.items()}
        assert scores["gap"] == pytest.approx(scores["validation/loss"] - scores["train/loss"])
    assert reference.scores["gap"].value > decay.scores["gap"].value
    difference = reference.scores["validation/loss"].value - decay.scores["validation/loss"].value
    assert decay.scores["gain"].value == pytest.approx(difference, rel=1e-4)
    assert len(decay.parameters["by_seed"]) == 3


def unchanged(module: nn.Module) -> nn.Module:
    return module


def test_a_candidate_that_changes_nothing_is_trained_as_the_reference_is_under_each_of_several_seeds() -> None:
    outcome = run({"as it is": art.Variant(model=unchanged)}, setup=setup_of(epochs=1), examples=0)
    one = outcome.candidate("as it is")
    assert one is not None
    assert one.parameters["by_seed"] == [0, 0, 0]
    assert one.note == "its weights are bit by bit the reference's, so that it changed nothing in training"
    assert f"as it is: {one.note}" in outcome.summary
    courses = {name: tuple(curve.values) for name, curve in outcome.curves.items() if name.endswith("train/loss")}
    assert len(courses) == 6
    assert len(set(courses.values())) == 3


@pytest.mark.slow
def test_the_table_holds_every_training(noisy: Any) -> None:
    project, outcome, _ = noisy
    table = outcome.artifact("candidates.csv")
    rows = list(csv.DictReader(io.StringIO(project.store.artifacts.fetch(table.digest).read_text())))
    assert [(row["candidate"], row["seed"]) for row in rows][:4] == [("reference", str(n)) for n in (1, 2, 3)] + [
        ("decay", "1")
    ]
    differences = [float(row["difference"]) for row in rows if row["candidate"] == "decay"]
    assert np.mean(differences) == pytest.approx(outcome.scores["gain"].value)
    assert all(row["epochs"] == "120" for row in rows)


@pytest.mark.slow
def test_the_scores_are_those_of_the_winners_weights_which_are_kept_with_a_picture_of_the_first_layer(
    noisy: Any,
) -> None:
    project, outcome, _ = noisy
    rows = list(
        csv.DictReader(
            io.StringIO(project.store.artifacts.fetch(outcome.artifact("candidates.csv").digest).read_text())
        )
    )
    first = next(row for row in rows if row["candidate"] == "decay")
    assert outcome.scores["validation/loss"].value == pytest.approx(float(first["validation/loss"]))
    assert outcome.scores["validation/accuracy"].interval is not None
    assert outcome.artifact("last.ckpt").kind == "checkpoint"
    looked = outcome.reading("first-layer weights")
    assert looked.value["shape"] == [64, 64]
    assert any(artifact.kind == "figure" for artifact in outcome.artifacts)


def test_where_nothing_helps_the_reference_is_handed_on_and_it_is_said() -> None:
    harm = {"narrow": art.Variant(hparams={"width": 2}), "short": SHORT}
    result = project_of(harm, setup=setup_of(Y, epochs=8), seeds=2, checks=[Improves()], continue_on_failure=True).run()
    outcome, then = result["Regularize"].outcome, result["Next"].outcome
    assert winner(outcome) == "reference"
    assert "the reference is handed on: no candidate is better" in outcome.summary
    assert "hparams.width" not in then.parameters["setup"]
    assert outcome.scores["gain"].value < 0
    verdicts = {verdict.check: verdict.state.value for verdict in result["Regularize"].judgement.verdicts}
    assert verdicts == {
        "compared_candidates > 0": "passed",
        "no NaN or infinity": "passed",
        "better than before, beyond doubt": "failed",
    }


@pytest.mark.slow
def test_a_small_gain_that_chance_explains_is_handed_on_only_if_asked_for() -> None:
    alike = {f"lr {factor}": art.Variant(hparams={"lr": 0.01 * factor}) for factor in (0.99, 1.01)}
    store = MemoryStore()
    careful = run(alike, setup=setup_of(Y, epochs=3), store=store)
    bold = run(alike, setup=setup_of(Y, epochs=3), store=store, keep_reference=False)
    assert winner(careful) == "reference"
    assert any(one.scores["gain"].value > 0 for one in bold.candidates[1:])
    assert winner(bold).startswith("lr")
    assert bold.reading("winner").note == "the best; that it is better than the reference is not certain"
    assert trained(bold) == set()


def test_a_candidate_that_varies_several_things_is_told() -> None:
    several = art.Variant(hparams={"dropout": 0.5, "width": 32})
    outcome = run({"several": several, "one": DROPOUT}, setup=setup_of(epochs=1), seeds=1)
    told = [finding.message for finding in outcome.findings if finding.code == "ART741"]
    assert len(told) == 1
    assert told[0].startswith(
        "'several' varies 2 things: hparams.dropout is new: 0.5; hparams.width is new: 32; which of them"
    )


@pytest.mark.slow
def test_a_regression_is_compared_by_its_loss_and_by_a_metric() -> None:
    train, validation = diabetes()
    scale = train[1].mean(), train[1].std()
    (x, y), (xv, yv) = ((part[0] * 20, (part[1] - scale[0]) / scale[1]) for part in (train, validation))
    setup = art.Setup(
        art.from_torch(
            lambda width=128: nn.Sequential(nn.Linear(10, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0)),
            loss=nn.MSELoss,
            optimizer=torch.optim.AdamW,
            lr=1e-2,
            weight_decay=0.0,
        ),
        art.data((x[:120], y[:120]), (xv, yv)),
        trainer={"max_epochs": 40, "accelerator": "cpu", "check_val_every_n_epoch": 1000},
    )
    store = MemoryStore()
    found: dict[str, Outcome] = {}
    for by in ("validation/loss", "r2"):
        step = Regularize({"decay": art.Variant(hparams={"weight_decay": 3.0})}, by=by)
        project = art.ArtProject("p", setup, metrics={"r2": R2Score()}, steps=[step], store=store)
        found[by] = project.run()["Regularize"].outcome
    by_loss, by_r2 = found.values()
    assert winner(by_loss) == winner(by_r2) == "decay"
    assert by_r2.parameters["by"] == "validation/r2"
    assert by_r2.scores["gain"].value == pytest.approx(by_loss.scores["gain"].value / yv.var(), rel=0.01)
    assert trained(by_r2) == set()


@pytest.mark.slow
def test_a_winner_that_is_no_candidate_any_more_is_not_handed_on(noisy: Any) -> None:
    _, outcome, _ = noisy
    step = Regularize({"dropout": DROPOUT})
    with pytest.raises(
        ProjectError, match="chose 'decay' when it last ran, which is none of its candidates now: dropout"
    ):
        step.carry(setup_of(), outcome)


def forgets(module: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"candidates": {}}, "gives nothing to try"),
        ({"candidates": [DECAY]}, "gives nothing to try; give differences by name"),
        (
            {"candidates": [art.Variant(hparams={"width": 3})]},
            r"candidates=\[Variant\(hparams={'width': 3}\)\] of step 'Regularize' gives",
        ),
        ({"candidates": {"a": {"weight_decay": 1}}}, "candidate 'a' .* is {'weight_decay': 1}, which is no Variant"),
        ({"candidates": {"a": setup_of()}}, "candidate 'a' .* is a whole setup, which is no Variant; give art.Variant"),
        ({"candidates": {"a": art.Variant(note="later")}}, "candidate 'a' .* varies nothing"),
        ({"candidates": {"reference": DECAY}}, "is called 'reference'; give it a name of its own"),
        ({"candidates": {"a": DECAY}, "seeds": 0}, "seeds=0 .* whole number of at least 1"),
        ({"candidates": {"a": DECAY}, "seeds": True}, "seeds=True"),
        ({"candidates": {"a": DECAY}, "by": "train/loss"}, "give 'validation/loss'"),
        ({"candidates": {"a": DECAY}, "by": "test/accuracy"}, "give 'validation/accuracy'"),
        ({"candidates": {"a": DECAY}, "by": 3}, "by=3 .* is no metric"),
        ({"candidates": {"a": DECAY}, "weights": "first"}, "neither 'last' nor 'best'"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(arguments: Any, said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        Regularize(**arguments)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (
            {"candidates": {"a": art.Variant(model=forgets)}},
            SetupError,
            "candidate 'a' .*forgets returned nothing; return",
        ),
        (
            {"candidates": {"a": art.Variant(data=forgets)}},
            SetupError,
            "candidate 'a' .*forgets returned nothing; return",
        ),
        (
            {"candidates": {"b": art.Variant(hparams={"width": 9}), "a": art.Variant(data=forgets)}},
            SetupError,
            "candidate 'a' .*forgets returned nothing; return",
        ),
        (
            {"candidates": {"a": art.Variant(hparams={"wdith": 3})}},
            SetupError,
            "hparams has 'wdith', which Net does not",
        ),
        (
            {"candidates": {"a": art.Variant(trainer={"max_epochs": 2})}},
            SetupError,
            "candidate 'a' .* is the same setup as the reference: trainer.max_epochs is 2 there too",
        ),
        (
            {"candidates": {"a": art.Variant(hparams={"width": 64})}},
            SetupError,
            "candidate 'a' .* is the same setup as the reference: hparams.width is 64 there too",
        ),
        ({"candidates": {"a": DECAY, "b": DECAY}}, SetupError, "candidate 'b' .* is the same setup as 'a'"),
        ({"candidates": {"a": DECAY}, "by": "acuracy"}, UnknownMetric, "no metric 'acuracy' in this project"),
        (
            {"candidates": {"a": DECAY}, "setup": setup_of(data=art.data((X, Y)))},
            SetupError,
            r"'Regularize' needs a validation split, and the data has: train; give a val_dataloader",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(
    settings: dict[str, Any], error: type[UsageError], said: str
) -> None:
    phases: list[str] = []
    settings = {"setup": setup_of(epochs=2)} | settings
    with pytest.raises(error, match=said):
        project_of(**settings).run(listen=lambda event: phases.append(str(getattr(event, "phase", ""))))
    assert not any(phase.startswith("fit") for phase in phases)


def test_a_metric_without_a_direction_cannot_decide() -> None:
    def odd(predictions: Any, targets: Any) -> float:
        return 0.0

    step = Regularize({"a": DECAY}, by="odd")
    with pytest.raises(SetupError, match="it is not known which way metric 'odd' is better"):
        art.ArtProject("p", setup_of(epochs=1), metrics={"odd": odd}, steps=[step], store=MemoryStore()).run()


class Own(L.LightningModule):
    """A LightningModule in its own right, with data of its own."""

    def __init__(self, width: int = 8, decay: float = 0.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-2, weight_decay=self.hparams["decay"])


def frozen(module: Any) -> Any:
    module.net[0].requires_grad_(False)
    return module


def test_a_lightning_module_takes_part_with_modifiers_of_its_own() -> None:
    setup = art.Setup(Own, art.data((X, Y), VALIDATION), trainer={"max_epochs": 2, "accelerator": "cpu"})
    outcome = run({"frozen": art.Variant(model=frozen)}, setup=setup, seeds=1)
    assert outcome.candidate("frozen").scores["validation/loss"].value > outcome.scores["validation/loss"].value - 1
    assert outcome.candidate("frozen").parameters["changes"] == ["model.modifier.frozen is new"]


@pytest.mark.filterwarnings("ignore:The variance of predictions or target")
def test_a_metric_that_is_no_number_or_raises_does_not_pass_though_another_one_decides() -> None:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    data = art.data((x, x.sum(1, keepdims=True)), (x[:40], np.zeros((40, 1), np.float32)))
    model = art.from_torch(partial(nn.Linear, 4, 1), loss=nn.MSELoss, lr=1e-2, weight_decay=0.0)
    setup = art.Setup(model, data, trainer={"max_epochs": 1, "accelerator": "cpu"})

    def picky(predictions: torch.Tensor, targets: torch.Tensor) -> float:
        if (
            len(targets) == 60
        ):  # those of the training split: what raises on validation is refused before anything trains
            raise ValueError("these are too many")
        return float((predictions - targets).abs().mean())

    metrics = {"pearson": PearsonCorrCoef(), "accuracy": picky}
    step = Regularize({"decay": DECAY}, seeds=1, examples=0)
    store = MemoryStore()
    for _ in range(2):  # the second time everything is found again
        project = art.ArtProject("p", setup, metrics=metrics, steps=[step], store=store)
        result = project.run()["Regularize"]
        assert result.state is StepState.FAILED
        reason = next(
            verdict.reason for verdict in result.judgement.verdicts if "validation/pearson is nan" in verdict.reason
        )
        assert "train/accuracy could not be computed" in reason
        step = replace(step, seeds=2)
