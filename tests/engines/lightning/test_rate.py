"""A rate that a job gives is the learning rate of each step, whatever the module schedules."""

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, StepLR

from art_training.engines import FitJob
from art_training.errors import SetupError
from art_training.setup.setup import Setup


def curves_of(engine, setup, folder, **how):
    points = []
    folder.mkdir(exist_ok=True)
    result = engine.fit(FitJob(setup, 0, folder, **how), lambda position: points.extend(position.points))
    curves = {}
    for name, step, _, value in points:
        curves.setdefault(name, []).append((step, pytest.approx(value)))
    return result, curves


def rising(step):
    return 0.01 * (step + 1)


def test_each_step_has_its_rate_and_the_curve_shows_it(engine, net, points, tmp_path):
    used = []

    class Watched(net):
        def on_before_optimizer_step(self, optimizer):
            used.append(optimizer.param_groups[0]["lr"])

    setup = Setup(Watched, points, trainer={"max_epochs": 2})
    result, curves = curves_of(engine, setup, tmp_path, rate=rising)
    assert used == pytest.approx([rising(step) for step in range(10)])
    assert curves["lr/0"] == [(step + 1, rising(step)) for step in range(10)]
    assert result.parameters["rate"] == "rising"


@pytest.mark.parametrize("scheduler", ["one cycle", "a step schedule"])
def test_the_schedulers_of_the_module_are_not_stepped(engine, net, points, tmp_path, scheduler):
    class Scheduled(net):
        def configure_optimizers(self):
            body, head = self.net[0].parameters(), [*self.net[1].parameters(), *self.net[4].parameters()]
            made = torch.optim.Adam([{"params": body, "lr": 0.02}, {"params": head, "lr": 0.002}])
            if scheduler == "one cycle":
                cycle = OneCycleLR(made, [0.02, 0.002], total_steps=100)
                return {"optimizer": made, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}
            return [made], [{"scheduler": StepLR(made, 1, 0.1), "interval": "epoch"}]

    setup = Setup(Scheduled, points, trainer={"max_epochs": 3, "gradient_clip_val": 1.0})
    result, curves = curves_of(engine, setup, tmp_path, rate=rising)
    assert curves["lr/0"] == [(step + 1, rising(step)) for step in range(15)]
    assert curves["lr/1"] == [(step + 1, 0.1 * rising(step)) for step in range(15)]
    assert result.parameters["schedulers"] == []


def test_a_warm_up_that_begins_at_nothing_does_not_count(engine, net, points, tmp_path):
    class Warmed(net):
        def configure_optimizers(self):
            made = super().configure_optimizers()
            return [made], [torch.optim.lr_scheduler.LambdaLR(made, lambda step: step / 10)]

    setup = Setup(Warmed, points, trainer={"max_epochs": 1})
    assert curves_of(engine, setup, tmp_path, rate=rising)[1]["lr/0"][0] == (1, 0.01)


class Adversaries(pl.LightningModule):
    """Two optimisers, by hand, one with a scheduler that the module steps."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.first, self.second = nn.Linear(4, 1), nn.Linear(4, 1)
        self.used = []

    def training_step(self, batch, batch_idx):
        for part, optimizer in zip((self.first, self.second), self.optimizers(), strict=True):
            if part is self.second and batch_idx % 2:
                continue
            optimizer.zero_grad()
            self.manual_backward(part(batch[0]).square().mean())
            optimizer.step()
            self.used.append(optimizer.param_groups[0]["lr"])
        self.lr_schedulers().step()

    def validation_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        first = torch.optim.SGD(self.first.parameters(), lr=0.1)
        return [first, torch.optim.SGD(self.second.parameters(), lr=0.4)], [StepLR(first, 1, 0.5)]


def test_several_optimisers_that_are_stepped_by_hand_count_their_own_steps(engine, points, tmp_path):
    kept = []

    def made():
        kept.append(Adversaries())
        return kept[-1]

    setup = Setup(made, points, trainer={"max_epochs": 1})
    _, curves = curves_of(engine, setup, tmp_path, rate=rising)
    first, second = [rising(step) for step in range(5)], [4 * rising(step) for step in range(3)]
    order = [first[0], second[0], first[1], first[2], second[1], first[3], first[4], second[2]]
    assert kept[-1].used == pytest.approx(order)
    assert [step for step, _ in curves["lr/0"]] == [1, 3, 4, 6, 7]
    assert [step for step, _ in curves["lr/1"]] == [2, 5, 8]


def test_accumulated_gradients_are_one_step(engine, net, points, tmp_path):
    setup = Setup(net, points, trainer={"max_epochs": 1, "accumulate_grad_batches": 2})
    assert curves_of(engine, setup, tmp_path, rate=rising)[1]["lr/0"] == [(1, 0.01), (2, 0.02), (3, 0.03)]


def test_a_training_that_is_resumed_goes_on_with_its_rates(engine, net, points, tmp_path, monkeypatch):
    from art_training.engines.lightning import checkpoint

    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)
    kept = []

    def watch(position):
        if position.checkpoint is not None and not kept:
            kept.append(tmp_path / "kept")
            kept[0].write_bytes(position.checkpoint.read_bytes())

    setup = Setup(net, points, trainer={"max_epochs": 3})
    (tmp_path / "fit").mkdir()
    straight = engine.fit(FitJob(setup, 0, tmp_path / "fit", rate=rising), watch)
    resumed, curves = curves_of(engine, setup, tmp_path / "resumed", rate=rising, resume=kept[0])
    assert curves["lr/0"] == [(step + 1, rising(step)) for step in range(5, 15)]
    one, other = (torch.load(result.last, weights_only=False)["state_dict"] for result in (straight, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("rate", [-1.0, float("nan")])
def test_a_rate_that_is_none_is_told(engine, net, points, tmp_path, rate):
    with pytest.raises(SetupError, match="at step 0; a learning rate is finite and not negative"):
        curves_of(engine, Setup(net, points, trainer={"max_epochs": 1}), tmp_path, rate=lambda step: rate)
