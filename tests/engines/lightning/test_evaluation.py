"""A pass shows every example of a split once, through the user's own step and hooks."""

import dataclasses

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Sampler, SubsetRandomSampler, TensorDataset

from art_training.engines import EvaluateJob, FitJob
from art_training.errors import OutOfMemory, SetupError
from art_training.records import Split
from art_training.setup.data.data import data
from art_training.setup.setup import Setup
from art_training.setup.torch_model import from_torch

TRAIN, VALIDATION, TEST = Split.TRAIN, Split.VALIDATION, Split.TEST


@pytest.fixture
def observe(engine):
    def observe(setup, *splits, seed=0, **how):
        seen = []
        result = engine.evaluate(EvaluateJob(setup, seed, splits, **how), seen.append, lambda position: None)
        return result, seen

    return observe


def test_every_row_of_a_split_is_seen_once_whatever_training_does_with_it(observe, net, points):
    class Dropping(points):
        def train_dataloader(self):
            return DataLoader(self.parts["train"], batch_size=16, shuffle=True, drop_last=True)

    result, seen = observe(Setup(net, Dropping), TRAIN, VALIDATION, TEST)
    assert result.rows == {"train": 70, "validation": 26, "test": 24}
    assert [(one.split, one.index, one.weight) for one in seen] == [
        *((TRAIN, index, size) for index, size in enumerate([16, 16, 16, 16, 6])),
        *((VALIDATION, index, size) for index, size in enumerate([16, 10])),
        *((TEST, index, size) for index, size in enumerate([16, 8])),
    ]
    again = torch.cat([one.batch[0] for one in observe(Setup(net, Dropping), TRAIN)[1]])
    assert torch.equal(again, torch.cat([one.batch[0] for one in seen if one.split is TRAIN]))
    assert set(result.seconds) == {"train", "validation", "test"}


def test_in_training_mode_a_last_batch_that_training_drops_is_dropped_too(observe, net, points):
    class Dropping(points):
        def train_dataloader(self):  # 65 rows: batch norm has no statistics of the last one
            rows = TensorDataset(*self.parts["train"][:65])
            return DataLoader(rows, batch_size=16, shuffle=True, drop_last=True)

    result, seen = observe(Setup(net, Dropping), TRAIN, mode="train")
    assert result.rows == {"train": 64}
    assert [one.weight for one in seen] == [16] * 4
    result, seen = observe(Setup(net, Dropping), TRAIN)
    assert result.rows == {"train": 65}
    assert [one.weight for one in seen] == [16] * 4 + [1]


def test_in_training_mode_rows_are_shuffled_by_the_seed_and_each_is_seen_once(observe, net, points):
    setup = Setup(net, points)

    def rows(**asked):
        return torch.cat([one.batch[0] for one in observe(setup, TRAIN, **asked)[1]])

    in_order, drawn = rows(), rows(mode="train")
    assert not torch.equal(in_order, drawn)
    assert torch.equal(in_order.sort(0).values, drawn.sort(0).values)
    assert torch.equal(drawn, rows(mode="train"))
    assert not torch.equal(drawn, rows(mode="train", seed=1, data_seed=0))


def test_in_training_mode_a_subset_stays_a_subset_and_a_sampler_of_ones_own_its_order(observe, net, points):
    class Backwards(Sampler):
        def __iter__(self):
            return iter(range(69, -1, -1))

        def __len__(self):
            return 70

    def rows(sampler):
        class Sampled(points):
            def train_dataloader(self):
                return DataLoader(self.parts["train"], batch_size=16, sampler=sampler)

        return torch.cat([one.batch[0] for one in observe(Setup(net, Sampled), TRAIN, mode="train")[1]])

    whole = points()
    whole.setup("fit")
    x = whole.parts["train"][:][0]
    assert torch.equal(rows(SubsetRandomSampler(range(0, 70, 2))).sort(0).values, x[::2].sort(0).values)
    assert torch.equal(rows(Backwards()), x.flip(0))


def test_a_subset_of_rows_stays_a_subset(observe, net, points):
    class Half(points):
        def train_dataloader(self):
            return DataLoader(self.parts["train"], batch_size=16, sampler=SubsetRandomSampler(range(0, 70, 2)))

    result, seen = observe(Setup(net, Half), TRAIN)
    assert result.rows == {"train": 35}
    whole = Half()
    whole.setup("fit")
    assert torch.equal(torch.cat([one.batch[0] for one in seen]), whole.parts["train"][::2][0])


def test_weights_are_those_that_were_trained(engine, observe, tmp_path, net, points):
    setup = Setup(net, points, trainer={"max_epochs": 3})
    (tmp_path / "fit").mkdir()
    fitted = engine.fit(FitJob(setup, 0, tmp_path / "fit"), lambda position: None)
    trained, _ = observe(setup, VALIDATION, weights=fitted.last)
    fresh, _ = observe(setup, VALIDATION)
    assert trained.logged["validation"]["val_loss"] == pytest.approx(fitted.logged["val_loss"], rel=1e-6)
    assert fresh.logged["validation"]["val_loss"] != pytest.approx(fitted.logged["val_loss"], rel=1e-3)


def test_dropout_and_batch_norm_are_as_in_evaluation_or_in_training_when_asked(observe, points):
    kept = []

    class Moving(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(4)
            self.drop = nn.Dropout(0.5)
            kept.append(self)

        def training_step(self, batch, batch_idx):
            return self.norm(batch[0]).sum()

        def validation_step(self, batch, batch_idx):
            return {"zeros": (self.drop(self.norm(batch[0])) == 0).float().mean(), "training": self.training}

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    for mode, share in (("evaluate", 0.0), ("train", 0.5)):
        _, seen = observe(Setup(Moving, points), TRAIN, mode=mode)
        assert all(one.returned["training"] == (mode == "train") for one in seen)
        assert sum(float(one.returned["zeros"]) for one in seen) / len(seen) == pytest.approx(share, abs=0.1)
        assert torch.equal(kept[-1].norm.running_mean, torch.zeros(4))
        assert kept[-1].norm.num_batches_tracked == 0


def test_a_step_sees_no_gradient_and_may_switch_it_on(observe, points):
    class Penalised(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(4, 1)

        def training_step(self, batch, batch_idx):
            return self.net(batch[0]).sum()

        def validation_step(self, batch, batch_idx):
            assert not torch.is_grad_enabled()
            with torch.enable_grad():
                x = batch[0].clone().requires_grad_()
                return torch.autograd.grad(self.net(x).sum(), x)[0]

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    _, seen = observe(Setup(Penalised, points), VALIDATION)
    assert seen[0].returned.shape == (16, 4)


# Five styles of modules


class Base(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class ReturningNothing(Base):
    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))


class NeverForward(Base):
    def forward(self, x):
        raise AssertionError

    def training_step(self, batch):
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch):
        functional.cross_entropy(self.net(batch[0]), batch[1])


class LossAsModule(Base):
    def __init__(self):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def training_step(self, batch, batch_idx):
        return self.criterion(self.net(batch[0]), batch[1])

    def validation_step(self, *args):
        return self.criterion(self.net(args[0][0]), args[0][1])


class ManualOptimisation(ReturningNothing):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        self.manual_backward(super().training_step(batch, batch_idx))
        self.optimizers().step()


class DictBatches(Base):
    def training_step(self, batch, batch_idx):
        target = batch.pop("y")
        return functional.cross_entropy(self.net(batch["x"]), target)

    validation_step = training_step


@pytest.mark.parametrize("style", [ReturningNothing, NeverForward, LossAsModule, ManualOptimisation])
def test_predictions_and_targets_are_seen_in_modules_of_many_styles(observe, points, style):
    _, seen = observe(Setup(style, points), VALIDATION)
    assert [one.losses[0].prediction.shape for one in seen] == [(16, 2), (10, 2)]
    assert torch.equal(seen[0].losses[0].target, seen[0].batch[1])
    assert all(len(one.losses) == 1 for one in seen)


def test_batches_that_are_dictionaries_are_shown_as_they_came(observe):
    x, y = torch.randn(30, 4), torch.randint(2, (30,))
    declared = data({"x": x, "y": y}, {"x": x, "y": y}, batch_size=20)
    _, seen = observe(Setup(DictBatches, declared), TRAIN, VALIDATION)
    assert [(set(one.batch), one.weight) for one in seen] == [({"x", "y"}, 20), ({"x", "y"}, 10)] * 2


def test_a_module_without_a_validation_step_is_passed_through_its_training_step(observe, points):
    class TrainingOnly(Base):
        def training_step(self, batch, batch_idx):
            assert not self.training
            assert not torch.is_grad_enabled()
            loss = functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

    result, seen = observe(Setup(TrainingOnly, points), TRAIN, VALIDATION)
    assert len(seen) == 7
    assert result.rows == {"train": 70, "validation": 26}


def test_manual_optimisation_without_a_validation_step_gives_one_sentence(observe, points):
    class Alone(Base):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, batch_idx):
            self.optimizers().step()

    with pytest.raises(SetupError, match=r"Alone has no validation_step.* define validation_step.*outputs="):
        observe(Setup(Alone, points), VALIDATION)


def test_the_test_split_goes_through_test_step_where_there_is_one(observe, points):
    class Testing(ReturningNothing):
        started = 0

        def on_test_epoch_start(self):
            type(self).started += 1

        def test_step(self, batch, batch_idx):
            self.log("test_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

    result, seen = observe(Setup(Testing, points), VALIDATION, TEST)
    assert list(result.logged["test"]) == ["test_loss"]
    assert list(result.logged["validation"]) == ["val_loss"]
    assert seen[-1].logged.keys() == {"test_loss"}
    assert Testing.started == 1


def test_a_split_that_is_missing_gives_one_sentence(observe, net, points):
    class TrainOnly(pl.LightningDataModule):
        def train_dataloader(self):
            return DataLoader(TensorDataset(torch.randn(8, 4), torch.zeros(8).long()))

    class Empty(TrainOnly):
        def val_dataloader(self):
            return None

    match = r"the data has no validation split, it has: train; define val_dataloader in TrainOnly"
    with pytest.raises(SetupError, match=match):
        observe(Setup(net, TrainOnly), VALIDATION)
    with pytest.raises(SetupError, match=r"Empty.val_dataloader returned None, so there is no validation split"):
        observe(Setup(net, Empty), VALIDATION)
    with pytest.raises(SetupError, match=r"the data has no test split.*art.data\(test=...\)"):
        observe(Setup(net, data((torch.randn(8, 4), torch.zeros(8).long()))), TEST)


# Loaders and batches


class Several(pl.LightningDataModule):
    loaders: object = None

    def train_dataloader(self):
        return part(20, 0)

    def val_dataloader(self):
        return self.loaders


def part(count, value):
    return DataLoader(TensorDataset(torch.full((count, 4), float(value)), torch.zeros(count).long()), batch_size=8)


class Indexed(Base):
    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        self.log("value", batch[0].mean())


@pytest.mark.parametrize(
    ("loaders", "names"),
    [
        ([part(10, 1), part(9, 2)], ["0", "1"]),
        ((part(10, 1), part(9, 2)), ["0", "1"]),
        ({"clean": part(10, 1), "noisy": part(9, 2)}, ["clean", "noisy"]),
        (pl.utilities.CombinedLoader({"clean": part(10, 1), "noisy": part(9, 2)}, "sequential"), ["clean", "noisy"]),
    ],
)
def test_several_loaders_are_all_seen_each_by_its_name(engine, observe, loaders, names):
    setup = Setup(Indexed, type("Data", (Several,), {"loaders": loaders}))
    assert engine.splits(setup, seed=0) == {TRAIN: (None,), VALIDATION: tuple(names)}
    result, seen = observe(setup, VALIDATION)
    assert [(one.loader, one.index, one.weight) for one in seen] == [
        (names[0], 0, 8), (names[0], 1, 2), (names[1], 0, 8), (names[1], 1, 1),
    ]  # fmt: skip
    assert result.rows == {f"validation:{names[0]}": 10, f"validation:{names[1]}": 9}
    assert result.logged == {f"validation:{names[0]}": {"value": 1.0}, f"validation:{names[1]}": {"value": 2.0}}


def test_one_loader_in_a_list_has_no_name(observe):
    _, seen = observe(Setup(Indexed, type("Data", (Several,), {"loaders": [part(10, 1)]})), VALIDATION)
    assert {one.loader for one in seen} == {None}


def test_several_training_loaders_are_seen_one_by_one(observe):
    class Data(Several):
        def train_dataloader(self):
            return {"a": part(10, 1), "b": part(9, 2)}

    _, seen = observe(Setup(NeverForward, Data), TRAIN)
    assert [(one.loader, one.weight) for one in seen] == [("a", 8), ("a", 2), ("b", 8), ("b", 1)]


@dataclasses.dataclass
class Example:
    x: torch.Tensor
    y: torch.Tensor
    name: list[str]


def test_batches_that_are_dataclasses_are_counted(observe):
    class Data(pl.LightningDataModule):
        def train_dataloader(self):
            rows = [(torch.randn(4), torch.tensor(1))] * 10

            def collate(pairs):
                return Example(
                    torch.stack([x for x, _ in pairs]), torch.stack([y for _, y in pairs]), ["a"] * len(pairs)
                )

            return DataLoader(rows, batch_size=4, collate_fn=collate)

    class Model(Base):
        def training_step(self, batch, batch_idx):
            return functional.cross_entropy(self.net(batch.x), batch.y)

    _, seen = observe(Setup(Model, Data), TRAIN)
    assert [one.weight for one in seen] == [4, 4, 2]


def test_a_limit_reads_fewer_batches(observe, net, points):
    _, seen = observe(Setup(net, points), TRAIN, VALIDATION, limit=1)
    assert [(one.split, one.index) for one in seen] == [(TRAIN, 0), (VALIDATION, 0)]


def test_the_one_batch_is_the_one_that_was_trained_on(engine, observe, tmp_path, net):
    trained = []

    class Random(pl.LightningDataModule):
        def train_dataloader(self):
            return DataLoader(torch.arange(40.0).reshape(10, 4), batch_size=4, shuffle=True, collate_fn=noisy)

    def noisy(rows):
        x = torch.stack(rows)
        return x + torch.rand_like(x), torch.zeros(len(rows)).long()

    class Watching(net):
        def training_step(self, batch, batch_idx):
            trained.append(batch[0])
            return super().training_step(batch, batch_idx)

    setup = Setup(Watching, Random, trainer={"max_epochs": 1})
    (tmp_path / "fit").mkdir()
    engine.fit(FitJob(setup, 0, tmp_path / "fit", one_batch=3), lambda position: None)
    result, seen = observe(setup, TRAIN, one_batch=True)
    assert [one.weight for one in seen] == [4]
    assert all(torch.equal(one, seen[0].batch[0]) for one in trained)
    assert len(trained) == 3
    assert result.logged["train"]["val_loss"] > 0


def test_a_random_split_is_the_same_in_training_and_in_evaluation(engine, observe, tmp_path):
    from torch.utils.data import random_split

    class Splitting(pl.LightningDataModule):
        def setup(self, stage):
            self.train, self.val = random_split(range(40), [30, 10])

        def train_dataloader(self):
            return DataLoader(self.train, batch_size=30, collate_fn=collate)

        def val_dataloader(self):
            return DataLoader(self.val, batch_size=10, collate_fn=collate)

    def collate(numbers):
        return torch.tensor(numbers).float().unsqueeze(1).expand(-1, 4), torch.zeros(len(numbers)).long()

    trained = []

    class Watching(Indexed):
        def __init__(self, draws=0):
            super().__init__()
            torch.rand(draws)

        def training_step(self, batch, batch_idx):
            trained.append(batch[0][:, 0].tolist())
            return super().training_step(batch, batch_idx)

    setup = Setup(Watching, Splitting, hparams={"draws": 5}, trainer={"max_epochs": 1})
    (tmp_path / "fit").mkdir()
    engine.fit(FitJob(setup, 0, tmp_path / "fit"), lambda position: None)
    _, seen = observe(setup.but(hparams={"draws": 0}), TRAIN, VALIDATION)
    assert trained[0] == seen[0].batch[0][:, 0].tolist()
    assert sorted(trained[0] + seen[1].batch[0][:, 0].tolist()) == list(range(40))


def test_plain_modules_and_declared_data_are_evaluated(observe):
    x, y = torch.randn(50, 3), torch.randn(50)
    model = from_torch(lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)), loss=nn.MSELoss, lr=0.1)
    result, seen = observe(Setup(model, data((x, y), {"a": (x, y), "b": (x[:9], y[:9])})), TRAIN, VALIDATION)
    assert result.rows == {"train": 50, "validation:a": 50, "validation:b": 9}
    assert seen[0].losses[0].name == "mse_loss"


# Reading


def test_data_is_read_through_all_its_hooks_without_a_model(engine, points):
    calls = []

    class Hooked(points):
        def prepare_data(self):
            calls.append("prepare")

        def setup(self, stage):
            calls.append(f"setup {stage}")
            super().setup(stage)

        def on_after_batch_transfer(self, batch, dataloader_idx):
            return batch[0] + 1000, batch[1]

        def teardown(self, stage):
            calls.append(f"teardown {stage}")

    def no_model():
        raise AssertionError

    seen = []
    job = EvaluateJob(Setup(no_model, Hooked), 0, (TRAIN, VALIDATION, TEST))
    result = engine.read(job, lambda split, loader, batch: seen.append((split, batch)), lambda position: None)
    assert [split for split, _ in seen] == [TRAIN] * 5 + [VALIDATION] * 2 + [TEST] * 2
    assert all((batch[0] > 900).all() for _, batch in seen)
    assert calls == ["prepare", "setup fit", "setup test", "teardown fit", "teardown test"]
    assert result.rows == {"train": 70, "validation": 26, "test": 24}


def test_the_plain_form_of_the_data_is_read_where_there_is_one(engine, points):
    class Augmented(points):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            return batch[0] + 1000, batch[1]

        def plain(self):
            return points()

    for plain, top in ((False, True), (True, False)):
        seen = []
        job = EvaluateJob(Setup(lambda: None, Augmented), 0, (TRAIN,), plain=plain)
        engine.read(job, lambda split, loader, batch, seen=seen: seen.append(batch), lambda position: None)
        assert bool((seen[0][0] > 900).all()) is top


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), MemoryError()]
)
def test_lack_of_memory_is_told_as_such(observe, net, points, error):
    class Large(net):
        def validation_step(self, batch, batch_idx):
            raise error

    with pytest.raises(
        OutOfMemory, match=r"out of memory while validation was evaluated: .*; give a smaller batch_size"
    ):
        observe(Setup(Large, points), VALIDATION)
