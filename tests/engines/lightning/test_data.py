"""The data of a job is its own, and all its hooks run."""

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from art_training.engines import EvaluateJob, FitJob
from art_training.engines.lightning.data import loader_names, open_data
from art_training.errors import SetupError
from art_training.records import Split
from art_training.setup.data.data import data
from art_training.setup.setup import Setup

CALLS = []


class Hooked(pl.LightningDataModule):
    def __init__(self):
        super().__init__()
        self.rows = TensorDataset(torch.randn(20, 4), torch.zeros(20).long())
        self.vocabulary = {"a": 1}

    def prepare_data(self):
        CALLS.append("prepare_data")

    def setup(self, stage):
        CALLS.append(f"setup {getattr(stage, 'value', stage)}")  # Lightning passes an enumeration of strings
        self.stage = stage

    def train_dataloader(self):
        assert self.trainer is not None
        return DataLoader(self.rows, 10)

    val_dataloader = train_dataloader

    def on_before_batch_transfer(self, batch, dataloader_idx):
        CALLS.append("before")
        return batch

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        CALLS.append("transfer")
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        CALLS.append("after")
        return batch[0] + 1, batch[1]

    def teardown(self, stage):
        CALLS.append(f"teardown {getattr(stage, 'value', stage)}")

    def state_dict(self):
        return {"kept": 1}

    def load_state_dict(self, state_dict):
        CALLS.append(f"load {state_dict['kept']}")


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


@pytest.fixture
def run(engine, tmp_path):
    def run(setup, **how):
        (tmp_path / "fit").mkdir(exist_ok=True)
        return engine.fit(FitJob(setup, 0, tmp_path / "fit", **how), lambda position: None)

    return run


@pytest.mark.parametrize("one_batch", [0, 2])
def test_every_hook_of_a_datamodule_runs_in_training(run, net, one_batch):
    run(Setup(net, Hooked, trainer={"max_epochs": 1}), one_batch=one_batch)
    assert CALLS[:2] == ["prepare_data", "setup fit"]
    assert CALLS[-1] == "teardown fit"
    batches = 3 if one_batch else 4
    assert CALLS[2:-1] == ["before", "transfer", "after"] * batches


def test_every_hook_of_a_datamodule_runs_in_a_pass(engine, net):
    job = EvaluateJob(Setup(net, Hooked), 0, (Split.TRAIN, Split.VALIDATION))
    engine.evaluate(job, lambda seen: None, lambda position: None)
    assert list(CALLS) == ["prepare_data", "setup fit", *["before", "transfer", "after"] * 4, "teardown fit"]


def test_the_state_of_a_datamodule_is_resumed(run, net, monkeypatch):
    from art_training.engines.lightning import checkpoint

    monkeypatch.setattr(checkpoint, "_SHARE", float("inf"))
    for one_batch in (0, 2):
        setup = Setup(net, Hooked, trainer={"max_epochs": 2})
        result = run(setup, one_batch=one_batch)
        CALLS.clear()
        run(setup, one_batch=one_batch, resume=result.last.with_name("epoch-1.ckpt"))
        assert "load 1" in CALLS


def test_the_model_reaches_the_users_datamodule_through_a_delegate(run, net):
    reached = []

    class Reaching(net):
        def on_train_start(self):
            reached.append(self.trainer.datamodule.vocabulary)

    run(Setup(Reaching, Hooked, trainer={"max_epochs": 1}), one_batch=1)
    assert reached == [{"a": 1}]


def test_an_instance_that_was_given_is_not_touched(engine, run, net):
    given = Hooked()
    before = dict(vars(given))
    setup = Setup(net, given, trainer={"max_epochs": 1})
    run(setup)
    engine.evaluate(EvaluateJob(setup, 0, (Split.TRAIN,)), lambda seen: None, lambda position: None)
    engine.read(EvaluateJob(setup, 0, (Split.TRAIN,)), lambda *seen: None, lambda position: None)
    engine.splits(setup, seed=0)
    assert vars(given) == before
    assert not hasattr(given, "stage")
    assert given.trainer is None


def test_an_instance_that_a_trainer_holds_can_be_used(run, net, points):
    given = Hooked()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(max_epochs=1, enable_model_summary=False, **quiet).fit(net(), datamodule=given)
    holder = given.trainer
    assert run(Setup(net, given, trainer={"max_epochs": 1})).epochs == 1
    assert given.trainer is holder


def test_splits_name_their_loaders(engine, net, points):
    rows = torch.randn(8, 4), torch.zeros(8).long()
    assert engine.splits(Setup(net, points), seed=0) == dict.fromkeys(Split, (None,))
    assert engine.splits(Setup(net, data(rows, {"a": rows, "b": rows})), seed=0) == {
        Split.TRAIN: (None,),
        Split.VALIDATION: ("a", "b"),
    }

    class NoValidation(points):
        def val_dataloader(self):
            return []

    assert list(engine.splits(Setup(net, NoValidation), seed=0)) == [Split.TRAIN, Split.TEST]


class NoTraining(pl.LightningDataModule):
    def val_dataloader(self):
        return DataLoader(range(3))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (7, r"data=7 is none that Lightning can train on; give a LightningDataModule class"),
        (lambda: 7, r"data <lambda> returned 7, which is no LightningDataModule"),
        (lambda: Hooked, r"data <lambda> returned <class .*, which is no LightningDataModule"),
        (NoTraining, r"NoTraining defines no train_dataloader; define it"),
        ([DataLoader(range(3))], r"data=\[.*\] is none that Lightning can train on"),
    ],
)
def test_data_that_cannot_be_used_gives_one_sentence(engine, run, net, given, sentence):
    setup = Setup(net, given, trainer={"max_epochs": 1})
    for attempt in (engine.validate, run):
        with pytest.raises(SetupError, match=sentence):
            attempt(setup)


def test_a_plain_form_that_is_no_data_gives_one_sentence(run, net):
    class Plain(Hooked):
        def plain(self):
            self.augment = False

    with pytest.raises(SetupError, match=r"Plain.plain\(\) returned None; it must return a datamodule"):
        run(Setup(net, Plain), plain=True)


# Without augmentation


def augmented(base, **members):
    def shift(self, batch, dataloader_idx):
        return batch[0] + 1, batch[1]

    return type("Augmented", (base,), {"on_after_batch_transfer": shift, **members})


def findings(engine, tmp_path, model, data, *, plain=True):
    setup = Setup(model, data, trainer={"max_epochs": 1})
    return engine.fit(FitJob(setup, 0, tmp_path, plain=plain, max_steps=1), lambda position: None).findings


def test_hooks_that_go_on_in_plain_training_are_told(engine, net, points, tmp_path):
    (found,) = findings(engine, tmp_path, net, augmented(points))
    assert (found.code, found.severity) == ("ART301", "info")
    assert "Augmented.on_after_batch_transfer went on changing" in found.message
    assert "define Augmented.plain()" in found.remedy


@pytest.mark.filterwarnings("ignore:You have overridden `on_after_batch_transfer` in `LightningModule`")
def test_hooks_of_the_model_are_told_whatever_the_data_can(engine, net, points, tmp_path):
    (found,) = findings(engine, tmp_path, augmented(net), points)
    assert found.evidence == {"hooks": ["Augmented.on_after_batch_transfer"]}


def test_nothing_is_told_of_data_that_have_a_plain_form_or_no_hooks(engine, net, points, tmp_path):
    plain = lambda self: augmented(points)()
    assert findings(engine, tmp_path, net, augmented(points, plain=plain)) == ()
    assert findings(engine, tmp_path, net, points) == ()
    assert findings(engine, tmp_path, net, augmented(points), plain=False) == ()


def test_a_loader_that_is_none_is_a_split_that_is_not_there() -> None:
    class Whole(pl.LightningDataModule):
        def train_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
            return DataLoader(TensorDataset(torch.zeros(8, 2)))

        val_dataloader = train_dataloader

    class Without(Whole):
        val_dataloader = None  # type: ignore[assignment]

    def splits(kind: type) -> set[Split]:
        return set(loader_names(open_data(Setup(model=pl.LightningModule, data=kind), seed=0)))

    assert splits(Whole) == {Split.TRAIN, Split.VALIDATION}
    assert splits(Without) == {Split.TRAIN}
