"""A task is told from one batch; what the user declares stands."""

from typing import Any

import lightning as L
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

import art_training as art
from art_training.errors import SetupError
from art_training.records import Split, plain
from art_training.setup.entering import followed
from art_training.setup.inference import declaration, infer, told
from art_training.setup.observation import BatchObservation
from art_training.setup.setup import Setup
from art_training.setup.task import Task, TaskKind

G = torch.Generator().manual_seed(0)
X, Y = torch.rand(8, 6, generator=G), torch.randint(0, 3, (8,), generator=G)


class Net(nn.Module):
    def __init__(self, step: Any) -> None:
        super().__init__()
        self.net = nn.LazyLinear(3)
        self.out = nn.LazyLinear(6)
        self.one = nn.LazyLinear(1)
        self.step = step

    def validation_step(self, batch: Any, index: int) -> Any:
        return self.step(self, batch)


def task_of(watch: Any, step: Any, batch: Any, **declared: Any) -> Task:
    setup = Setup(Net, data=[1], task=declared or None)
    with followed():
        return told(watch(Net(step), [batch])[0], setup)


def test_classification(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(b[0]), b[1], label_smoothing=0.1), (X, Y))
    assert task.kind is TaskKind.CLASSIFICATION
    assert (task.inputs, task.target, task.classes) == (("0",), "1", 3)
    assert (task.loss, task.activation) == ("cross_entropy", "softmax")
    assert task.loss_options["label_smoothing"] == 0.1
    assert task.source == "cross_entropy call"
    assert task.notes == ()


def test_class_weights_are_kept_as_numbers(watch: Any) -> None:
    weight = torch.tensor([1.0, 2.0, 0.5])
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(b[0]), b[1], weight), (X, Y))
    assert task.loss_options["weight"] == [1.0, 2.0, 0.5]


def test_binary_classification(watch: Any) -> None:
    target = torch.randint(0, 2, (8,)).float()
    task = task_of(
        watch, lambda self, b: F.binary_cross_entropy_with_logits(self.one(b[0]).squeeze(1), b[1]), (X, target)
    )
    assert (task.kind, task.classes, task.activation) == (TaskKind.CLASSIFICATION, 2, "sigmoid")


def test_multi_label(watch: Any) -> None:
    target = torch.randint(0, 2, (8, 3)).float()
    task = task_of(watch, lambda self, b: F.binary_cross_entropy_with_logits(self.net(b[0]), b[1]), (X, target))
    assert (task.kind, task.classes) == (TaskKind.MULTI_LABEL, 3)


def test_regression(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.mse_loss(self.one(b["x"]), b["y"][:, None]), {"x": X, "y": torch.rand(8)})
    assert (task.kind, task.target, task.inputs, task.classes) == (TaskKind.REGRESSION, "y", ("x",), None)


def test_reconstruction(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.mse_loss(self.out(b[0]), b[0]), (X, Y))
    assert (task.kind, task.target, task.inputs) == (TaskKind.RECONSTRUCTION, "0", ("0",))


def test_reconstruction_of_a_batch_that_is_one_tensor(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.mse_loss(self.out(b), b), X)
    assert (task.kind, task.target, task.inputs) == (TaskKind.RECONSTRUCTION, "", ("",))


def test_the_next_token_of_a_text(watch: Any) -> None:
    tokens = torch.randint(0, 3, (8, 7))

    def step(self: Net, batch: Any) -> Any:
        scores = self.net(batch["tokens"][:, :-1, None].expand(8, 6, 4).float())
        return F.cross_entropy(scores.reshape(-1, 3), batch["tokens"][:, 1:].reshape(-1))

    task = task_of(watch, step, {"tokens": tokens})
    assert (task.kind, task.target, task.inputs) == (TaskKind.SEQUENCE, "tokens", ("tokens",))
    assert task.classes == 3


def test_a_shifted_text_with_an_entry_for_the_target(watch: Any) -> None:
    text = torch.randint(0, 3, (8, 7))
    batch = {"input_ids": text[:, :-1], "labels": text[:, 1:]}

    def step(self: Net, b: Any) -> Any:
        scores = self.net(b["input_ids"][..., None].expand(8, 6, 4).float())
        return F.cross_entropy(scores.transpose(1, 2), b["labels"])

    task = task_of(watch, step, batch)
    assert (task.kind, task.target, task.inputs) == (TaskKind.SEQUENCE, "labels", ("input_ids",))


def test_a_hand_written_loss_is_a_note_with_a_remedy(watch: Any) -> None:
    task = task_of(watch, lambda self, b: (self.one(b[0]) ** 2).mean(), (X, Y))
    assert task.loss == ""
    assert any("declare Setup(task={'loss'" in note for note in task.notes)
    assert any("outputs=" in note for note in task.notes)


def test_what_is_declared_stands(watch: Any) -> None:
    step = lambda self, b: F.cross_entropy(self.net(b[0]), b[1])
    task = task_of(watch, step, (X, Y), kind="other", classes=7)
    assert (task.kind, task.classes, task.declared) == (TaskKind.OTHER, 7, ("kind", "classes"))
    assert "declared" in str(task)


def test_a_task_is_plain_data_and_can_be_read_back(watch: Any) -> None:
    step = lambda self, b: F.cross_entropy(self.net(b[0]), b[1], torch.ones(3))
    task = task_of(watch, step, (X, Y))
    assert Task.parse(plain(task)) == task


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"type": "classification"}, "a task has no 'type'; what can be declared is: kind, inputs"),
        ({"kind": "clasification"}, "task kind 'clasification' is none of: classification"),
        ({"loss": "crossentropy"}, "no loss that ART knows; it knows: cross_entropy"),
        ({"classes": 1}, "task classes=1 is not a number of classes"),
        ({"classes": True}, "task classes=True"),
        ({"activation": "relu"}, "task activation='relu' is none of: softmax"),
        ({"inputs": 1.5}, "task inputs=1.5 are not paths"),
        ({"target": 1.5}, "task target=1.5 is not a path"),
        ({"loss_options": 3}, "task loss_options=3 is not a mapping"),
        ("classification", "task='classification' is not a mapping"),
    ],
)
def test_a_wrong_declaration_is_one_sentence(wrong: Any, sentence: str) -> None:
    with pytest.raises(SetupError) as caught:
        declaration(wrong)
    assert sentence in str(caught.value)


def test_a_declaration_may_be_a_task() -> None:
    assert declaration(Task(TaskKind.REGRESSION, target="1")) == {"kind": TaskKind.REGRESSION, "target": "1"}
    assert declaration({"inputs": 0, "target": 1}) == {"inputs": ("0",), "target": "1"}
    assert declaration(None) == {}


def test_the_engine_is_asked_for_the_training_split(watch: Any) -> None:
    class Engine:
        def observe(self, setup: Setup, *, seed: int, split: Split, limit: int) -> list[BatchObservation]:
            asked.append((split, limit))
            module = Net(lambda self, b: F.cross_entropy(self.net(b[0]), b[1]))
            return watch(module, [(X, Y)] * limit, split)

    asked: list[Any] = []
    assert infer(Setup(Net, data=[1]), Engine()).kind is TaskKind.CLASSIFICATION
    assert asked == [(Split.TRAIN, 1)]


def test_data_without_a_batch_is_one_sentence() -> None:
    class Engine:
        def observe(self, setup: Setup, *, seed: int, split: Split, limit: int) -> list[BatchObservation]:
            return []

    with pytest.raises(SetupError, match="no batch"):
        infer(Setup(Net, data=[1]), Engine())


def test_what_only_training_batches_are_is_told_from_validation(watch: Any) -> None:
    class Engine:
        """Training combines batches of several loaders, and the step of evaluation takes none such."""

        def observe(self, setup: Any, *, seed: int, split: Split, limit: int) -> list[BatchObservation]:
            if split is Split.TRAIN:
                raise IndexError("training has no labels")
            return watch(Net(lambda self, b: F.cross_entropy(self.net(b[0]), b[1])), [(X, Y)])

    assert infer(Setup(Net, data=[1]), Engine()).kind is TaskKind.CLASSIFICATION


def test_what_training_raises_is_told_where_validation_raises_too() -> None:
    class Engine:
        def observe(self, setup: Any, *, seed: int, split: Split, limit: int) -> list[BatchObservation]:
            raise IndexError(f"no labels in {split}")

    with pytest.raises(IndexError, match="no labels in train"):
        infer(Setup(Net, data=[1]), Engine())


def test_several_losses_are_a_note_and_a_declared_target_chooses(watch: Any) -> None:
    values = torch.rand(8)

    def step(self: Net, batch: Any) -> Any:
        return F.cross_entropy(self.net(batch[0]), batch[1]) + F.mse_loss(self.one(batch[0]).squeeze(1), batch[2])

    task = task_of(watch, step, (X, Y, values))
    assert (task.loss, task.target) == ("cross_entropy", "1")
    assert any("several losses" in note and "batch[2]" in note for note in task.notes)
    task = task_of(watch, step, (X, Y, values), target="2")
    assert (task.loss, task.target, task.notes) == ("mse_loss", "2", ())


def test_options_that_change_from_batch_to_batch_are_no_part_of_the_task(watch: Any) -> None:
    def gaussian(self: Net, batch: Any) -> Any:
        return F.gaussian_nll_loss(self.one(batch[0]).squeeze(1), batch[1], F.softplus(self.one(batch[0]).squeeze(1)))

    assert set(task_of(watch, gaussian, (X, torch.rand(8))).loss_options) == {"full", "eps", "reduction"}

    def weighted(self: Net, batch: Any) -> Any:
        return F.binary_cross_entropy_with_logits(self.net(batch[0]), batch[1], weight=torch.rand(8, 3))

    options = task_of(watch, weighted, (X, torch.rand(8, 3).round())).loss_options
    assert options["weight"] == "a tensor of shape (8, 3)"


IDS = {"x": X, "id": torch.arange(8), "label": Y}


def test_an_entry_that_nothing_reads_is_no_input_and_is_told(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(b["x"]), b["label"]), IDS)
    assert (task.inputs, task.target) == (("x",), "label")
    (note,) = task.notes
    assert note == (
        "nothing that a step of evaluation computes depends on batch[id], so that it is no input; "
        "declare Setup(task={'inputs': (...)}) if it is one"
    )


def test_an_entry_that_is_read_is_an_input(watch: Any) -> None:
    table = nn.Embedding(8, 3)
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(b["x"]) + table(b["id"]), b["label"]), IDS)
    assert (task.inputs, task.notes) == (("x", "id"), ())


def test_lengths_are_an_input_though_no_gradient_knows_of_them(watch: Any) -> None:
    def step(self: Any, b: Any) -> Any:
        kept = torch.arange(6) < b["lengths"][:, None]
        return F.cross_entropy(self.net(b["x"] * kept), b["label"])

    batch = {"x": X, "lengths": torch.full((8,), 6), "label": Y}  # equal ones, which change nothing here
    assert task_of(watch, step, batch).inputs == ("x", "lengths")


def test_declared_inputs_stand_and_nothing_more_is_told(watch: Any) -> None:
    step = lambda self, b: F.cross_entropy(self.net(b["x"]), b["label"])
    task = task_of(watch, step, IDS, inputs=("x", "id"))
    assert (task.inputs, task.notes) == (("x", "id"), ())


def test_a_target_is_an_entry_that_is_read_among_those_that_hold_the_same_numbers(watch: Any) -> None:
    batch = {"y": Y.clone(), "x": X, "wanted": Y}
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(b["x"]), b["wanted"]), batch)
    assert (task.target, task.inputs) == ("wanted", ("x",))


def test_an_input_that_is_learned_is_found_behind_an_index(watch: Any) -> None:
    batch = {"id": torch.arange(8), "x": X, "label": Y}
    task = task_of(watch, lambda self, b: F.mse_loss(self.out(b["x"]), b["x"]), batch)
    assert (task.kind, task.inputs, task.target) == (TaskKind.RECONSTRUCTION, ("x",), "x")


def test_a_target_that_comes_first_is_not_the_input(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.mse_loss(self.out(b["x"]), b["y"]), {"y": torch.rand(8, 6), "x": X})
    assert (task.kind, task.inputs, task.target) == (TaskKind.REGRESSION, ("x",), "y")


def test_where_no_input_can_be_followed_all_entries_count(watch: Any) -> None:
    elsewhere = X.clone()
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(elsewhere), b["label"]), IDS)
    assert (task.inputs, task.notes) == (("x", "id"), ())


def test_a_batch_that_is_indexed_by_position(watch: Any) -> None:
    task = task_of(watch, lambda self, b: F.cross_entropy(self.net(b[0]), b[2]), (X, torch.arange(8), Y))
    assert (task.inputs, task.target) == (("0",), "2")


class Named(Dataset[Any]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        return {"x": X[index], "id": index, "label": Y[index]}


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.net(x)


class ById(Linear):
    def forward(self, x: Any, id: Any) -> Any:  # noqa: A002  The entry is called so.
        return self.net(x) + id[:, None]


class Reads(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(6, 3)

    def training_step(self, batch: Any, index: int) -> Any:
        return F.cross_entropy(self.net(batch["x"]), batch["label"])

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val_loss", F.cross_entropy(self.net(batch["x"]), batch["label"]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters())


class ByHand(Reads):
    """Optimises by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, index: int) -> None:
        self.manual_backward(super().training_step(batch, index))


def _torch(model: Any, **declared: Any) -> Any:
    return art.from_torch(model, loss=nn.CrossEntropyLoss, lr=1e-2, **declared)


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (_torch(Linear), ("x",)),
        (_torch(Linear, inputs=("x",)), ("x",)),
        (_torch(Linear, inputs={"x": "x"}, target="label"), ("x",)),
        (_torch(ById), ("x", "id")),
        (_torch(ById, inputs=("x", "id")), ("x", "id")),
        (Reads, ("x",)),
        (ByHand, ("x",)),
    ],
)
def test_what_enters_a_model_is_seen_by_the_engine(model: Any, inputs: tuple[str, ...]) -> None:
    task = Setup(model, art.data(Named(), Named(), batch_size=8), trainer={"accelerator": "cpu"}).task
    assert (task.inputs, task.target) == (inputs, "label")
