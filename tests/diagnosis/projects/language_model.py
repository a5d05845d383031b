"""Sentences of a small grammar by a transformer: dictionaries, padding, tied weights, accumulation, warm-up and cosine."""

import math
import random

import lightning as L
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

SUBJECTS = [
    "the cat",
    "a dog",
    "the old man",
    "my sister",
    "every bird",
    "a small child",
    "the teacher",
    "our neighbour",
]
VERBS = ["sees", "likes", "follows", "finds", "hears", "remembers"]
OBJECTS = ["the river", "a red ball", "an old song", "the house", "his friend", "a long road", "the moon"]
ENDS = ["", " today", " at night", " in the garden", " again and again", " when it rains"]
PAD, BOS, EOS = 0, 1, 2


def sentences(count, seed):
    """Different sentences, in random order."""
    rng = random.Random(seed)
    every = [f"{s} {v} {o}{e}." for s in SUBJECTS for v in VERBS for o in OBJECTS for e in ENDS]
    rng.shuffle(every)
    return every[:count]


class CharTokenizer:
    def __init__(self, texts):
        self.characters = sorted(set("".join(texts)))
        self.ids = {character: index + 3 for index, character in enumerate(self.characters)}

    def __len__(self):
        return len(self.characters) + 3

    def encode(self, text):
        return [BOS, *(self.ids[character] for character in text), EOS]


class TextDataset(Dataset):
    def __init__(self, texts, tokenizer):
        self.examples = [tokenizer.encode(text) for text in texts]

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        return torch.tensor(self.examples[index])


def collate(examples):
    """Pads on the right; labels are the next tokens, and nothing where there is padding."""
    ids = nn.utils.rnn.pad_sequence(examples, batch_first=True, padding_value=PAD)
    mask = nn.utils.rnn.pad_sequence([torch.ones_like(one) for one in examples], batch_first=True)
    inputs, labels, mask = ids[:, :-1], ids[:, 1:].clone(), mask[:, 1:].bool()
    labels[~mask] = -100
    return {"input_ids": inputs, "attention_mask": mask, "labels": labels}


class TextDataModule(L.LightningDataModule):
    def __init__(self, rows=640, batch_size=16):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        texts = sentences(self.hparams.rows, seed=5)
        cut = int(0.85 * len(texts))
        self.tokenizer = CharTokenizer(texts)
        self.train, self.val = (TextDataset(part, self.tokenizer) for part in (texts[:cut], texts[cut:]))

    def train_dataloader(self):
        return DataLoader(self.train, self.hparams.batch_size, shuffle=True, collate_fn=collate)

    def val_dataloader(self):
        return DataLoader(self.val, 2 * self.hparams.batch_size, collate_fn=collate)


class CausalSelfAttention(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (one.view(batch, length, self.heads, -1).transpose(1, 2) for one in self.qkv(x).split(width, dim=-1))
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=dropout)
        return self.proj(out.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = CausalSelfAttention(width, heads, dropout)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocab_size, width=32, heads=4, depth=2, *, context=64, dropout=0.1):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, width)
        self.wpe = nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocab_size, bias=False)
        self.apply(self._init_weights)
        for name, parameter in self.named_parameters():
            if name.endswith("proj.weight"):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth))
        self.lm_head.weight = self.wte.weight

    @staticmethod
    def _init_weights(module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, input_ids):
        positions = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.drop(self.wte(input_ids) + self.wpe(positions))
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class LanguageModel(L.LightningModule):
    def __init__(self, *, vocab_size=32, width=32, heads=4, depth=2, lr=3e-3, weight_decay=0.1, warmup=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.model = GPT(vocab_size, width, heads, depth)

    def forward(self, input_ids, attention_mask=None, labels=None):
        logits = self.model(input_ids)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        return {"loss": loss, "logits": logits}

    def training_step(self, batch, batch_idx):
        out = self(**batch)
        self.log("train/loss", out["loss"], prog_bar=True, batch_size=len(batch["input_ids"]))
        return out["loss"]

    def validation_step(self, batch, batch_idx):
        out = self(**batch)
        tokens = int((batch["labels"] != -100).sum())
        self.log("val/loss", out["loss"], prog_bar=True, batch_size=tokens)

    def on_validation_epoch_end(self):
        self.log("val/perplexity", self.trainer.callback_metrics["val/loss"].exp())

    def configure_optimizers(self):
        parameters = {name: p for name, p in self.named_parameters() if p.requires_grad}
        groups = [
            {"params": [p for p in parameters.values() if p.ndim >= 2], "weight_decay": self.hparams.weight_decay},
            {"params": [p for p in parameters.values() if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.hparams.lr, betas=(0.9, 0.95))
        total = self.trainer.estimated_stepping_batches
        warmup = max(1, int(self.hparams.warmup * total))

        def factor(step):
            if step < warmup:
                return step / warmup
            return 0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


SETUP = {
    "model": LanguageModel,
    "data": TextDataModule,
    "hparams": {"vocab_size": 32},
    "trainer": {
        "max_epochs": 20,
        "accelerator": "cpu",
        "accumulate_grad_batches": 2,
        "gradient_clip_val": 1.0,
    },
}
