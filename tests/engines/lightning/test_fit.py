"""A training through the engine is Lightning's own, with what was measured and without what it was given changed."""

import math
import warnings

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset, TensorDataset

from art_training.engines import FitJob
from art_training.errors import SetupError
from art_training.setup.data.data import data
from art_training.setup.setup import Setup
from art_training.setup.torch_model import from_torch


class Fixed(pl.LightningDataModule):
    def __init__(self, batches=6):
        super().__init__()
        self.batches = batches

    def train_dataloader(self):
        x = torch.arange(4.0 * self.batches).reshape(-1, 1)
        return DataLoader(TensorDataset(x, x), batch_size=4, shuffle=True)


class Scripted(pl.LightningModule):
    """Its loss in each batch is what the test says."""

    losses: tuple = ()

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = 0

    def training_step(self, batch, batch_idx):
        value = self.losses[self.seen % len(self.losses)]
        self.seen += 1
        if isinstance(value, BaseException):
            raise value
        return value + 0.0 * self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def scripted(*losses):
    return type("Scripted", (Scripted,), {"losses": losses})


def fit(engine, setup, folder, watch=lambda position: None, **how):
    folder.mkdir(exist_ok=True)
    return engine.fit(FitJob(setup, 0, folder, **how), watch)


def weights(path):
    return torch.load(path, weights_only=False)["state_dict"]


@pytest.fixture
def run(engine, tmp_path):
    def run(setup, **how):
        points = []
        result = fit(engine, setup, tmp_path / "fit", lambda position: points.extend(position.points), **how)
        curves = {}
        for name, step, epoch, value in points:
            curves.setdefault(name, []).append((step, epoch, value))
        return result, curves

    return run


# What is measured


def test_every_step_is_a_point_of_the_training_loss(run):
    result, curves = run(Setup(scripted(1.0, 2.0, 3.0), lambda: Fixed(3), trainer={"max_epochs": 2}))
    assert curves["train/loss"] == [(1, 0, 1.0), (2, 0, 2.0), (3, 0, 3.0), (4, 1, 1.0), (5, 1, 2.0), (6, 1, 3.0)]
    assert curves["train/loss_epoch"] == [(3, 0, 2.0), (6, 1, 2.0)]
    assert curves["lr/0"][0][2] == 0.1
    assert (result.epochs, result.steps, result.stopped) == (2, 6, "")


def test_accumulated_gradients_neither_shrink_nor_multiply_the_loss(run):
    trainer = {"max_epochs": 1, "accumulate_grad_batches": 3}
    _, curves = run(Setup(scripted(1.0, 2.0, 3.0), Fixed, trainer=trainer))
    assert curves["train/loss"] == [(1, 0, pytest.approx(2.0)), (2, 0, pytest.approx(2.0))]


def test_logged_values_and_the_validation_loss_become_curves(run, net, points):
    _, curves = run(Setup(net, points, trainer={"max_epochs": 2}))
    assert [(step, epoch) for step, epoch, _ in curves["validation/loss"]] == [(5, 0), (10, 1)]
    assert curves["logged/val_loss"] == curves["validation/loss"]


def test_a_validation_loss_that_is_only_returned_is_weighted_by_examples(run, points):
    class Returning(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(4, 2)

        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch, batch_idx):
            return {"loss": torch.tensor(float(len(batch[0])))}  # 16, then 10

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    _, curves = run(Setup(Returning, points, trainer={"max_epochs": 1}))
    assert curves["validation/loss"] == [(5, 0, pytest.approx((16 * 16 + 10 * 10) / 26))]


def test_manual_optimisation_is_read_from_what_it_logs(run):
    class Manual(Scripted):
        losses = (1.0,)

        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            self.manual_backward(loss)
            self.optimizers().step()
            self.log("train_loss", loss)

    result, curves = run(Setup(Manual, Fixed, trainer={"max_epochs": 2, "log_every_n_steps": 1}))
    assert curves["train/loss"][-1][2] == 1.0
    assert result.steps == 12
    assert result.logged == {"train_loss": 1.0}


def test_progress_is_told_a_few_times_a_second_and_each_point_once(engine, tmp_path):
    import time

    told = []

    class Slow(Scripted):
        losses = tuple(float(index) for index in range(1000))

        def training_step(self, batch, batch_idx):
            time.sleep(0.01)
            return super().training_step(batch, batch_idx)

    def watch(position):
        told.append((time.monotonic(), position))

    setup = Setup(Slow, lambda: Fixed(80), trainer={"max_epochs": 1})
    result = fit(engine, setup, tmp_path / "fit", watch)
    running = [(at, position) for at, position in told if position.phase == "fit"][:-1]
    assert 2 <= len(running) <= result.seconds / 0.2 + 1
    points = [point for _, position in told for point in position.points if point[0] == "train/loss"]
    assert [step for _, step, *_ in points] == list(range(1, 81))
    assert (told[1][1].batches, told[1][1].epochs) == (80, 1)


def test_what_was_really_used_is_recorded(run, net, points):
    setup = Setup(net, points, hparams={"lr": 0.3}, trainer={"max_epochs": 9}).but(trainer={"max_epochs": 2})
    result, _ = run(setup)
    assert result.parameters["trainer"]["max_epochs"] == 2
    assert result.parameters["trainer"]["accelerator"] == "CPUAccelerator"
    assert result.parameters["optimizers"][0]["optimizer"] == "SGD"
    assert result.parameters["optimizers"][0]["groups"][0]["lr"] == 0.3
    assert result.parameters["loaders"]["train"]["sampler"] == "RandomSampler"
    assert str(result.last.parent) not in str(result.parameters)


# Seeds


def test_a_seed_decides_everything_and_the_model_not_the_order_of_the_data(engine, tmp_path, points):
    orders = []

    class Watching(Scripted):
        losses = (1.0,)

        def __init__(self, draws):
            super().__init__()
            torch.rand(draws)

        def training_step(self, batch, batch_idx):
            orders[-1].append(batch[0].flatten()[0].item())
            return super().training_step(batch, batch_idx)

    for draws, seed in ((0, 0), (7, 0), (0, 1)):
        orders.append([])
        (tmp_path / str(len(orders))).mkdir()
        setup = Setup(Watching, Fixed, hparams={"draws": draws}, trainer={"max_epochs": 1})
        engine.fit(FitJob(setup, seed, tmp_path / str(len(orders))), lambda position: None)
    assert orders[0] == orders[1] != orders[2]


def test_the_same_job_gives_the_same_weights(engine, tmp_path, net, points):
    setup = Setup(net, points, trainer={"max_epochs": 2})
    a, b = (fit(engine, setup, tmp_path / name) for name in "ab")
    assert all(torch.equal(weights(a.last)[name], value) for name, value in weights(b.last).items())


# Ends


def test_a_loss_that_stays_nan_ends_training_and_says_since_when(run):
    result, curves = run(Setup(scripted(1.0, *[math.nan] * 50), lambda: Fixed(4), trainer={"max_epochs": 40}))
    assert result.stopped == "loss is not finite"
    assert result.message == "the training loss is not finite since epoch 0, batch 1"
    assert result.epochs < 10
    assert result.last.name == "last.ckpt"
    assert math.isnan(curves["train/loss"][-1][2])


def test_one_spike_does_not_end_training(run):
    result, _ = run(Setup(scripted(1.0, math.inf, 1.0, 1.0), lambda: Fixed(4), trainer={"max_epochs": 3}))
    assert (result.stopped, result.epochs) == ("", 3)


def test_weights_that_are_lost_end_training_at_once(run):
    class Exploding(Scripted):
        losses = (1.0,)

        def training_step(self, batch, batch_idx):
            return (self.weight * math.nan if batch_idx == 2 else self.weight).sum()

    result, _ = run(Setup(Exploding, lambda: Fixed(4), trainer={"max_epochs": 50, "min_epochs": 50}))
    assert (result.stopped, result.epochs) == ("loss is not finite", 1)


def test_ctrl_c_ends_with_the_last_epoch_kept(run, monkeypatch):
    from art_training.engines.lightning import checkpoint

    monkeypatch.setattr(checkpoint, "_SHARE", math.inf)
    setup = Setup(scripted(*[1.0] * 9, KeyboardInterrupt()), lambda: Fixed(4), trainer={"max_epochs": 5})
    result, curves = run(setup)
    assert result.stopped == "interrupted"
    assert result.message == "interrupted by Ctrl-C in epoch 2, after batch 0"
    assert result.last.name == "epoch-2.ckpt"
    assert [step for step, *_ in curves["train/loss"]] == list(range(1, 10))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_out_of_memory_ends_cleanly(run, error):
    result, curves = run(Setup(scripted(1.0, 1.0, error), Fixed, trainer={"max_epochs": 5}))
    assert result.stopped == "out of memory"
    assert result.message.startswith("out of memory in epoch 0, after batch 1")
    assert result.last is None
    assert len(curves["train/loss"]) == 2


def test_other_errors_of_the_user_are_raised_as_they_are(run):
    with pytest.raises(ZeroDivisionError, match="mine"):
        run(Setup(scripted(1.0, ZeroDivisionError("mine")), Fixed, trainer={"max_epochs": 5}))


def test_training_ends_below_a_loss_after_a_time_and_at_a_number_of_steps(run):
    falling = scripted(*(1 / (1 + index) for index in range(1000)))
    trainer = {"max_epochs": 20, "min_epochs": 20, "max_time": "00:00:10:00"}
    result, _ = run(Setup(falling, Fixed, trainer=trainer), stop_below=0.1)
    assert (result.epochs, result.stopped) == (3, "")
    assert "is below 0.1" in result.message
    result, _ = run(Setup(falling, Fixed, trainer=trainer), deadline=0.0)
    assert (result.steps, result.stopped) == (1, "")
    result, _ = run(Setup(falling, Fixed, trainer={"max_epochs": 1}), max_steps=15)
    assert (result.steps, result.epochs) == (15, 3)


def test_a_loss_of_several_numbers_gives_one_sentence(run):
    class PerExample(Scripted):
        losses = (1.0,)

        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx).expand(3)

    with pytest.raises(SetupError, match=r"that PerExample.training_step returns has more than one .*loss.mean\(\)"):
        run(Setup(PerExample, Fixed, trainer={"max_epochs": 1}))


def test_early_stopping_on_what_nobody_logs_gives_one_sentence(run, net, points):
    setup = Setup(net, points, trainer={"max_epochs": 1, "callbacks": [pl.callbacks.EarlyStopping("val_los")]})
    with pytest.raises(SetupError, match="waits for 'val_los', which Net does not log; it logs: val_loss; name one"):
        run(setup)


def test_a_loss_that_is_not_connected_gives_one_sentence(run):
    class Detached(Scripted):
        losses = (1.0,)

        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx).detach()

    with pytest.raises(SetupError, match=r"the loss that Detached.training_step returns is not connected .*detach"):
        run(Setup(Detached, Fixed, trainer={"max_epochs": 1}))


# One batch


def test_one_batch_is_trained_again_and_again(engine, tmp_path):
    seen = []

    class Watching(Scripted):
        losses = (1.0,)

        def training_step(self, batch, batch_idx):
            seen.append(batch[0].flatten().tolist())
            batch[0].zero_()  # what a hook or a step does to its batch does not stay
            return super().training_step(batch, batch_idx)

    trainer = {"max_epochs": 1, "limit_train_batches": 2, "val_check_interval": 3, "overfit_batches": 1}
    setup = Setup(Watching, Fixed, trainer=trainer)
    result = fit(engine, setup, tmp_path / "fit", one_batch=5, max_steps=12)
    assert seen == [[0.0, 1.0, 2.0, 3.0]] * 12
    assert (result.steps, result.epochs) == (12, 3)


def test_nothing_stops_or_chooses_on_one_batch(engine, tmp_path, net, points):
    stopping = pl.callbacks.EarlyStopping("val_loss", patience=0, mode="max")
    chosen = [stopping, pl.callbacks.ModelCheckpoint(monitor="val_loss"), pl.callbacks.LearningRateMonitor()]
    setup = Setup(net, points, trainer={"max_epochs": 1, "callbacks": chosen, "enable_checkpointing": True})
    result = fit(engine, setup, tmp_path / "fit", one_batch=2, max_steps=12)
    assert result.steps == 12
    assert result.best is None
    assert list(result.callbacks) == ["LearningRateMonitor"]
    assert "val_loss" in result.logged  # the validation loader is the same batch


# Plain modules and declared data


def test_a_plain_module_learns_declared_arrays(run):
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    y = x @ torch.tensor([1.0, -2.0, 0.5])
    model = from_torch(lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=0.1)
    declared = data((x[:48], y[:48]), (x[48:], y[48:]), batch_size=16)
    result, curves = run(Setup(model, declared, trainer={"max_epochs": 30}))
    assert curves["train/loss_epoch"][-1][2] < 0.05 * curves["train/loss_epoch"][0][2]
    assert set(result.logged) == {"val_loss"}
    assert result.parameters["optimizers"][0]["optimizer"] == "AdamW"


@pytest.mark.parametrize(("validation", "monitor"), [(True, "val_loss"), (False, "train_loss")])
def test_a_plateau_schedule_of_a_plain_module_looks_at_the_loss_that_there_is(run, validation, monitor):
    x, y = torch.randn(32, 3), torch.randn(32)
    model = from_torch(
        lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        loss=nn.MSELoss,
        lr=0.1,
        scheduler=lambda optimizer: ReduceLROnPlateau(optimizer, patience=0, threshold=1e9, threshold_mode="abs"),
    )
    declared = data((x, y), (x, y) if validation else None)
    result, curves = run(Setup(model, declared, trainer={"max_epochs": 3}))
    assert result.parameters["schedulers"][0]["monitor"] == monitor
    assert curves["lr/0"][-1][2] < 0.1


def test_a_plain_module_without_validation_data_trains_without_a_warning(run):
    declared = data((torch.randn(8, 3), torch.randn(8, 1)))
    model = from_torch(lambda: nn.Linear(3, 1), loss=nn.MSELoss, lr=0.1)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run(Setup(model, declared, trainer={"max_epochs": 1}))
    assert not [one for one in said if "val_dataloader" in str(one.message)]


class Drawing(Dataset):
    """Rows with noise from a generator that the dataset itself holds."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(0)

    def __len__(self):
        return 32

    def __getitem__(self, index):
        return torch.randn(3, generator=self.generator), torch.zeros(1)


@pytest.mark.parametrize("declare", [lambda rows: data(rows, rows), lambda rows: lambda: data(rows, rows)])
def test_a_declared_dataset_draws_alike_in_each_fit_and_its_generator_stays_as_it_was(run, declare):
    rows = Drawing()
    before = rows.generator.get_state()
    model = from_torch(lambda: nn.Linear(3, 1), loss=nn.MSELoss, lr=0.1)
    setup = Setup(model, declare(rows), trainer={"max_epochs": 2})
    first, second = (run(setup)[0].logged for _ in range(2))
    assert first == second
    assert torch.equal(rows.generator.get_state(), before)
