"""A causal language model over characters, with dictionary batches and padded lines."""

import random
from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation

LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789"
PAD, EOS = len(LETTERS), len(LETTERS) + 1


def line(rng: random.Random) -> str:
    """Counting rhymes: a word, and as many numbers after it as it has letters."""
    words = rng.sample(["ox", "cat", "goat", "zebra", "yak", "heron", "frog"], rng.randint(2, 3))
    starts = [rng.randint(0, 5) for _ in words]
    counted = (
        "".join(str((start + i) % 10) for i in range(len(word))) for word, start in zip(words, starts, strict=True)
    )
    return " ".join(f"{word} {count}" for word, count in zip(words, counted, strict=True))


class Lines(L.LightningDataModule):
    def __init__(
        self, seed: int = 0, pad: int = PAD, shift: bool = False, batch_size: int = 16, prompts: bool = False
    ) -> None:
        super().__init__()
        self.seed, self.pad, self.shift, self.batch_size, self.prompts = seed, pad, shift, batch_size, prompts

    def setup(self, stage: str | None = None) -> None:
        rng = random.Random(10 + self.seed)
        lines = [line(rng) for _ in range(900 + 100 * self.seed)]
        known = set(lines[:700])
        self.train = self.encode(lines[:700])
        self.val = self.encode([one for one in lines[700:] if one not in known])

    def encode(self, lines: list[str]) -> TensorDataset:
        rows = torch.full((len(lines), 36), self.pad)
        for row, text in zip(rows, lines, strict=True):
            ids = [LETTERS.index(letter) for letter in text] + [EOS]
            row[: len(ids)] = torch.tensor(ids)
        return TensorDataset(rows)

    def collate(self, items: list[tuple[Tensor]]) -> dict[str, Tensor]:
        ids = torch.stack([item[0] for item in items])
        labels = ids.masked_fill(ids == self.pad, -100)
        if self.prompts:
            labels[:, :2] = -100
        if self.shift:
            labels = torch.cat([labels[:, 1:], torch.full((len(ids), 1), -100)], dim=1)
        return {"input_ids": ids, "labels": labels}

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, self.batch_size, shuffle=True, collate_fn=self.collate)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, 64, collate_fn=self.collate)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, mask: str) -> None:
        super().__init__()
        self.heads, self.mask = heads, mask
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, width = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        allowed = torch.ones(length, length, dtype=torch.bool, device=x.device)
        if self.mask == "tril":
            allowed = allowed.tril()
        elif self.mask == "triu":
            allowed = allowed.triu(diagonal=1)
            allowed[-1, -1] = True
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.out(mixed.transpose(1, 2).reshape(n, length, width))


class Block(nn.Module):
    def __init__(self, width: int, mask: str) -> None:
        super().__init__()
        self.attend = Attention(width, 4, mask)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class CharacterLM(L.LightningModule):
    def __init__(
        self, lr: float = 3e-3, width: int = 48, mask: str = "tril", tie: bool = True, vocabulary: int = 39
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(36, width)
        self.blocks = nn.ModuleList(Block(width, mask) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.wte.weight, std=0.02)
        if tie:
            self.lm_head.weight = self.wte.weight

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.wte(input_ids) + self.wpe(torch.arange(input_ids.shape[1], device=input_ids.device))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch["input_ids"]), batch["labels"])
        self.log("train_loss", loss, prog_bar=True, batch_size=len(batch["labels"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        labels = batch["labels"]
        self.log("val_loss", self.loss(self(batch["input_ids"]), labels), batch_size=int((labels[:, 1:] >= 0).sum()))

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.parameters() if p.dim() >= 2]
        rest = [p for p in self.parameters() if p.dim() < 2]
        groups = [{"params": decay, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.hparams["lr"], betas=(0.9, 0.95))


class CharacterLMExtended(CharacterLM):
    """Room for tokens that are added later; input and output share their weights."""

    def __init__(self, extra: int = 8, **hparams: Any) -> None:
        super().__init__(**hparams)
        old = self.wte.weight
        self.wte = nn.Embedding(old.shape[0] + extra, old.shape[1])
        self.wte.weight.data[: len(old)] = old.data
        self.lm_head.weight = nn.Parameter(self.wte.weight.detach().clone())


class CharacterLMSum(CharacterLM):
    """The loss of a batch over a fixed number of characters."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        total = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
        return total / (12 * len(labels))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        labels = batch["labels"]
        loss = super().loss(self(batch["input_ids"]), labels)
        self.log("val_loss", loss, batch_size=int((labels[:, 1:] >= 0).sum()))


class CharacterLMNoShift(CharacterLM):
    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


class CharacterLMOwnPositions(CharacterLM):
    """Positions are those within the batch's rows."""

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.wte(input_ids) + self.wpe.weight[: input_ids.shape[1]].mean(0)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.norm(x))


def project(
    seed: int, model: Any = CharacterLM, hparams: Any = None, trainer: Any = None, declare: Any = None, **data: Any
) -> Project:
    settings = {"max_epochs": 6, "gradient_clip_val": 1.0, **(trainer or {})}
    return Project(model, partial(Lines, seed, **data), settings, hparams or {}, {"grad_clip": 1.0, **(declare or {})})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    """Share of next characters, the end among them, that are generated rightly from each true beginning."""
    model.eval()
    right, total, common = 0, 0, 0
    with torch.no_grad():
        for batch in validation(clean):
            ids, goal = batch["input_ids"], batch["labels"][:, 1:]
            for stop in range(1, ids.shape[1]):
                mask = goal[:, stop - 1] >= 0
                if mask.any():
                    said = model(ids[mask, :stop])[:, -1].argmax(-1)
                    right += int((said == goal[mask, stop - 1]).sum())
                    common += int((goal[mask, stop - 1] == LETTERS.index(" ")).sum())
                    total += int(mask.sum())
    return right / total, common / total


small = {"trainer": {"accumulate_grad_batches": 4}, "batch_size": 4}

CASES = (
    Case(
        "charlm-no-mask",
        "attention without a causal mask: the next character is read off, generation is noise",
        ("model", "data"),
        partial(project, hparams={"mask": "none"}),
        project,
        "M08",
    ),
    Case(
        "charlm-inverted-mask",
        "a boolean mask of the other convention: each place sees its future alone",
        ("model",),
        partial(project, hparams={"mask": "triu"}),
        project,
        "M08",
    ),
    Case(
        "charlm-no-shift",
        "labels are not shifted: each place learns to repeat the character it was given",
        ("loss", "labels"),
        partial(project, model=CharacterLMNoShift),
        project,
        "L13",
    ),
    Case(
        "charlm-two-shifts",
        "the collator and the loss both shift: the character after the next is learned",
        ("loss", "labels"),
        partial(project, shift=True),
        project,
        "L13",
    ),
    Case(
        "charlm-pad-is-end",
        "the padding id is the end's id and is masked: the end is never learned",
        ("loss", "labels", "preprocessing"),
        partial(project, pad=EOS),
        project,
        "L11",
    ),
    Case(
        "charlm-mean-of-micro-batches",
        "accumulated means over unequal numbers of characters: short lines weigh more than long ones",
        ("loss", "optimizer"),
        partial(project, **small),
        partial(project, model=CharacterLMSum, **small),
        "L18",
    ),
    Case(
        "charlm-untied",
        "the embedding was made larger after the weights were tied: input and output drift apart",
        ("transfer", "model"),
        partial(project, model=CharacterLMExtended),
        project,
        "F04",
    ),
    Case(
        "charlm-no-order",
        "one mean position for all places: the model cannot tell their order",
        ("model",),
        partial(project, model=CharacterLMOwnPositions),
        project,
        "own",
    ),
    Case(
        "charlm-large-vocabulary",
        "most of the 400 tokens never occur",
        (),
        None,
        partial(project, hparams={"vocabulary": 400}),
        "N30",
    ),
    Case(
        "charlm-prompts",
        "the first two characters of each line are masked",
        (),
        None,
        partial(project, prompts=True),
        "L12",
    ),
)
