"""What can be told of a step before anything runs is told before the first step runs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import lightning as L
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.regression import MeanSquaredError

import art_training as art
from art_training.checks import Above, Below, Between, Check, Equals, Exists, Improves
from art_training.engines.lightning import LightningEngine
from art_training.errors import CheckError, SetupError, UnknownMetric
from art_training.records import Outcome, Score, StepStarted
from art_training.setup.setup import Setup
from art_training.steps import EvaluateBaseline, FinalTest, Overfit, OverfitOneBatch, Regularize, Squeeze, Tune
from art_training.steps.bench import Bench
from art_training.steps.step import Step
from art_training.stores.memory import MemoryStore

MODEL = art.from_torch(lambda: nn.Linear(2, 2), loss=nn.CrossEntropyLoss, lr=0.1)
ROWS = (torch.eye(2), torch.tensor([0, 1]))
DATA, BOTH = art.data(train=ROWS), art.data(ROWS, ROWS)


@dataclass(frozen=True)
class Looks(Step):
    """Needs no model."""

    uses: ClassVar[frozenset[str]] = frozenset({"model"})

    def run(self, bench: Bench) -> Outcome:
        return Outcome(scores={"train/loss": Score(0.5, direction="minimize")})

    def default_checks(self, task: object, metrics: Sequence[str]) -> Sequence[Check]:
        return (Exists("train/loss"),)


@dataclass(frozen=True)
class Trains(Looks):
    """Would train."""

    uses: ClassVar[frozenset[str]] = frozenset({"model", "hparams", "trainer", "metrics", "outputs"})


class TrainOnly(L.LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.eye(2), torch.tensor([0, 1])))


def odd(predictions: torch.Tensor, targets: torch.Tensor) -> float:
    return 0.5


def project(*steps: Step, data: Any = DATA, model: Any = MODEL, **trainer: Any) -> art.ArtProject:
    setup = Setup(model, data, trainer=trainer)
    return art.ArtProject("p", setup, steps=steps, metrics={"odd": odd}, store=MemoryStore())


SPACE = {"lr": art.space.log_uniform(1e-3, 1e-1)}
NEED_VALIDATION = (
    EvaluateBaseline(),
    Regularize(candidates={"slow": art.Variant(hparams={"lr": 0.01})}),
    Tune(SPACE, trials=1),
    Squeeze(),
)

WRONG = [
    (lambda: project(Looks(), Trains(), max_epoch=30), "'max_epoch'.*did you mean 'max_epochs'"),
    (lambda: project(Looks(), Trains(), max_epochs="30"), "max_epochs='30', which is a text.*write 30"),
    (lambda: project(Looks(), Trains(trainer={"max_epoch": 3})), "^step 'Trains': trainer has 'max_epoch'"),
    (
        lambda: project(Looks(), Trains(checks=[Above("validation/loss", 0)])),
        "`validation/loss > 0` of step 'Trains'.*the data has: train; .*art.data\\(validation=...\\)",
    ),
    (
        lambda: project(Looks(), Trains(checks=[Below("validation/loss", 3)]), data=TrainOnly),
        "`validation/loss < 3` of step 'Trains'.*give the datamodule a val_dataloader",
    ),
    *(
        (
            lambda step=step: project(Looks(), step),
            rf"^step '{step.name}' needs a validation split, and the data has: train; give a val_dataloader, or art\.data\(",
        )
        for step in NEED_VALIDATION
    ),
    (
        lambda: project(Looks(), FinalTest(), data=TrainOnly),
        r"^step 'FinalTest' needs a test split, and the data has: train; give a test_dataloader, or art\.data\(test=...\)$",
    ),
    (
        lambda: project(Looks(), Tune(SPACE, by="odd", trials=1), data=BOTH),
        "^it is not known which way metric 'odd' is better, so Tune cannot choose by it; set its attribute",
    ),
]


@pytest.mark.parametrize(("make", "told"), WRONG)
@pytest.mark.parametrize(
    "ask", [lambda project, listen: project.plan(), lambda project, listen: project.run(listen=listen)]
)
def test_a_step_that_could_only_fail_is_refused_before_the_first_step_runs(
    make: Callable[[], art.ArtProject], told: str, ask: Callable[..., object]
) -> None:
    began = []
    with pytest.raises(SetupError, match=told) as raised:
        ask(make(), lambda event: began.append(event) if isinstance(event, StepStarted) else None)
    assert not began
    assert "\n" not in str(raised.value)


def test_where_a_project_stands_is_told_though_it_cannot_run() -> None:
    plan = project(Looks(), Trains(), max_epoch=30).plan(lenient=True)
    assert [step.reason for step in plan.steps] == ["new", "new"]


def test_a_step_that_trains_nothing_runs_beside_settings_that_nothing_can_be_trained_with() -> None:
    assert project(Looks(), max_epoch=30).run().passed


def test_a_setup_is_looked_at_once_and_not_at_all_where_every_step_is_recalled(monkeypatch) -> None:
    seen: list[Setup] = []
    validate = LightningEngine.validate
    monkeypatch.setattr(LightningEngine, "validate", lambda self, setup: (seen.append(setup), validate(self, setup))[1])
    declared = project(Trains(name="a"), Trains(name="b"), max_epochs=1)
    declared.run()
    assert len(seen) == 1
    declared.run()
    declared.plan()
    assert len(seen) == 1


def test_a_step_is_not_refused_for_a_split_that_only_its_data_can_tell(monkeypatch) -> None:
    monkeypatch.setattr(LightningEngine, "declared_splits", lambda self, setup: None)
    assert project(Looks(), FinalTest()).plan().steps[1].reason == "new"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (
            lambda: Overfit(checks=[Below("val_loss", 0.9)]),
            "'val_loss', which it will not have (did you mean 'loss'?); it will have: odd, loss",
        ),
        (
            lambda: Overfit(checks=[Below("train/los", 0.9)]),
            "'los', which it will not have (did you mean 'train/loss'?); it will have: odd, loss",
        ),
        (
            lambda: Overfit(checks=[Improves()]),
            "the check `better than before, beyond doubt` of step 'Overfit' asks for 'gain', which it will not have; it will",
        ),
        (
            lambda: OverfitOneBatch(checks=[Above("validation/odd", 0.9)]),
            "step 'OverfitOneBatch' asks for 'validation/odd', which it will not have: it scores train; name 'train/odd', or",
        ),
        (
            lambda: EvaluateBaseline(checks=[Below("train/loss", 0.9)]),
            "asks for 'train/loss', which it will not have: it scores validation; name 'validation/loss'",
        ),
        (
            lambda: FinalTest(checks=[Below("train/loss", 0.9)]),
            "it scores validation and test; name 'validation/loss' or 'test/loss', or ask it of a step that scores train",
        ),
        (
            lambda: Tune(SPACE, trials=1, checks=[Below("train/odd", 0.9)]),
            "it scores validation; name 'validation/odd'",
        ),
    ],
)
def test_a_check_on_a_split_that_the_step_does_not_score_is_refused_where_it_is_declared(
    step: Callable[[], Step], told: str
) -> None:
    with pytest.raises(UnknownMetric) as raised:
        project(step(), data=BOTH)
    assert told in str(raised.value)


def test_a_step_that_chooses_by_a_metric_that_there_is_not_is_refused_before_anything_runs() -> None:
    with pytest.raises(
        UnknownMetric, match="step 'Squeeze' chooses by validation/acuracy: no metric 'acuracy' in this"
    ):
        project(Looks(), Squeeze(by="acuracy"), data=BOTH).plan()
    with pytest.raises(UnknownMetric, match="step 'Tune' chooses by validation/odd: no metric 'odd' in this project"):
        project(Looks(), Tune(SPACE, by="odd", trials=1, skip_metrics=["odd"]), data=BOTH).plan()


# What a step will make of its setup


MADE: list[str] = []


class Counted(L.LightningModule):
    """Notes that it was made."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        MADE.append("class")
        self.net = nn.Linear(2, width)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def counted(width: int = 2) -> Counted:
    MADE.append("factory")
    return Counted(width)


def untouched(given: Any) -> Any:
    raise AssertionError("nothing is made to look at a declaration")


WIDE, DEEP = art.Variant(hparams={"width": 3}), art.Variant(hparams={"widht": 3})
TYPING_ERRORS = [
    (
        Regularize(candidates={"wide": WIDE, "deep": DEEP}),
        "^candidate 'deep' of step 'Regularize': hparams has 'widht'",
    ),
    (
        Regularize(candidates={"deep": art.Variant(hparams={"widht": 3}, model=untouched, data=untouched)}),
        "^candidate 'deep' of step 'Regularize': hparams has 'widht'",
    ),
    (
        Regularize(candidates={"long": art.Variant(trainer={"max_epoch": 3})}),
        "^candidate 'long' of step 'Regularize': trainer has 'max_epoch'.*did you mean 'max_epochs'",
    ),
    (Tune({"widht": art.space.integer(1, 3)}, trials=1), "step 'Tune': space has 'widht'"),
    (
        Tune({"trainer.max_epoch": art.space.integer(1, 3)}, trials=1),
        "^trainer.max_epoch=1 in the space of step 'Tune': trainer has 'max_epoch'",
    ),
    (
        Tune({"size": art.space.choice(wide=WIDE, deep=DEEP)}, trials=1),
        "^size='deep' in the space of step 'Tune': hparams has 'widht'",
    ),
    (
        Tune(
            {
                "kind": art.space.choice("a", "b"),
                "size": art.space.choice(wide=WIDE, deep=DEEP).when("kind", "b"),
            },
            trials=1,
        ),
        "step 'Tune': space has 'kind'",
    ),
    (Overfit(capacity=[{"width": 3}, {"widht": 4}]), r"^capacity\[1\] of step 'Overfit': hparams has 'widht'"),
]


@pytest.mark.parametrize(
    "model", [Counted, counted, art.from_torch(lambda width=2: counted(width), loss=nn.MSELoss, lr=1)]
)
@pytest.mark.parametrize(("step", "told"), TYPING_ERRORS)
def test_a_mistyped_name_in_what_a_step_will_try_is_told_before_the_first_step(
    step: Step, told: str, model: Any
) -> None:
    MADE.clear()
    with pytest.raises(SetupError, match=told) as raised:
        project(Looks(), step, data=BOTH, model=model).plan()
    assert "\n" not in str(raised.value)
    assert MADE.count("factory") <= 1  # the setup itself is; what is made of it is not


def test_a_mistyped_hyper_parameter_of_a_plain_module_is_told_without_making_it() -> None:
    MADE.clear()
    model = art.from_torch(counted, loss=nn.MSELoss, lr=0.1)
    with pytest.raises(SetupError, match="step 'Trains': hparams has 'widht', which counted does not take"):
        project(Looks(), Trains(hparams={"widht": 3}), model=model).plan()
    assert not MADE


@dataclass(frozen=True)
class Tries(Trains):
    """Would train two setups."""

    def setups(self, setup: Setup) -> Iterable[tuple[str, Setup]]:
        yield "one", setup
        yield "other", setup.but(trainer={"max_epochs": 2})


def test_what_a_step_would_try_is_looked_at_once_and_not_at_all_where_it_is_recalled(monkeypatch) -> None:
    seen: list[Setup] = []
    monkeypatch.setattr(LightningEngine, "validate_declaration", lambda self, setup: seen.append(setup))
    declared = project(Tries(), max_epochs=1)
    declared.run()
    assert len(seen) == 2
    declared.run()
    declared.plan()
    declared.plan(force=True, lenient=True)
    assert len(seen) == 2


def measured(*checks: Check) -> art.ArtProject:
    metrics = {"acc": MulticlassAccuracy(num_classes=2), "mse": MeanSquaredError(), "odd": odd}
    steps = [Looks(checks=checks)]
    return art.ArtProject("p", Setup(MODEL, BOTH), steps=steps, metrics=metrics, store=MemoryStore())


@pytest.mark.parametrize(
    "check",
    [
        Above("validation/acc", 95),
        Above("validation/acc", 1.0),
        Between("validation/acc", 90, 100),
        Equals("validation/acc", 100),
        Below("validation/mse", 0),
        Between("validation/mse", -2, -1),
    ],
)
def test_a_check_that_no_value_of_its_metric_can_pass_is_refused(check: Check) -> None:
    with pytest.raises(CheckError, match=r"can never pass, because the best that (acc|mse) can be is [01]; give"):
        measured(check).run()


@pytest.mark.parametrize(
    "check",
    [
        Above("validation/acc", 0.999),
        Equals("validation/acc", 1.0),
        Below("validation/acc", 95),
        Above("validation/odd", 95),
        Below("validation/mse", 1e-9),
        Above("train/loss", 95),
    ],
)
def test_a_check_that_some_value_passes_is_not(check: Check) -> None:
    measured(check).run()
