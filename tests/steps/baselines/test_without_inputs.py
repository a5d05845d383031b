"""A model that does not use its inputs, and inputs that belong to other targets, are caught; a sound model is not accused."""

import math
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torchmetrics.classification import BinaryAccuracy, MulticlassAccuracy, MultilabelF1Score
from torchmetrics.regression import MeanAbsoluteError

import art_training as art
from art_training.checks import UsesInputs
from art_training.checks.check import judge
from art_training.checks.evidence import Evidence
from art_training.engines.lightning.engine import LightningEngine
from art_training.errors import ProjectError, SetupError
from art_training.records import Outcome, Score, StepEnded, StepState, Verdict, VerdictState
from art_training.steps import EvaluateBaseline
from art_training.stores.memory import MemoryStore
from art_training.stores.sql import SqlStore
from art_training.testing.data import diabetes, digits

TENTH = {"accuracy": MulticlassAccuracy(num_classes=10, average="micro")}
FEW = {"fit_rows": 60, "fit_features": 8}  # what learns without the model is not what is tested here


class Net(nn.Module):
    def __init__(self, sees: float = 1.0, inputs: int = 64, outputs: int = 10) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, outputs))
        self.sees = sees

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x * self.sees)


def setup_of(
    data: Any, model: Any = Net, loss: Any = nn.CrossEntropyLoss, lr: float = 1e-2, **hparams: Any
) -> art.Setup:
    made = art.from_torch(model, loss=loss, optimizer=torch.optim.Adam, lr=lr)
    return art.Setup(made, data, hparams=hparams, trainer={"max_epochs": 20, "accelerator": "cpu"})


def project_of(
    setup: art.Setup, metrics: Mapping[str, Any] | None = None, store: Any = None, **step: Any
) -> art.ArtProject:
    steps = {"inputs_steps": 100} if step.get("inputs", "zeroed") is not None else {}
    asked = EvaluateBaseline(**{"inputs": "zeroed", **steps, **FEW, **step})
    return art.ArtProject("it", setup, metrics=metrics or {}, steps=[asked], store=store or MemoryStore())


def run(project: art.ArtProject) -> tuple[Outcome, Verdict]:
    """The outcome, and the verdict on the inputs."""
    ended: list[StepEnded] = []
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    assert ended[0].outcome is not None, ended[0]
    assert ended[0].judgement is not None
    (verdict,) = (one for one in ended[0].judgement.verdicts if "inputs" in one.check)
    return ended[0].outcome, verdict


def digits_data(*, wrong: bool = False) -> Any:
    (x, y), validation = digits()
    x = x.astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x)) if wrong else slice(None)
    return art.data((x[order], y), (validation[0].astype(np.float32), validation[1]), batch_size=64)


def diabetes_data(*, wrong: bool = False) -> Any:
    (x, y), (x2, y2) = diabetes()
    order = np.random.default_rng(0).permutation(len(x)) if wrong else slice(None)
    scaled = [(part - y.mean()) / y.std() for part in (y, y2)]
    train, validation = (np.asarray(part, np.float32)[:, None] for part in scaled)
    return art.data((x[order].astype(np.float32), train), (x2.astype(np.float32), validation), batch_size=32)


@pytest.mark.parametrize("how", ["zeroed", "shuffled"])
def test_a_sound_model_is_better_with_its_inputs(how: str) -> None:
    outcome, verdict = run(project_of(setup_of(digits_data()), TENTH, inputs=how))
    assert verdict.state is VerdictState.PASSED, verdict.reason
    gain = outcome.scores["inputs_gain.accuracy"]
    assert gain.interval is not None
    assert gain.interval.low > 0.7
    assert outcome.scores["inputs_gain.loss"].value > 1.5
    real, hidden = (outcome.candidate(f"inputs {name}") for name in ("real", how))
    assert real is not None
    assert hidden is not None
    assert real.scores["validation/accuracy"].value - hidden.scores["validation/accuracy"].value == pytest.approx(
        gain.value
    )
    assert hidden.scores["validation/accuracy"].value < 0.2
    assert set(outcome.curves) >= {"inputs real/train/loss", f"inputs {how}/train/loss"}
    assert outcome.score("baselines").value == 4, "the model itself is no baseline"
    assert outcome.parameters["best"] in {"linear", "boosting"}


def test_a_model_that_ignores_its_inputs_is_caught() -> None:
    _, verdict = run(project_of(setup_of(digits_data(), sees=0.0), TENTH))
    assert verdict.state is VerdictState.FAILED
    assert "accuracy is 0.1 either way, the same on every example" in verdict.reason
    assert "whether the output depends on the inputs" in verdict.reason


@pytest.mark.parametrize("how", ["zeroed", "shuffled"])
def test_inputs_that_belong_to_other_targets_are_caught(how: str) -> None:
    _, verdict = run(project_of(setup_of(digits_data(wrong=True)), TENTH, inputs=how))
    assert verdict.state is VerdictState.FAILED, verdict.reason


class Blank(L.LightningDataModule):
    """Its pictures are cut where there is no ink: a fault of the data, which raises nothing."""

    def prepare(self, split: Any) -> Any:
        x, y = split
        return torch.utils.data.TensorDataset(torch.tensor(x[:, :64:8], dtype=torch.float32) * 0, torch.tensor(y))

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.prepare(digits()[0]), batch_size=64, shuffle=True)

    def val_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.prepare(digits()[1]), batch_size=64)


def test_a_datamodule_that_gives_blank_inputs_is_caught() -> None:
    _, verdict = run(project_of(setup_of(Blank, inputs=8), TENTH))
    assert verdict.state is VerdictState.FAILED


@pytest.mark.parametrize(("wrong", "state"), [(False, VerdictState.PASSED), (True, VerdictState.FAILED)])
def test_a_regression_is_asked_as_well(wrong: bool, state: VerdictState) -> None:
    setup = setup_of(diabetes_data(wrong=wrong), loss=nn.MSELoss, inputs=10, outputs=1)
    _, verdict = run(project_of(setup, {"mae": MeanAbsoluteError()}))
    assert verdict.state is state, verdict.reason
    assert "standardise" not in verdict.reason


def test_a_model_that_only_learned_the_mean_sooner_is_not_judged() -> None:
    """Targets far from zero: with any inputs, wrong ones too, a network gets there sooner than with none."""
    (x, y), (x2, y2) = diabetes()
    order = np.random.default_rng(0).permutation(len(x))
    train = (10 * x[order].astype(np.float32) + 1, y.astype(np.float32)[:, None])
    data = art.data(train, (10 * x2.astype(np.float32) + 1, y2.astype(np.float32)[:, None]), batch_size=32)
    setup = setup_of(data, loss=nn.MSELoss, inputs=10, outputs=1)
    outcome, verdict = run(project_of(setup, inputs_steps=40))
    gain = outcome.scores["inputs_gain.loss"]
    assert gain.interval is not None
    assert gain.interval.low > 0
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "but not than the dummy" in verdict.reason
    assert f"the targets have a mean of {y2.mean():.4g}" in verdict.reason
    assert (
        "standardise the targets with mean and deviation of the training split; else train longer: " in verdict.reason
    )
    assert verdict.reason.endswith("EvaluateBaseline(inputs='zeroed', inputs_steps=160)")


@pytest.mark.parametrize("trainer", [{"max_epochs": 2}, lambda: L.Trainer(max_epochs=2, accelerator="cpu")])
def test_neither_training_takes_more_steps_than_the_trainer_would(trainer: Any) -> None:
    data = digits_data(wrong=True)
    setup = art.Setup(setup_of(data).model, data, trainer=trainer)
    outcome, verdict = run(project_of(setup, inputs_steps=500))
    own = math.ceil(1_437 / 64) * 2
    taken = {one.name: one.parameters["steps"] for one in outcome.candidates if "steps" in one.parameters}
    assert taken == {"inputs real": own, "inputs zeroed": own}
    if not callable(trainer):
        assert verdict.reason.endswith("EvaluateBaseline(inputs='zeroed', trainer={'max_epochs': 8})")


def test_two_classes_of_breast_cancer() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = ((x - x.mean(0)) / x.std(0)).astype(np.float32)[order], y.astype(np.float32)[order, None]
    data = art.data((x[:400], y[:400]), (x[400:], y[400:]), batch_size=32)
    setup = setup_of(data, loss=nn.BCEWithLogitsLoss, inputs=30, outputs=1)
    _, verdict = run(project_of(setup, {"accuracy": BinaryAccuracy()}, inputs_steps=60))
    assert verdict.state is VerdictState.PASSED, verdict.reason


def test_several_labels() -> None:
    x = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    y = (x[:, :3] + 0.3 * x[:, 3:] > 0).astype(np.float32)
    data = art.data((x[:300], y[:300]), (x[300:], y[300:]), batch_size=32)
    setup = setup_of(data, loss=nn.BCEWithLogitsLoss, inputs=6, outputs=3)
    _, verdict = run(project_of(setup, {"f1": MultilabelF1Score(num_labels=3)}, inputs_steps=60))
    assert verdict.state is VerdictState.PASSED, verdict.reason


class Tagger(nn.Module):
    """A transformer that masks its padding out by itself, so that of nothing but padding it makes no number."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16, padding_idx=0)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
        self.out = nn.Linear(16, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.layer(self.embedding(ids), src_key_padding_mask=ids == 0)
        return self.out(hidden).transpose(1, 2)


def tagged() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 20, (300, 8), generator=generator)
    padding = torch.arange(8)[None] >= torch.randint(4, 9, (300, 1), generator=generator)
    tags = (ids > 9).long()
    tags[padding] = -100
    ids[padding] = 0
    return ids, tags


@pytest.mark.parametrize("how", ["zeroed", "shuffled"])
def test_tokens_with_padding_are_hidden_without_breaking_the_model(how: str) -> None:
    ids, tags = tagged()
    data = art.data((ids[:200], tags[:200]), (ids[200:], tags[200:]), batch_size=32)
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2, average="micro")}
    outcome, verdict = run(project_of(setup_of(data, Tagger), metrics, inputs=how, inputs_steps=60))
    assert verdict.state is VerdictState.PASSED, verdict.reason
    assert outcome.reading("inputs").value["changed"] == ["0"]  # type: ignore[union-attr]


class Auto(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def test_where_the_target_is_the_input_nothing_is_trained_and_nothing_judged() -> None:
    x = digits()[0][0].astype(np.float32)
    data = art.data((x[:200], x[:200]), (x[200:300], x[200:300]))
    setup = setup_of(data, Auto, nn.MSELoss).but(task={"inputs": ("0",), "target": "0"})
    outcome, verdict = run(project_of(setup))
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "the target is the input itself" in verdict.reason
    assert outcome.curves == {}


class Divides(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not x.any():
            raise ArithmeticError("an image without ink")
        return super().forward(x)


def test_a_model_that_takes_no_such_inputs_is_not_judged_and_told_what_else_to_do() -> None:
    outcome, verdict = run(project_of(setup_of(digits_data(), Divides), TENTH))
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "an image without ink" in verdict.reason
    assert "try inputs='shuffled'" in verdict.reason
    assert "validation/accuracy" in outcome.candidate("inputs real").scores  # type: ignore[union-attr]


def one_half(batch: Any) -> Any:
    return batch[0] * (torch.arange(64) < 32), batch[1]


def test_a_function_hides_part_of_the_inputs() -> None:
    outcome, verdict = run(project_of(setup_of(digits_data()), TENTH, inputs=one_half))
    assert verdict.state is VerdictState.PASSED, verdict.reason
    hidden = outcome.candidate("inputs one_half")
    assert hidden is not None
    assert 0.3 < hidden.scores["validation/accuracy"].value < 0.9


def test_few_examples_are_not_judged() -> None:
    (x, y), (x2, y2) = digits()
    data = art.data((x.astype(np.float32), y), (x2[:20].astype(np.float32), y2[:20]), batch_size=64)
    _, verdict = run(project_of(setup_of(data), TENTH))
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "whether it is better with its inputs than without cannot be said" in verdict.reason
    assert "20 examples are fewer than 30; give a larger validation split, or do not ask" in verdict.reason


def test_what_the_step_depends_on_is_the_model_only_where_it_is_trained(tmp_path: Path) -> None:
    assert EvaluateBaseline().uses == {"metrics"}
    assert {"model", "trainer"} <= EvaluateBaseline(inputs="zeroed").uses
    weights = tmp_path / "old.pt"
    torch.save(Net().state_dict(), weights)
    assert "model" in EvaluateBaseline(predictions={"old": weights}).uses
    np.save(tmp_path / "old.npy", np.zeros(3))
    assert EvaluateBaseline(predictions={"old": tmp_path / "old.npy"}).uses == {"metrics"}


def test_a_changed_file_makes_the_step_stale_and_one_that_is_elsewhere_does_not(tmp_path: Path) -> None:
    path, other = tmp_path / "old.npy", tmp_path / "moved.npy"
    labels = digits()[1][1]
    np.save(path, labels)
    np.save(other, labels)
    setup = setup_of(digits_data())
    with closing(SqlStore(tmp_path / "art.db")) as store:

        def reason(file: Path) -> str:
            (planned,) = project_of(setup, TENTH, store, inputs=None, predictions={"old": file}).plan().steps
            return f"{planned.action.value} {planned.reason}"

        first = project_of(setup, TENTH, store, inputs=None, predictions={"old": path}).run()
        assert first["EvaluateBaseline"].state is StepState.PASSED
        assert "recall" in reason(path)
        assert "recall" in reason(other)
        np.save(path, labels[::-1])
        assert "predictions" in reason(path)
        path.unlink()
        with pytest.raises(ProjectError, match="does not exist"):
            reason(path)


def test_weights_of_the_setups_own_model_are_a_baseline(tmp_path: Path) -> None:
    setup = setup_of(digits_data())
    trained = Net()
    with torch.no_grad():
        trained.layers[2].bias[3] = 100.0
    torch.save(trained.state_dict(), tmp_path / "old.pt")
    result = project_of(setup, TENTH, inputs=None, predictions={"old": tmp_path / "old.pt"}).run()
    outcome = result["EvaluateBaseline"].outcome
    assert outcome.candidate("old").scores["validation/accuracy"].value == pytest.approx(0.1, abs=0.02)
    assert len(outcome.candidate("old").parameters["sha256"]) == 64
    torch.save(Net(inputs=64, outputs=3).state_dict(), tmp_path / "old.pt")
    with pytest.raises(SetupError, match=r"predictions\['old'\]=.* holds 2 of the 4 tensors of the setup's model"):
        project_of(setup, TENTH, inputs=None, predictions={"old": tmp_path / "old.pt"}).run()


def test_what_has_been_trained_is_found_again_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    fit = LightningEngine.fit

    def counted(self: Any, job: Any, watch: Any) -> Any:
        name = "hidden" if job.change else "real"
        trained.append(name)
        if trained == ["real", "hidden"]:
            raise KeyboardInterrupt
        return fit(self, job, watch)

    monkeypatch.setattr(LightningEngine, "fit", counted)
    setup = setup_of(digits_data())
    with closing(SqlStore(tmp_path / "art.db")) as store:
        with pytest.raises(KeyboardInterrupt):
            project_of(setup, TENTH, store).run()
        outcome, verdict = run(project_of(setup, TENTH, store))
    assert trained == ["real", "hidden", "hidden"]
    assert verdict.state is VerdictState.PASSED
    assert outcome.curves["inputs real/train/loss"].steps


def test_the_check_is_asked_only_where_inputs_are() -> None:
    task = setup_of(digits_data()).task
    assert not any(isinstance(one, UsesInputs) for one in EvaluateBaseline().default_checks(task, []))
    assert UsesInputs() in EvaluateBaseline(inputs="zeroed").default_checks(task, [])
    assert "inputs_gain.accuracy" in EvaluateBaseline(inputs="zeroed").score_names(["accuracy"])
    verdict = judge(UsesInputs(), Evidence("EvaluateBaseline", Outcome(scores={"validation/loss": Score(1.0)})))
    assert verdict.state is VerdictState.NOT_JUDGED
    assert "set EvaluateBaseline(inputs='zeroed')" in verdict.reason


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"inputs": "zero"}, "inputs='zero' of step 'EvaluateBaseline' is unknown"),
        ({"inputs_steps": 0}, "inputs_steps=0 of step"),
        ({"inputs_steps": True}, "inputs_steps=True of step"),
        (
            {"inputs_steps": 3000},
            r"inputs_steps=3000 of step .* write EvaluateBaseline\(inputs='zeroed', inputs_steps=3000\)",
        ),
        ({"inputs_steps": None}, "inputs_steps=None of step"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings: Any, told: str) -> None:
    with pytest.raises(ProjectError, match=told):
        EvaluateBaseline(**settings)
