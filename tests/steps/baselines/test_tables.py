"""What is given to a baseline as a table."""

import numpy as np
import torch
from tests.steps.baselines.tasks import ACCURACY, CLASSES, digits, evaluate, value
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

import art_training as art
from art_training.steps.baselines.tables import Sample
from art_training.steps.evaluate_baseline import EvaluateBaseline
from art_training.testing.reading import ReadingBench


class Rows(torch.utils.data.Dataset):
    """A row's number in its table, which is sorted by the label, and which the model does not read."""

    def __init__(self, x, y, ids):
        self.x, self.y, self.ids = torch.from_numpy(x).float(), torch.from_numpy(y), torch.from_numpy(ids)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"noise": self.x[index], "id": self.ids[index], "label": self.y[index]}


class ReadsNoise(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def forward(self, noise):
        return self.net(noise)


def test_baselines_learn_from_nothing_that_the_model_does_not_read():
    generator = np.random.default_rng(0)
    y = (np.arange(600) >= 300).astype(np.int64)
    x = generator.normal(size=(600, 4))
    order = generator.permutation(600)
    first, rest = order[:300], order[300:]
    data = art.data(*(Rows(x[part], y[part], part) for part in (first, rest)), batch_size=50)
    setup = art.Setup(art.from_torch(ReadsNoise, loss=nn.CrossEntropyLoss, lr=1e-2), data)
    assert setup.task.inputs == ("noise",)
    metrics = {"accuracy": MulticlassAccuracy(num_classes=2, average="micro")}
    outcome = EvaluateBaseline().run(ReadingBench(data, setup.task, metrics))
    for name in ("linear", "boosting"):
        assert outcome.candidate(name).scores["validation/accuracy"].value < 0.65


def test_a_large_split_is_sampled_and_the_note_says_so():
    outcome = evaluate(digits(1000), CLASSES, ACCURACY, fit_rows=200, fit_features=30)
    note = outcome.candidate("linear").note
    assert "learned from 200 of 640 examples, drawn with seed 0" in note
    assert "30 of 64 features" in note
    assert value(outcome, "linear") > 0.5


def test_a_sample_keeps_the_order_and_is_not_the_beginning():
    sample = Sample(lambda _: 100, seed=1)
    for start in range(0, 5000, 50):
        sample.add(np.arange(start, start + 50))
    (kept,) = sample.taken()
    assert len(kept) == 100
    assert (np.diff(kept) > 0).all()
    assert 1800 < kept.mean() < 3200
