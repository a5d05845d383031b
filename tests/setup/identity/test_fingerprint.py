from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import (
    DeviceStatsMonitor,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelSummary,
    RichProgressBar,
    StochasticWeightAveraging,
    TQDMProgressBar,
)
from torch import nn

import art_training as art
from art_training.records import Fingerprint
from art_training.setup.identity.data_digest import DataDigest
from art_training.setup.identity.fingerprint import CANNOT_CHANGE_A_RESULT, fingerprint
from art_training.setup.setup import Setup

DATA = DataDigest("abc", components={"data digest": {"digest": "abc"}})


def helper(x: Any) -> Any:
    return x * 2


class Net(nn.Module):
    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return helper(x)


class Data:
    pass


@dataclass(frozen=True)
class Step:
    rate: float = 0.5
    version: ClassVar[int] = 1

    def configuration(self) -> dict[str, Any]:
        return {"rate": self.rate}

    def run(self) -> int:
        return 1

    def default_checks(self) -> int:
        return 1


def of(setup: Setup, **arguments: Any) -> Fingerprint:
    standard: dict[str, Any] = {"step": Step(), "metrics": {}, "seed": 1, "consumes": {}, "data": DATA}
    return fingerprint(setup, **{**standard, **arguments})


def told(before: Fingerprint, after: Fingerprint) -> list[str]:
    return [str(change) for change in after.changes(before)]


@pytest.fixture
def setup() -> Setup:
    return Setup(Net, Data, hparams={"lr": 0.001}, trainer={"max_epochs": 3})


def test_it_is_the_same_each_time(setup: Setup) -> None:
    assert of(setup) == of(setup.but())
    assert of(setup).unknown == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hparams": {"lr": 0.01}}, "hparams.lr: 0.001 -> 0.01"),
        ({"hparams": {"width": 3}}, "hparams.width is new: 3"),
        ({"trainer": {"max_epochs": 5}}, "trainer.max_epochs: 3 -> 5"),
        ({"trainer": {"gradient_clip_val": 1.0}}, "trainer.gradient_clip_val is new: 1.0"),
        ({"task": {"kind": "regression"}}, "task.kind is new"),
        ({"declarations": {"imbalance_expected": True}}, "declarations.imbalance_expected is new: True"),
        ({"engine": "torch"}, "engine: 'lightning' -> 'torch'"),
        ({"outputs": lambda batch, returned: returned}, "outputs: setup.lambda is new"),
    ],
)
def test_each_part_of_a_setup_is_told_by_name(setup: Setup, change: dict[str, Any], sentence: str) -> None:
    found = told(of(setup), of(setup.but(**change)))
    assert found == [sentence] or (len(found) == 1 and found[0].startswith("outputs: ") and "lambda" in found[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"step": Step(0.9)}, "step.rate: 0.5 -> 0.9"),
        ({"seed": 2}, "seed: 1 -> 2"),
        ({"metrics": {"accuracy": {"classes": 3}}}, "metrics.accuracy is new: {'classes': 3}"),
        ({"consumes": {"Overfit": "abc"}}, "consumes.Overfit is new"),
        ({"data": DataDigest("abd", components={"data digest": {"digest": "abd"}})}, "data digest changed"),
    ],
)
def test_what_surrounds_the_setup_is_told_by_name(setup: Setup, arguments: dict[str, Any], sentence: str) -> None:
    assert told(of(setup), of(setup, **arguments)) == [sentence]


@pytest.mark.parametrize("name", sorted(CANNOT_CHANGE_A_RESULT))
def test_settings_that_cannot_change_a_result_do_not_count(setup: Setup, name: str) -> None:
    assert of(setup.but(trainer={name: "anything"})) == of(setup)


def test_callbacks_count_attribute_by_attribute(setup: Setup) -> None:
    one = setup.but(trainer={"callbacks": [EarlyStopping("validation/loss", patience=3)]})
    other = setup.but(trainer={"callbacks": [EarlyStopping("validation/loss", patience=10)]})
    assert told(of(one), of(other)) == ["trainer.EarlyStopping.patience: 3 -> 10"]
    two = one.but(trainer={"callbacks": EarlyStopping("train/loss")})
    assert of(two).components["trainer.EarlyStopping #2.monitor"] == "train/loss"


def test_a_callback_that_was_used_is_the_one_that_it_was(setup: Setup) -> None:
    callback = EarlyStopping("validation/loss")
    before = of(setup.but(trainer={"callbacks": [callback]}))
    callback.wait_count, callback.best_score = 3, torch.tensor(0.1)
    assert of(setup.but(trainer={"callbacks": [callback]})) == before


def test_callbacks_that_only_watch_do_not_count(setup: Setup) -> None:
    watching = [TQDMProgressBar(), RichProgressBar(), ModelSummary(), LearningRateMonitor(), DeviceStatsMonitor()]
    assert of(setup.but(trainer={"callbacks": watching})) == of(setup)


def test_where_a_checkpoint_is_written_does_not_count(setup: Setup) -> None:
    one, other = (setup.but(trainer={"callbacks": ModelCheckpoint(dirpath=place)}) for place in ("/a", "/b"))
    assert of(one) == of(other)
    assert of(one) != of(setup.but(trainer={"callbacks": ModelCheckpoint(monitor="loss", dirpath="/a")}))


def test_names_that_a_library_gives_to_where_it_writes_mean_something_else_in_a_class_of_ones_own(setup: Setup) -> None:
    @dataclass
    class Config:
        filename: str
        verbose: bool = False

    class Noise(L.Callback):
        def __init__(self, dirpath: str) -> None:
            self.dirpath = dirpath

    def configured(config: Any) -> Fingerprint:
        return of(setup.but(hparams={"config": config}))

    assert configured(Config("a.json")) == configured(Config("a.json"))
    assert configured(Config("a.json")) != configured(Config("b.json"))
    assert configured(Config("a.json")) != configured(Config("a.json", verbose=True))
    one, other = (of(setup.but(trainer={"callbacks": Noise(place)})) for place in ("/a", "/b"))
    assert told(one, other) == ["trainer.Noise.dirpath: '/a' -> '/b'"]


def test_the_order_of_a_mapping_counts_and_that_of_hyper_parameters_and_settings_does_not(setup: Setup) -> None:
    def made(**hparams: Any) -> Fingerprint:
        return of(setup.but(hparams=hparams))

    one, other = made(layers={"a": 3, "b": 20}), made(layers={"b": 20, "a": 3})
    assert one.digest != other.digest
    assert told(one, other) == ["hparams.layers: {'a': 3, 'b': 20} -> {'b': 20, 'a': 3}"]
    assert made(lr=0.1, width=3).digest == made(width=3, lr=0.1).digest
    settings = {"max_epochs": 3, "gradient_clip_val": 1.0}
    reverse = dict(reversed(settings.items()))
    assert of(setup.but(trainer=settings)).digest == of(setup.but(trainer=reverse)).digest


def test_a_callback_of_ones_own_counts_with_its_code(setup: Setup) -> None:
    class Mine(TQDMProgressBar):
        def on_train_epoch_end(self, *_: Any) -> None:
            helper(3)

    found = of(setup.but(trainer={"callbacks": [Mine()]})).components
    assert any(name.startswith("trainer: ") and name.endswith("Mine.on_train_epoch_end") for name in found)
    assert any(name.endswith(" helper") for name in found if name.startswith("trainer: "))


def test_a_callback_with_functions_can_be_read(setup: Setup) -> None:
    callback = StochasticWeightAveraging(swa_lrs=0.1, avg_fn=lambda a, b, n: a)
    assert of(setup.but(trainer={"callbacks": [callback]})).unknown == ()


def test_a_factory_of_a_trainer_counts_by_its_code(setup: Setup) -> None:
    def make() -> Any:
        return L.Trainer(max_epochs=4)

    assert any(name.startswith("trainer: ") for name in of(setup.but(trainer=make)).components)


def test_a_plain_torch_model_counts_with_loss_optimizer_and_arguments() -> None:
    def loss(prediction: Any, target: Any) -> Any:
        return helper(prediction - target).mean()

    def made(**changes: Any) -> Fingerprint:
        arguments: dict[str, Any] = {"loss": loss, "optimizer": torch.optim.AdamW, "lr": 0.1, **changes}
        return of(Setup(art.from_torch(Net, **arguments), Data))

    before = made()
    assert {"model: Net.forward", "model: helper"} <= set(before.components)
    assert any(name.endswith(".loss") for name in before.components)
    assert told(before, made(lr=0.2)) == ["model: optimizer_arguments.lr: 0.1 -> 0.2"]
    assert any("optimizer" in sentence for sentence in told(before, made(optimizer=torch.optim.SGD)))
    assert any("loss" in sentence for sentence in told(before, made(loss=nn.MSELoss)))
    assert told(made(loss=nn.CrossEntropyLoss()), made(loss=nn.CrossEntropyLoss(label_smoothing=0.1))) != []
    assert told(
        made(loss=nn.CrossEntropyLoss(weight=torch.ones(3))), made(loss=nn.CrossEntropyLoss(weight=torch.zeros(3)))
    ) == ["model: loss changed"]


def test_hparams_that_are_code_count_with_their_code(setup: Setup) -> None:
    found = of(setup.but(hparams={"activation": helper, "norm": nn.LayerNorm}))
    assert "hparams: helper" in found.components
    assert found.components["hparams.norm"]["__repr__"] == "torch.nn.modules.normalization.LayerNorm"


def test_a_step_of_ones_own_counts_with_its_code_but_not_with_its_checks(setup: Setup) -> None:
    found = of(setup).components
    assert "step: Step.run" in found
    assert not any("default_checks" in name for name in found)
    assert (found["step"], found["step.version"]) == ("Step", 1)


def test_arts_own_steps_are_known_by_name_and_version(setup: Setup) -> None:
    from art_training.steps.overfit_one_batch import OverfitOneBatch

    found = of(setup, step=OverfitOneBatch()).components
    assert found["step"] == "OverfitOneBatch"
    assert not any(name.startswith("step: ") for name in found)


def test_further_code_can_be_given(setup: Setup) -> None:
    assert "metrics: helper" in of(setup, code={"metrics": helper}).components


def test_what_is_unknown_is_gathered_from_everywhere(setup: Setup) -> None:
    class Refuses:
        def __reduce__(self) -> Any:
            raise RuntimeError("no")

    found = of(setup.but(hparams={"x": Refuses()}), data=DataDigest("unknown", ("the data cannot be set up",)))
    assert len(found.unknown) == 2
    assert "hparams.x" in found.unknown[0]


def test_code_of_the_setup_edited_between_two_days_is_told(load: Callable[..., Any]) -> None:
    source = "import helpers\nclass DigitsNet:\n    def forward(self, x):\n        return helpers.f(x)\n"
    before = of(Setup(load(source, helpers="def f(x):\n    return x\n").DigitsNet, Data))
    assert told(before, of(Setup(load(source, helpers="def f(x):\n    return -x\n").DigitsNet, Data))) == [
        "model: f changed"
    ]
    edited = source.replace("helpers.f(x)", "helpers.f(x) + 1")
    assert told(before, of(Setup(load(edited, helpers="def f(x):\n    return x\n").DigitsNet, Data))) == [
        "model: DigitsNet.forward changed"
    ]


def test_two_models_of_one_name_are_two(load: Callable[..., Any]) -> None:
    one = load("class Net:\n    def forward(self):\n        return 1\n").Net
    other = load("class Net:\n    def forward(self):\n        return 2\n").Net
    assert of(Setup(one, Data)).digest != of(Setup(other, Data)).digest


def test_no_callbacks_are_no_callbacks_however_they_are_written(setup: Setup) -> None:
    assert of(setup.but(trainer={"callbacks": None})) == of(setup.but(trainer={"callbacks": []})) == of(setup)


def test_a_secret_counts_and_is_not_kept(setup: Setup) -> None:
    one, other = (of(setup.but(hparams={"api_key": key, "url": f"https://me:{key}@host"})) for key in ("hunter2", "b"))
    assert "hunter2" not in str(one.components)
    assert told(one, other) == ["hparams.api_key changed", "hparams.url changed"]
