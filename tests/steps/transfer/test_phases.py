"""What the two phases of a transfer leave: weights that went on, scores that are of the second, layers that thawed one by one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import art_training as art
from art_training.records import Outcome
from art_training.steps import Bench, Step, TransferLearning, only
from art_training.stores.memory import MemoryStore

images, labels = load_digits(return_X_y=True)
X, Y = torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 5))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that tell the digits 0 to 4 apart."""
    torch.manual_seed(0)
    made, x, y = net(), X[Y < 5], Y[Y < 5]
    optimizer = torch.optim.Adam(made.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(made(x), y).backward()
        optimizer.step()
    path = tmp_path_factory.mktemp("learned") / "digits.pt"
    torch.save(made.state_dict(), path)
    return path


@dataclass(frozen=True)
class Next(Step):
    """Leaves what the first layer of a fresh model begins with."""

    def run(self, bench: Bench) -> Outcome:
        first = bench.engine.fresh_weights(bench.setup, seed=bench.seed)["model.0.weight"]
        return Outcome(parameters={"first": first.tolist()})


def transferred(path: Path, *after: Step, **settings: Any) -> tuple[Outcome, MemoryStore]:
    """Six of each of the digits 5 to 9 to train on, and as many to validate."""
    chosen = np.concatenate([np.flatnonzero(labels == label)[:12] for label in range(5, 10)])
    x, y, train = X[chosen], Y[chosen] - 5, torch.arange(60) % 12 < 6
    model = art.from_torch(net, loss=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=1e-2)
    data = art.data((x[train], y[train]), (x[~train], y[~train]), batch_size=10)
    setup = art.Setup(model, data, trainer={"max_epochs": 3, "accelerator": "cpu"})
    step = TransferLearning(freeze=["0", "2"], pretrained=path, fresh="4", frozen_epochs=3, examples=0, **settings)
    store = MemoryStore()
    name = after[-1].name if after else step.name
    outcome = art.ArtProject("transfer", setup, steps=[step, *after], store=store).run()[name].outcome
    assert outcome is not None
    return outcome, store


def loss_of(outcome: Outcome, store: MemoryStore, name: str) -> float:
    """What the kept weights lose on the validation examples, computed by hand."""
    artifact = outcome.artifact(name)
    assert artifact is not None
    kept = torch.load(store.artifacts.fetch(artifact.digest), weights_only=False)["state_dict"]
    made = net()
    made.load_state_dict({key.removeprefix("model."): one for key, one in kept.items() if key.startswith("model.")})
    chosen = np.concatenate([np.flatnonzero(labels == label)[6:12] for label in range(5, 10)])
    with torch.no_grad():
        return float(nn.functional.cross_entropy(made(X[chosen]), Y[chosen] - 5))


def test_the_scores_are_of_the_weights_that_each_phase_ended_with(learned: Path) -> None:
    outcome, store = transferred(learned, epochs=6, fine_tuning_rate=1.0)
    frozen, tuned = (one.scores["validation/loss"].value for one in outcome.candidates)
    assert frozen != tuned
    assert frozen == pytest.approx(loss_of(outcome, store, "frozen.ckpt"), rel=1e-4)
    assert tuned == pytest.approx(loss_of(outcome, store, "last.ckpt"), rel=1e-4)
    assert outcome.score("validation/loss").value == tuned


def test_of_the_frozen_layers_the_last_thaws_at_once_and_the_one_before_it_an_epoch_later(learned: Path) -> None:
    outcome, _ = transferred(learned, epochs=2, unfreeze="gradual")
    first = ["model.0.weight", "model.0.bias"]
    parts = outcome.parameters["fine-tuning"]["parts"]
    assert (parts["frozen"], parts["thaw"]) == (first, {"1": first})
    rates = {name: len(curve.values) for name, curve in outcome.curves.items() if "fine-tuning/lr/" in name}
    assert len(set(rates.values())) == 2, "what thaws later has a rate for fewer steps"


def test_a_fresh_model_of_a_later_step_begins_with_what_was_learned_elsewhere(learned: Path) -> None:
    outcome, _ = transferred(learned, Next(checks=only()), epochs=1)
    assert outcome.parameters["first"] == torch.load(learned)["0.weight"].tolist()
