"""The training split is fitted, by the weights at the end; and what is asked besides changes nothing of it."""

import csv
import functools
import json
import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.checks import CapacityHelps, Equals, LossDecreases, NoNaN
from art_training.errors import ProjectError, SetupError
from art_training.records import Outcome, StepEnded, StepState
from art_training.setup.task import Task, TaskKind
from art_training.steps import Overfit
from art_training.steps.step import Step
from art_training.stores import Store
from art_training.stores.memory import MemoryStore
from art_training.testing.data import digits

(X, Y), (XV, YV) = digits()
X, XV = torch.tensor(X, dtype=torch.float32)[:256], torch.tensor(XV, dtype=torch.float32)[:64]
Y, YV = torch.tensor(Y)[:256], torch.tensor(YV)[:64]


class Net(nn.Module):
    """With everything that a look, or a training before, might disturb."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def a_setup(**changes: Any) -> art.Setup:
    setup = art.Setup(
        model=art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
        hparams={"width": 16},
        data=art.data((X, Y), (XV, YV), batch_size=64),
        trainer={"accelerator": "cpu", "max_epochs": 4},
    )
    return setup.but(**changes) if changes else setup


def run(
    *steps: Step, setup: art.Setup | None = None, store: Store | None = None, metrics: bool = True
) -> tuple[Outcome, StepState, str]:
    """The last step's outcome, its state, and the reasons of its verdicts."""
    ended: list[StepEnded] = []
    declared = {"accuracy": MulticlassAccuracy(num_classes=10)} if metrics else {}
    project = art.ArtProject("p", setup or a_setup(), metrics=declared, steps=[*steps], store=store or MemoryStore())
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    outcome, judgement = ended[-1].outcome, ended[-1].judgement
    assert outcome is not None
    assert judgement is not None
    return outcome, judgement.state, "; ".join(verdict.reason for verdict in judgement.verdicts)


def reading(outcome: Outcome, name: str) -> Any:
    found = outcome.reading(name)
    assert found is not None, [one.name for one in outcome.readings]
    return found


def checkpoint(outcome: Outcome, store: Store, name: str = "last.ckpt") -> dict[str, Any]:
    artifact = outcome.artifact(name)
    assert artifact is not None
    return torch.load(store.artifacts.fetch(artifact.digest), weights_only=False)


# The weights that are scored.


class Spoiled(L.LightningModule):
    """Good after its first epoch, and thrown off in the last."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(64, 10)

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self.net(batch[0]), batch[1]))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.current_epoch == 2 and batch_idx == 3:
            with torch.no_grad():
                self.net.weight.mul_(-1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def test_the_overfitted_weights_themselves_are_scored_and_not_the_best_checkpoint() -> None:
    store = MemoryStore()
    trainer = {"accelerator": "cpu", "max_epochs": 3, "callbacks": [ModelCheckpoint(monitor="val_loss")]}
    setup = art.Setup(model=Spoiled, data=art.data((X, Y), (XV, YV), batch_size=64), trainer=trainer)
    outcome, _, _ = run(Overfit(), setup=setup, store=store)
    last, best = checkpoint(outcome, store), checkpoint(outcome, store, "best.ckpt")
    assert not torch.equal(last["state_dict"]["net.weight"], best["state_dict"]["net.weight"])
    for weights, same in ((last, True), (best, False)):
        net = nn.Linear(64, 10)
        net.load_state_dict({name.removeprefix("net."): one for name, one in weights["state_dict"].items()})
        loss = F.cross_entropy(net(X), Y).item()
        assert (outcome.scores["train/loss"].value == pytest.approx(loss, rel=1e-5)) is same


# Looking changes nothing.

COUNTED = ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops", "epoch", "global_step")


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What two checkpoints hold that is not bit-identical, by path."""
    found: list[str] = []

    def compare(a: Any, b: Any, path: str) -> None:
        if isinstance(a, torch.Tensor):
            if not (isinstance(b, torch.Tensor) and torch.equal(a, b)):
                found.append(path)
        elif isinstance(a, dict):
            assert a.keys() == b.keys(), path
            for key in a:
                compare(a[key], b[key], f"{path}.{key}")
        elif isinstance(a, list | tuple):
            assert len(a) == len(b), path
            for at, (one, other) in enumerate(zip(a, b, strict=True)):
                compare(one, other, f"{path}.{at}")
        elif hasattr(a, "tolist"):
            compare(a.tolist(), b.tolist(), path)
        elif a != b:
            found.append(f"{path}: {a!r} != {b!r}")

    assert ours.keys() == theirs.keys()
    assert set(COUNTED) <= ours.keys()
    for key, value in ours.items():
        compare(value, theirs[key], key)
    return found


class Counting(L.Callback):
    """Keeps a state of its own, and draws from every global generator."""

    def __init__(self) -> None:
        self.batches = 0
        self.drawn: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.batches += 1
        self.drawn.append(torch.rand(1).item())

    def state_dict(self) -> dict[str, Any]:
        return {"batches": self.batches, "drawn": list(self.drawn)}


@functools.cache
def everything() -> tuple[Outcome, StepState, Store]:
    """All that can be asked of the step, at once; made once, because it trains seven times."""
    store = MemoryStore()
    setup = a_setup(trainer={"callbacks": [Counting()]})
    asked = Overfit(find_learning_rate=True, capacity=WIDTHS, repeats=2, dynamics=6, share=2.0, examples=5)
    outcome, state, _ = run(asked, setup=setup, store=store)
    return outcome, state, store


WIDTHS = [{"width": 2}, {"width": 16}, {"width": 64}]


@pytest.mark.slow
def test_whatever_is_asked_besides_leaves_the_training_bit_identical() -> None:
    """Weights, optimiser, schedulers, callbacks, epochs, loops, and all random states."""
    store = MemoryStore()
    plainly, _, _ = run(
        Overfit(dynamics=0, examples=0), setup=a_setup(trainer={"callbacks": [Counting()]}), store=store
    )
    outcome, state, full = everything()
    assert state is StepState.PASSED
    assert differences(checkpoint(plainly, store), checkpoint(outcome, full)) == []
    assert outcome.scores["train/loss"].value == plainly.scores["train/loss"].value
    assert outcome.curves["train/loss"] == plainly.curves["train/loss"]
    assert reading(outcome, "callbacks").value["Counting"]["batches"] == 16
    assert reading(outcome, "epochs").value == 4
    assert {one.name for one in plainly.readings} == {"epochs", "steps", "logged", "callbacks", "health"}
    assert [one.name for one in plainly.artifacts] == ["last.ckpt"]


@pytest.mark.slow
def test_other_weights_would_be_noticed() -> None:
    """That the test above can fail: a step of another name has another seed, and does."""
    store = MemoryStore()
    outcome, _, _ = run(
        Overfit(dynamics=0, examples=0, name="other"), setup=a_setup(trainer={"callbacks": [Counting()]}), store=store
    )
    ours, _, full = everything()
    found = differences(checkpoint(ours, full), checkpoint(outcome, store))
    assert any(path.startswith("state_dict") for path in found)
    assert any(path.startswith("callbacks") for path in found)


# The learning rate.


@pytest.mark.slow
def test_the_suggested_rate_is_told_with_its_curve_and_what_to_do() -> None:
    outcome, _, store = everything()
    found = reading(outcome, "suggested learning rate")
    assert 1e-4 < found.value < 1e-1
    assert f"where lr is 0.01; train with it: hparams={{'lr': {found.value:g}}}" in found.note
    assert "lr" in {name.split("/")[1] for name in outcome.curves if name.startswith("learning rate test/")}
    table, picture = outcome.artifact("learning-rate.csv"), outcome.artifact("learning-rate.png")
    assert table is not None
    assert picture is not None
    rows = list(csv.DictReader(store.artifacts.fetch(table.digest).read_text().splitlines()))
    rates = [float(row["rate"]) for row in rows]
    assert rates == sorted(rates)
    assert outcome.parameters.get("found learning rate") is None


class Takes(Step):
    """Says with which rate it would train."""

    def run(self, bench: Any) -> Outcome:
        return Outcome(parameters={"lr": bench.setup.hparams["lr"]}, summary="took")


def test_a_found_rate_is_used_and_handed_on_where_that_was_asked_for() -> None:
    setup = a_setup(hparams={"lr": 1e-6})
    slow, _, _ = run(Overfit(examples=0, dynamics=0), setup=setup)
    ended: list[StepEnded] = []
    project = art.ArtProject(
        "p", setup, steps=[Overfit(find_learning_rate=True, use_found=True), Takes()], store=MemoryStore()
    )
    project.run(listen=lambda event: ended.append(event) if isinstance(event, StepEnded) else None)
    fast, takes = ended[0].outcome, ended[1].outcome
    assert fast is not None
    assert takes is not None
    rate = reading(fast, "suggested learning rate").value
    assert fast.parameters["found learning rate"] == rate
    assert fast.scores["train/loss"].value < slow.scores["train/loss"].value / 2
    assert {value for name in fast.curves if name.startswith("lr/") for value in fast.curves[name].values} == {rate}
    assert takes.parameters["lr"] == rate


def test_a_rate_that_was_to_be_used_and_is_not_found_is_told() -> None:
    upwards = art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=1e-3, maximize=True)
    sure = a_setup(model=upwards, trainer={"max_epochs": 1})
    outcome, _, _ = run(Overfit(find_learning_rate=True, use_found=True, examples=0, dynamics=0), setup=sure)
    assert reading(outcome, "suggested learning rate").value is None
    assert [one.code for one in outcome.findings] == ["ART602"]
    assert "the training went on with lr=0.001" in outcome.findings[0].message
    outcome, _, _ = run(Overfit(find_learning_rate=True, examples=0, dynamics=0), setup=sure)
    assert not outcome.findings  # nothing was to be used


def test_a_rate_that_has_no_place_says_what_to_do() -> None:
    def made(width: int) -> L.LightningModule:
        return Spoiled()

    setup = art.Setup(model=made, hparams={"width": 3}, data=art.data((X, Y)), trainer={"accelerator": "cpu"})
    with pytest.raises(SetupError, match=r"hparams has width; give the model an argument lr that its optimiser gets"):
        run(Overfit(find_learning_rate=True, use_found=True), setup=setup)
    trained = setup.but(trainer={"max_epochs": 1})
    outcome, _, _ = run(Overfit(find_learning_rate=True), setup=trained)
    assert "no hyper-parameter called lr or learning_rate" in reading(outcome, "suggested learning rate").note


# Capacity.


@pytest.mark.slow
def test_larger_models_fit_at_least_as_well_and_each_is_told_with_its_size() -> None:
    outcome, state, _ = everything()
    assert state is StepState.PASSED
    assert [one.name for one in outcome.candidates] == ["width=2", "width=16", "width=64"]
    sizes = [one.parameters["parameters"] for one in outcome.candidates]
    assert sizes == [64 * w + w + 2 * w + 10 * w + 10 for w in (2, 16, 64)]
    losses = [one.scores["train/loss"].value for one in outcome.candidates]
    assert losses == sorted(losses, reverse=True)
    assert outcome.candidates[1].scores["train/loss"].value == outcome.scores["train/loss"].value  # not trained twice
    assert "width=64/train/loss" in outcome.curves
    assert "width=16/train/loss" not in outcome.curves
    assert all(one.scores["train/loss"].interval is not None for one in outcome.candidates)


class Crippled(Net):
    """Its large form cannot learn: capacity does not help."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.net(x)
        return out if self.net[0].out_features < 32 else out.detach() + 0 * out


def test_a_larger_model_that_fits_worse_fails() -> None:
    model = art.from_torch(Crippled, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    step = Overfit(capacity=[{"width": 16, "lr": 1e-2}, {"width": 64, "lr": 1e-3}], examples=0, dynamics=0)
    outcome, state, reasons = run(step, setup=a_setup(model=model))
    assert state is StepState.FAILED
    assert "train/loss rises from" in reasons
    assert "with width=64, lr=0.001 (4,938)" in reasons
    assert outcome.scores["train/loss"].value < 1.5
    assert {one.note for one in outcome.candidates} == {"varies 2 things: lr, width"}


@pytest.mark.parametrize(
    ("capacity", "why"),
    [
        ([{"width": 8}], "one size alone"),
        ([{"width": 8}, {}], r"capacity\[1\]=\{\} .* must be hyper-parameters"),
        ([{"width": 8}, 16], r"capacity\[1\]=16 .* must be hyper-parameters"),
        ([{"width": 8}, {"width": 8}], "is there twice"),
    ],
)
def test_a_capacity_that_is_none_is_refused_at_once(capacity: Any, why: str) -> None:
    with pytest.raises(ProjectError, match=why):
        Overfit(capacity=capacity)


def test_a_capacity_that_does_not_grow_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(
        SetupError, match=r"width=8 has 626 parameters and width=16 before it 1,242; order them by size"
    ):
        run(Overfit(capacity=[{"width": 16}, {"width": 8}]))
    with pytest.raises(SetupError, match="name hyper-parameters that change the model's size"):
        run(Overfit(capacity=[{"lr": 0.1}, {"lr": 0.2}]))


# Repetitions.


class Unseeded(Net):
    """Draws from the operating system from its fourth training batch on."""

    def __init__(self, width: int = 16) -> None:
        super().__init__(width)
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.calls += 1
            if self.calls > 3:
                seed = int.from_bytes(os.urandom(4))
                x = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        return self.net(x)


def test_a_training_that_cannot_be_repeated_fails_with_the_first_place_that_differs() -> None:
    model = art.from_torch(Unseeded, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    outcome, state, reasons = run(Overfit(repeats=2, examples=0, dynamics=0), setup=a_setup(model=model))
    assert state is StepState.FAILED
    assert outcome.scores["differing_tensors"].value > 0
    told = reading(outcome, "repetitions").value
    assert "first model.net.0.weight, by up to" in told
    assert "the loss differs from step 4 on" in told
    assert "seed what is drawn outside" in reasons


@pytest.mark.slow
def test_a_training_that_can_be_repeated_says_so() -> None:
    outcome, state, _ = everything()
    assert state is StepState.PASSED
    assert outcome.scores["differing_tensors"].value == 0
    told = reading(outcome, "repetitions").value
    assert told.startswith("training 2 ended with bit-identical weights")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Overfit(repeats=0),
        lambda: Overfit(use_found=True),
        lambda: Overfit(dynamics=-1),
        lambda: Overfit(share=-0.1),
        lambda: Overfit(share=float("nan")),
    ],
)
def test_settings_that_mean_nothing_are_refused_at_once(make: Callable[[], Any]) -> None:
    with pytest.raises(ProjectError):
        make()


# Dynamics and the look back.


@pytest.mark.slow
def test_predictions_of_a_fixed_batch_are_followed_over_the_epochs() -> None:
    outcome, _, store = everything()
    table, picture = outcome.artifact("dynamics.csv"), outcome.artifact("dynamics.png")
    assert table is not None
    assert picture is not None
    rows = list(csv.DictReader(store.artifacts.fetch(table.digest).read_text().splitlines()))
    epochs = sorted({int(row["epochs"]) for row in rows})
    assert epochs[0] == 0
    assert epochs[-1] == 4
    assert len(rows) == 6 * len(epochs)
    first = [row for row in rows if row["epochs"] == "0"]
    last = [row for row in rows if row["epochs"] == "4"]
    assert [int(row["label"]) for row in last] == Y[:6].tolist()
    right = [json.loads(row["numbers"])[int(row["label"])] for row in last]
    before = [json.loads(row["numbers"])[int(row["label"])] for row in first]
    assert all(b > a for a, b in zip(before, right, strict=True))

    weights = checkpoint(outcome, store)["state_dict"]
    net = Net()
    net.load_state_dict({name[name.index("net.") :]: one for name, one in weights.items() if "net." in name})
    with torch.no_grad():
        given = net.eval()(X[:6]).softmax(1)
    for row, expected in zip(last, given, strict=True):
        assert json.loads(row["numbers"]) == pytest.approx(expected.tolist(), abs=1e-5)
    assert [int(row["predicted"]) for row in last] == given.argmax(1).tolist()
    said = [[int(row["predicted"]) for row in rows if row["example"] == str(one)] for one in range(6)]
    changes = [sum(a != b for a, b in pairwise(one)) for one in said]
    assert reading(outcome, "prediction dynamics").value["changed decisions"] == changes
    assert sum(changes) > 0, "a fresh model was right from the beginning"


def test_a_training_of_few_batches_is_not_looked_at_and_says_so() -> None:
    outcome, _, _ = run(Overfit(examples_seconds=0), setup=a_setup(trainer={"max_epochs": 1}))
    found = reading(outcome, "looks")
    assert found.value == []
    assert (
        found.note
        == "its batches are too few for looks within 0.01 of the training; train longer, or give a larger share"
    )
    assert outcome.artifact("dynamics.csv") is None
    assert outcome.reading("forgotten train examples") is None


@pytest.mark.slow
def test_a_longer_training_is_looked_at_unasked_in_the_same_places_each_time() -> None:
    """Eight hundred batches, of which looks may count eight: two and a third each."""
    setup = a_setup(data=art.data((X, Y), (XV, YV), batch_size=8), trainer={"max_epochs": 25})
    outcome, _, _ = run(Overfit(examples_seconds=0), setup=setup)
    found = reading(outcome, "looks")
    assert found.value == [0, 6, 25]
    assert found.note == "epochs after which the first batch was looked at, within 0.01 of the training"
    assert reading(outcome, "prediction dynamics").value["epochs"] == found.value
    assert "of the first 8 training examples, looked at" in reading(outcome, "forgotten train examples").note


@pytest.mark.slow
def test_the_worst_and_the_forgotten_examples_are_named() -> None:
    outcome, _, _ = everything()
    for name in ("worst train examples", "worst validation examples", "confidently wrong validation examples"):
        assert 0 < len(reading(outcome, name).value) <= 5
    assert "of the first 256 training examples" in reading(outcome, "forgotten train examples").note


def test_default_checks_follow_what_was_asked_for() -> None:
    task = Task(TaskKind.CLASSIFICATION)
    assert Overfit().default_checks(task, []) == [LossDecreases("train/loss"), NoNaN()]
    sweep = Overfit(capacity=[{"width": 1}, {"width": 2}], repeats=2)
    assert sweep.default_checks(task, [])[2:] == [CapacityHelps(), Equals("differing_tensors", 0)]
