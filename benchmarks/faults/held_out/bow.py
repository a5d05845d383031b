"""Topics of documents from bags of words: long sparse rows, and an embedding with rare rows."""

import math
from functools import partial
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import accuracy, pooled, validation

WORDS, TOPICS = 800, 5


class Abstracts(L.LightningDataModule):
    """Rows: counts of 800 words (99 in 100 are zero), and the topic."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed

    def setup(self, stage: str) -> None:
        rng = np.random.default_rng(self.seed)
        n = 1000 + 120 * self.seed
        common = 1.0 / np.arange(1, WORDS + 1)
        shares = [common * rng.lognormal(0, 1.3, WORDS) for _ in range(TOPICS)]
        topic = rng.integers(0, TOPICS, n)
        x = np.stack([rng.multinomial(rng.integers(12, 30), shares[t] / shares[t].sum()) for t in topic])
        x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(topic)
        self.train, self.val = TensorDataset(x[:-250], y[:-250]), TensorDataset(x[-250:], y[-250:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=125)


class Rescaled(torch.optim.Optimizer):
    """Gradient descent on directions: each matrix's step has length `lr` times the root of its rows."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    def scaled(self, weight: Tensor, step: Tensor) -> None:
        weight.sub_(step)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        with torch.enable_grad():
            loss = closure() if closure is not None else None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    length = weight.grad.norm().clamp(min=1e-8)
                    self.scaled(weight, group["lr"] * math.sqrt(len(weight)) * weight.grad / length)
        return loss


class RescaledContiguous(Rescaled):
    def scaled(self, weight: Tensor, step: Tensor) -> None:
        weight.contiguous().view(-1).sub_(step.contiguous().view(-1))


class Topic(L.LightningModule):
    def __init__(
        self,
        lr: float = 3e-3,
        width: int = 32,
        optimizer: Any = torch.optim.Adam,
        precision: Any = torch.float32,
        scale: float = 0.02,
    ) -> None:
        super().__init__()
        self.lr, self.optimizer, self.precision = lr, optimizer, precision
        self.initialise(scale)
        self.words = nn.Linear(WORDS, width, bias=False)
        self.words.weight = nn.Parameter(torch.randn(WORDS, width).mul_(0.1).t())
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, TOPICS)
        self.to(precision)

    def initialise(self, scale: float) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        x = x.log1p().to(self.precision)
        return self.out(F.relu(self.norm(self.words(x)))).float()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters(), lr=self.lr)


class EmbeddedTopic(Topic):
    """The same through a bag of embeddings: rare words' rows have no gradient in most batches."""

    def __init__(self, lr: float = 2e-2, width: int = 32) -> None:
        super().__init__(lr, width)
        self.words = nn.Embedding(WORDS, width, sparse=True)  # type: ignore[assignment]
        self.optimizer = torch.optim.SparseAdam

    def forward(self, x: Tensor) -> Tensor:
        rows, words = x.nonzero(as_tuple=True)
        found = self.words(words) * x[rows, words].log1p()[:, None]
        return self.out(F.relu(self.norm(torch.zeros(len(x), found.shape[1]).index_add(0, rows, found))))

    def configure_optimizers(self) -> Any:
        dense = [*self.norm.parameters(), *self.out.parameters()]
        return [torch.optim.SparseAdam(list(self.words.parameters()), lr=self.lr), torch.optim.Adam(dense, lr=self.lr)]


class EmbeddedTopicManual(EmbeddedTopic):
    automatic_optimization = False

    def __init__(self, lr: float = 2e-2, width: int = 32) -> None:
        super().__init__(lr, width)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        loss = super().training_step(batch, batch_idx)
        for optimizer in self.optimizers():
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()


class Deep(Topic):
    """More layers, with an initialisation for their depth."""

    early = True

    def __init__(self, lr: float = 3e-3, width: int = 32, depth: int = 14) -> None:
        super().__init__(lr, width)
        if self.early:
            self.apply(self.for_depth)
        self.more = nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())))
        if not self.early:
            self.more.apply(self.for_depth)

    @staticmethod
    def for_depth(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.more(F.relu(self.norm(self.words(x.log1p())))))


class DeepLate(Deep):
    early = False


def project(seed: int, model: Any = Topic, epochs: int = 6, **hparams: Any) -> Project:
    return Project(model, partial(Abstracts, seed), {"max_epochs": epochs}, hparams)


def measure(model: Any, clean: Project) -> tuple[float, float]:
    return accuracy(*pooled(model, validation(clean)))


CASES = (
    Case(
        "bow-half-precision-weights",
        "weights in bfloat16: steps are smaller than half of its resolution and are rounded away",
        ("numerics", "optimizer"),
        partial(project, lr=1e-4, precision=torch.bfloat16, epochs=20),
        partial(project, lr=1e-4, epochs=20),
        "O11",
    ),
    Case(
        "bow-step-on-a-copy",
        "the optimiser writes its step into a contiguous copy: the weights that are stored transposed never move",
        ("optimizer",),
        partial(project, optimizer=RescaledContiguous, lr=0.02),
        partial(project, optimizer=Rescaled, lr=0.02),
        "O12",
    ),
    Case(
        "bow-initialised-early",
        "the initialisation for depth runs before the deep layers exist: the signal shrinks away",
        ("initialization", "model"),
        partial(project, model=Deep),
        partial(project, model=DeepLate),
        "I03",
    ),
    Case("bow-sparse-inputs", "99 of 100 inputs are zero", (), None, project, "N18"),
    Case(
        "bow-sparse-embedding",
        "two optimisers, sparse gradients, rows that are seen once an epoch",
        (),
        None,
        partial(project, model=EmbeddedTopicManual),
        "N03",
    ),
)
