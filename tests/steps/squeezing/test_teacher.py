"""The ensemble teaches what it predicts, whether that is looked up or asked for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import Dataset

import art_training as art
from art_training.errors import SetupError
from art_training.records import Outcome, Score, Split
from art_training.steps import Bench, Step
from art_training.steps.squeezing.contenders import Contender, Trained, train
from art_training.steps.squeezing.members import planned
from art_training.steps.squeezing.teacher import Teacher
from art_training.stores.memory import MemoryStore

G = torch.Generator().manual_seed(0)
X, IDS = torch.randn(48, 6, generator=G), torch.randint(0, 9, (48, 5), generator=G)
Y, LABELS = torch.randint(0, 3, (48,), generator=G), torch.randint(0, 4, (48, 5), generator=G)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Tokens(Dataset[dict[str, Tensor]]):
    def __len__(self) -> int:
        return len(IDS)

    def __getitem__(self, at: int) -> dict[str, Tensor]:
        return {"ids": IDS[at], "labels": LABELS[at]}


class Tagger(LightningModule):
    """One class a position; the loss has the classes second."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(9, 8), nn.Linear(8, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.embed(ids))

    def training_step(self, batch: Mapping[str, Tensor], index: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch["ids"]).transpose(1, 2), batch["labels"], ignore_index=0)

    def validation_step(self, batch: Mapping[str, Tensor], index: int) -> Tensor:
        return self.training_step(batch, index)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class Own(Tagger):
    def training_step(self, batch: Mapping[str, Tensor], index: int) -> Tensor:
        predicted = self(batch["ids"]).log_softmax(-1)
        return -predicted.gather(-1, batch["labels"][..., None]).mean()


def taught(setup: art.Setup, ask: Any) -> None:
    """Train two members, and let `ask` use them."""

    class Asking(Step):
        def run(self, bench: Bench) -> Outcome:
            members = [train(bench, one.label, one.setup, one.seed) for one in planned(bench, 2, "", self.name)]
            assert all(isinstance(one, Trained) for one in members)
            parts = ((members[0], 0.25), (members[1], 0.75))
            ask(bench, Contender("ensemble", parts, members[0].predictions, 0.0))  # type: ignore[arg-type,union-attr]
            return Outcome(scores={"asked": Score(1.0)})

    art.ArtProject("taught", setup, steps=[Asking()], store=MemoryStore()).run()


TRAINER = {"accelerator": "cpu", "max_epochs": 1}
PLAIN = art.Setup(
    model=art.from_torch(Net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2),
    data=art.data(train=(X, Y), validation=(X[:16], Y[:16]), batch_size=16),
    trainer=TRAINER,
)
TAGS = art.Setup(model=Tagger, data=art.data(train=Tokens(), validation=Tokens(), batch_size=16), trainer=TRAINER)


@pytest.mark.parametrize(("setup", "shape"), [(PLAIN, (16, 3)), (TAGS, (16, 4, 5))], ids=["classes", "sequence"])
def test_what_is_looked_up_is_what_the_members_say(setup: art.Setup, shape: tuple[int, ...]) -> None:
    def ask(bench: Bench, ensemble: Contender) -> None:
        looking, asking = Teacher(bench, ensemble), Teacher(bench, ensemble)
        looking.prepare()
        alone = [Teacher(bench, replace(ensemble, parts=((one, 1.0),))) for one, _ in ensemble.parts]
        batches: list[Any] = []
        bench.read(Split.TRAIN, see=lambda split, loader, batch: batches.append(batch))
        for batch in reversed(batches):  # in another order than they were seen in
            told = looking(batch)
            assert tuple(told.shape) == shape
            assert torch.allclose(told.sum(1), torch.ones_like(told.sum(1)), atol=1e-5)
            assert torch.allclose(told, asking(batch), atol=1e-6)
            first, second = (one(batch) for one in alone)
            assert not torch.allclose(first, second, atol=1e-3)
            assert torch.allclose(told, 0.25 * first + 0.75 * second, atol=1e-6)
        assert (looking.looked_up, looking.asked) == (3, 0)
        assert (asking.looked_up, asking.asked) == (0, 3)

    taught(setup, ask)


def test_an_example_that_was_changed_is_asked_for() -> None:
    def ask(bench: Bench, ensemble: Contender) -> None:
        teacher = Teacher(bench, ensemble)
        teacher.prepare()
        teacher((X[:16], Y[:16]))
        teacher((X[:16] + 1e-3, Y[:16]))
        assert (teacher.looked_up, teacher.asked) == (1, 1)

    taught(PLAIN, ask)


def test_a_step_without_a_loss_of_torch_is_told_so() -> None:
    def ask(bench: Bench, ensemble: Contender) -> None:
        teacher = Teacher(bench, ensemble)
        with pytest.raises(SetupError, match=r"calls no loss of torch.*Squeeze\(distill=False\)"):
            teacher.prepare()

    class Silent(Own):
        def validation_step(self, batch: Mapping[str, Tensor], index: int) -> Mapping[str, Tensor]:
            predicted = self(batch["ids"]).softmax(-1)
            return {"predictions": predicted, "targets": batch["labels"], "loss": self.training_step(batch, index)}

    setup = TAGS.but(model=Silent)
    taught(setup, ask)
