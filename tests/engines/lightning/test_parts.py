"""What is frozen does not move, what thaws trains from its epoch on, and parts have rates of their own."""

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

from art_training.engines import FitJob, Parts
from art_training.engines.lightning import checkpoint
from art_training.errors import SetupError
from art_training.setup.setup import Setup


class Net(pl.LightningModule):
    """A body with batch norm and dropout, and a head."""

    modes: list = []

    def __init__(self, optimizer="adamw", scheduler=""):
        super().__init__()
        self.optimizer, self.scheduler = optimizer, scheduler
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.middle = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
        self.head = nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        self.train()  # as a step may well do
        self.modes.append((self.current_epoch, self.body[3].training, self.middle[1].training))
        loss = functional.cross_entropy(self.head(self.middle(self.body(batch[0]))), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", functional.cross_entropy(self.head(self.middle(self.body(batch[0]))), batch[1]))

    def configure_optimizers(self):
        trainable = [one for one in self.parameters() if one.requires_grad]
        assert len(trainable) == len(list(self.parameters()))
        made = (
            torch.optim.AdamW(trainable, lr=0.01, weight_decay=0.5)
            if self.optimizer == "adamw"
            else torch.optim.SGD(trainable, lr=0.1, momentum=0.9, weight_decay=0.1)
        )
        makers = {
            "steps": lambda: lr_scheduler.StepLR(made, 1, 0.5),
            "lambda": lambda: lr_scheduler.LambdaLR(made, lambda epoch: 1 / (epoch + 1)),
            "cycle": lambda: lr_scheduler.OneCycleLR(made, 0.1, total_steps=50),
            "plateau": lambda: lr_scheduler.ReduceLROnPlateau(made, patience=0, threshold=10.0, factor=0.5),
            "sequence": lambda: lr_scheduler.SequentialLR(
                made,
                [lr_scheduler.ConstantLR(made, 0.5, 2), lr_scheduler.CosineAnnealingLR(made, 3)],
                milestones=[2],
            ),
        }
        if not self.scheduler:
            return made
        interval = "step" if self.scheduler == "cycle" else "epoch"
        return {
            "optimizer": made,
            "lr_scheduler": {"scheduler": makers[self.scheduler](), "interval": interval, "monitor": "val_loss"},
        }


@pytest.fixture
def train(engine, points, tmp_path):
    """Train from the same weights; the names of what has moved, the result, the curves, and the weights at the end."""
    torch.manual_seed(3)
    begin = Net().state_dict()
    start = engine.write_weights(begin, tmp_path / "start")
    Net.modes.clear()

    def train(parts, *, folder="fit", epochs=4, hparams=None, watch=None, **how):
        points_ = {}

        def watching(position):
            for name, step, _, value in position.points:
                points_.setdefault(name, []).append((step, pytest.approx(value)))
            return watch(position) if watch else None

        (tmp_path / folder).mkdir(exist_ok=True)
        setup = Setup(Net, points, hparams=hparams or {}, trainer={"max_epochs": epochs})
        job = FitJob(setup, 0, tmp_path / folder, parts=parts, start=start, **how)
        result = engine.fit(job, watching)
        end = torch.load(result.last, weights_only=False)["state_dict"]
        return {name for name in begin if not torch.equal(begin[name], end[name])}, result, points_, end

    return train


HEAD = {"head.weight", "head.bias"}
MIDDLE = {f"middle.0.{name}" for name in ("weight", "bias")} | {
    f"middle.1.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_what_is_frozen_does_not_move_at_all(train, optimizer):
    moved, result, _, _ = train(Parts(frozen=("body.*", "middle.*")), hparams={"optimizer": optimizer})
    assert moved == HEAD
    assert result.parameters["parts"]["frozen"] == [
        f"{part}.{layer}.{name}" for part in ("body", "middle") for layer in (0, 1) for name in ("weight", "bias")
    ]
    assert not any(mode for _, *modes in Net.modes for mode in modes)


def test_what_thaws_trains_from_its_epoch_on(train, engine):
    parts = Parts(frozen=("body.*", "middle.*"), thaw={2: ("middle.*",)})
    moved, result, curves, _ = train(parts)
    assert moved == HEAD | MIDDLE
    assert train(parts, folder="short", epochs=2)[0] == HEAD
    assert {modes for modes in Net.modes if modes[0] < 2} == {(0, False, False), (1, False, False)}
    assert {modes for modes in Net.modes if modes[0] >= 2} == {(2, False, True), (3, False, True)}
    assert result.parameters["parts"]["thaw"] == {"2": [f"middle.{i}.{n}" for i in (0, 1) for n in ("weight", "bias")]}
    assert min(step for step, _ in curves["lr/0 from epoch 2"]) > 10


def test_stale_state_of_an_optimiser_moves_nothing(engine, points, tmp_path, train):
    """Momentum and moments that the weights have from another training stay where they are."""

    class Stale(Net):
        def on_train_epoch_start(self):
            optimizer = self.optimizers().optimizer
            for parameter in self.parameters():
                if parameter not in optimizer.state:
                    moments = {"exp_avg": torch.ones_like(parameter), "exp_avg_sq": torch.ones_like(parameter)}
                    optimizer.state[parameter] = {"step": torch.tensor(9.0), **moments}

        def on_before_zero_grad(self, optimizer):
            self.body[0].weight.grad = torch.ones_like(self.body[0].weight)

        def on_before_optimizer_step(self, optimizer):
            self.body[0].weight.grad = torch.ones_like(self.body[0].weight)

    begin = Stale().state_dict()
    start = engine.write_weights(begin, tmp_path / "begin")
    setup = Setup(Stale, points, trainer={"max_epochs": 2})
    job = FitJob(setup, 0, tmp_path, parts=Parts(frozen=("body.*",)), start=start)
    end = engine.weights(engine.fit(job, lambda position: None).last)
    assert all(torch.equal(begin[name], end[name]) for name in begin if name.startswith("body"))


def test_parts_have_rates_of_their_own_in_the_proportion_that_is_asked_for(train):
    rates = {"body.0.*": 0.0001, "body.*": 0.01}
    _, _, curves, _ = train(Parts(rates=rates), epochs=1)
    assert {name: values[0][1] for name, values in curves.items() if name.startswith("lr/")} == {
        "lr/0": 0.01,
        "lr/0 body.0.*": 0.000001,
        "lr/0 body.*": 0.0001,
    }


def test_a_rate_that_is_nearly_nothing_moves_nearly_nothing(train):
    _, _, _, end = train(Parts(rates={"body.*": 1e-9}))
    _, _, _, begin = train(None, folder="none", rate=lambda step: 0.0, epochs=1)
    change = (end["body.0.weight"] - begin["body.0.weight"]).abs().max()
    assert 0 < (end["head.weight"] - begin["head.weight"]).abs().max() > 1e5 * change


@pytest.mark.parametrize("scheduler", ["steps", "lambda", "cycle", "plateau", "sequence"])
def test_schedulers_go_on_as_without_parts_times_the_factor(train, scheduler):
    hparams = {"scheduler": scheduler}
    _, _, without, _ = train(None, folder="without", hparams=hparams)
    _, _, curves, _ = train(Parts(frozen=("middle.*",), rates={"body.*": 0.1}), hparams=hparams)
    rates = [value.expected for _, value in without["lr/0"]]
    assert len(set(rates)) > 1
    assert [value.expected for _, value in curves["lr/0"]] == pytest.approx(rates)
    assert [value.expected for _, value in curves["lr/0 body.*"]] == pytest.approx([0.1 * rate for rate in rates])


def test_a_rate_of_the_job_and_those_of_parts_go_together(train):
    _, _, curves, _ = train(Parts(rates={"body.*": 0.1}), epochs=1, rate=lambda step: step + 1.0)
    assert [value.expected for _, value in curves["lr/0"]] == pytest.approx([1, 2, 3, 4, 5])
    assert [value.expected for _, value in curves["lr/0 body.*"]] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("scheduler", ["", "lambda", "sequence"])
def test_a_training_that_is_resumed_keeps_its_parts(train, tmp_path, monkeypatch, epoch, scheduler):
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)
    parts = Parts(frozen=("body.*", "middle.*"), thaw={2: ("middle.*",), 3: ("body.0.*",)}, rates={"m*": 0.1})
    kept = tmp_path / "kept"

    def watch(position):
        if position.checkpoint is not None and position.epoch == epoch:
            kept.write_bytes(position.checkpoint.read_bytes())

    _, straight, _, end = train(parts, watch=watch, hparams={"scheduler": scheduler})
    moved, resumed, _, again = train(parts, folder="resumed", hparams={"scheduler": scheduler}, resume=kept)
    assert all(torch.equal(end[name], again[name]) for name in end)
    assert resumed.parameters["parts"] == straight.parameters["parts"]
    assert "body.1.weight" not in moved


def test_an_optimiser_with_groups_and_names_of_its_own_is_split(engine, points, tmp_path):
    class Grouped(Net):
        def configure_optimizers(self):
            named = dict(self.named_parameters())
            flat = {name: one for name, one in named.items() if one.ndim < 2}
            deep = {name: one for name, one in named.items() if one.ndim == 2}
            return torch.optim.AdamW(
                [
                    {"params": list(deep.items()), "name": "decayed", "weight_decay": 0.1},
                    {"params": list(flat.items()), "name": "rest", "weight_decay": 0.0, "lr": 0.002},
                ],
                lr=0.001,
            )

    names = {}

    class Seen(Grouped):
        def on_train_start(self):
            for group in self.optimizers().param_groups:
                names[group["name"]] = (group["param_names"], group["lr"], group["weight_decay"])

    setup = Setup(Seen, points, trainer={"max_epochs": 1})
    parts = Parts(frozen=("middle.*",), rates={"body.*": 0.5})
    engine.fit(FitJob(setup, 0, tmp_path, parts=parts), lambda position: None)
    assert names == {
        "decayed body.*": (["body.0.weight"], 0.0005, 0.1),
        "decayed": (["head.weight"], 0.001, 0.1),
        "rest body.*": (["body.0.bias", "body.1.weight", "body.1.bias"], 0.001, 0.0),
        "rest": (["head.bias"], 0.002, 0.0),
    }


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (Parts(frozen=("bodi.*",)), "frozen has 'bodi.*', which matches no parameter of Net; near it are: body"),
        (Parts(rates={"neck.*": 0.1}), "rates has 'neck.*', which matches no parameter"),
        (Parts(frozen=("body.*",), thaw={1: ("head.*",)}), "matches no frozen parameter of Net; frozen are: body.0"),
        (Parts(frozen=("*",)), "matches every parameter of Net that trains"),
        (Parts(frozen=("*",), thaw={1: ("head.*",)}), "nothing would be learned in epoch 0"),
    ],
)
def test_patterns_that_make_no_sense_are_told(train, parts, sentence):
    with pytest.raises(SetupError, match=sentence.replace("*", r"\*")):
        train(parts)


@pytest.mark.parametrize("settings", [{"rates": {"a": 0.0}}, {"rates": {"a": float("inf")}}, {"thaw": {-1: ("a",)}}])
def test_parts_that_make_no_sense_are_refused(settings):
    with pytest.raises(SetupError):
        Parts(**settings)
