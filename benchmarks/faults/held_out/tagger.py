"""A token classifier with padded dictionary batches: is a word part of a quotation or of a date?"""

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.faults.case import Case, Project
from benchmarks.faults.measure import validation

NOUNS = ["river", "stone", "house", "bird", "letter", "garden", "window", "table", "road", "forest", "lamp", "boat"]
VERBS = ["sees", "finds", "takes", "leaves", "keeps", "wants", "draws"]
MONTHS = ["january", "march", "april", "june", "august", "october"]
TAGS = ("other", "quote", "date")


def sentence(rng: random.Random) -> tuple[list[str], list[int]]:
    """Words between `say` and `stop` are quoted; a month and the number after it are a date."""
    words: list[str] = []
    tags: list[int] = []
    quoted = False
    for _ in range(rng.randint(3, 9)):
        kind = rng.random()
        if kind < 0.25:
            words.append("stop" if quoted else "say")
            tags.append(0)
            quoted = not quoted
        elif kind < 0.4 and not quoted:
            words += [rng.choice(MONTHS), rng.choice(["one", "two", "three"])]
            tags += [2, 2]
        else:
            chosen = [rng.choice(NOUNS), rng.choice(VERBS), rng.choice(["one", "two", "three"])][: rng.randint(1, 3)]
            words += chosen
            tags += [int(quoted)] * len(chosen)
    return words, tags


class Vocabulary:
    """0 pads, 1 is unknown."""

    def __init__(self, sentences: Sequence[Sequence[str]], first: int = 2) -> None:
        counts: dict[str, int] = {}
        for words in sentences:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        ordered = self.order(counts)
        self.index = {word: number for number, word in enumerate(ordered, start=first)}

    def order(self, counts: dict[str, int]) -> list[str]:
        return sorted(counts, key=lambda word: (-counts[word], word))

    def __len__(self) -> int:
        return max(self.index.values()) + 1

    def __call__(self, words: Sequence[str]) -> list[int]:
        return [self.index.get(word, 1) for word in words]


class Sentences(Dataset[Any]):
    def __init__(self, pairs: Sequence[tuple[list[str], list[int]]], vocabulary: Vocabulary, length: int = 64) -> None:
        self.items = [(vocabulary(words)[:length], tags[:length]) for words, tags in pairs]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[list[int], list[int]]:
        return self.items[index]


class SentenceData(L.LightningDataModule):
    def __init__(self, seed: int = 0, pad_tag: int = -100, length: int = 64) -> None:
        super().__init__()
        self.seed, self.pad_tag, self.length = seed, pad_tag, length

    def prepare(self) -> tuple[Any, Any]:
        rng = random.Random(self.seed)
        pairs = [sentence(rng) for _ in range(700 + 80 * self.seed)]
        held = {" ".join(words) for words, _ in pairs[:150]}
        return [pair for pair in pairs[150:] if " ".join(pair[0]) not in held], pairs[:150]

    def setup(self, stage: str) -> None:
        train, val = self.prepare()
        vocabulary = self.vocabulary(train)
        self.train = Sentences(train, vocabulary, self.length)
        self.val = Sentences(val, self.vocabulary_of_validation(vocabulary, val))

    def vocabulary(self, pairs: Any) -> Vocabulary:
        return Vocabulary([words for words, _ in pairs])

    def vocabulary_of_validation(self, vocabulary: Vocabulary, pairs: Any) -> Vocabulary:
        return vocabulary

    def collate(self, items: list[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        width = max(len(ids) for ids, _ in items)
        ids = torch.zeros(len(items), width, dtype=torch.long)
        labels = torch.full((len(items), width), self.pad_tag)
        mask = torch.zeros(len(items), width, dtype=torch.bool)
        for row, (words, tags) in enumerate(items):
            ids[row, : len(words)] = torch.tensor(words)
            labels[row, : len(tags)] = torch.tensor(tags)
            mask[row, : len(words)] = True
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, batch_size=32, shuffle=True, collate_fn=self.collate)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=50, collate_fn=self.collate)


class VocabularyAsMet(Vocabulary):
    """Words in the order in which they are met."""

    def order(self, counts: dict[str, int]) -> list[str]:
        return list(counts)


class SentencesAsMet(SentenceData):
    def vocabulary(self, pairs: Any) -> Vocabulary:
        return VocabularyAsMet([words for words, _ in pairs])


class VocabularyOfEach(SentencesAsMet):
    def vocabulary_of_validation(self, vocabulary: Vocabulary, pairs: Any) -> Vocabulary:
        return self.vocabulary(pairs)


class Shouted(SentenceData):
    """The speech recogniser writes capitals."""

    def prepare(self) -> tuple[Any, Any]:
        train, val = super().prepare()
        loud = [
            ([word.upper() if word not in {"say", "stop"} else word for word in words], tags) for words, tags in train
        ]
        return loud, [([word.upper() for word in words], tags) for words, tags in val]

    def vocabulary(self, pairs: Any) -> Vocabulary:
        return Vocabulary([[word.lower() for word in words] for words, _ in pairs])


class CompactVocabulary(SentenceData):
    def vocabulary(self, pairs: Any) -> Vocabulary:
        return Vocabulary([words for words, _ in pairs], first=0)


class PromptsOnly(SentenceData):
    """Answers are what is after the mask; the mask is as long as the padded row."""

    def collate(self, items: list[tuple[list[int], list[int]]]) -> dict[str, Tensor]:
        batch = super().collate(items)
        return {**batch, "labels": batch["labels"].masked_fill(torch.ones_like(batch["attention_mask"]), self.pad_tag)}


class RareWords(SentenceData):
    """A handful of names occur once each."""

    def prepare(self) -> tuple[Any, Any]:
        train, val = super().prepare()
        for number in range(6):
            words, tags = train[number * 7]
            train[number * 7] = ([*words, f"name{number}"], [*tags, 0])
        return train, val


class Tagger(L.LightningModule):
    def __init__(
        self,
        *,
        lr: float = 4e-3,
        width: int = 32,
        tags: int = 3,
        padding: int | None = 0,
        masked: bool = True,
        words: int = 64,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Embedding(words, width, padding_idx=padding)
        self.place = nn.Parameter(torch.randn(64, width) * 0.1)
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.tag = nn.Linear(width, tags)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids) + self.place[: input_ids.shape[1]]
        hidden = self.encoder(x, src_key_padding_mask=~attention_mask if self.hparams["masked"] else None)
        return self.tag(self.norm(hidden))

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())

    def share_right(self, logits: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        mask = batch["labels"] >= 0
        return (logits.argmax(-1) == batch["labels"])[mask].float().mean(), int(mask.sum())

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        self.log("train_loss", loss, batch_size=len(batch["labels"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["input_ids"], batch["attention_mask"])
        right, count = self.share_right(logits, batch)
        self.log("val_loss", self.loss(logits, batch["labels"]), batch_size=count)
        self.log("val_acc", right, batch_size=count)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])


class ZeroWhereNothing(Tagger):
    """A summed loss over a fixed number of words."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / (12 * len(labels))

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        logits = self(batch["input_ids"], batch["attention_mask"])
        right, count = self.share_right(logits, batch)
        self.log("val_loss", self.loss(logits, batch["labels"]), batch_size=len(logits))
        self.log("val_acc", right, batch_size=max(count, 1))


class AttendsToPadding(Tagger):
    """Mixes each word with the mean of its sentence."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids) + self.place[: input_ids.shape[1]]
        hidden = self.encoder(x, src_key_padding_mask=attention_mask)
        return self.tag(self.norm(hidden))


def project(
    seed: int, model: Any = Tagger, data: Any = SentenceData, hparams: Any = None, declare: Any = None, **options: Any
) -> Project:
    return Project(model, partial(data, seed, **options), {"max_epochs": 5}, hparams or {}, declare or {})


def measure(model: Any, clean: Project) -> tuple[float, float]:
    model.eval()
    right, common, total = 0, 0, 0
    with torch.no_grad():
        for batch in validation(clean):
            mask = batch["attention_mask"]
            said = model(batch["input_ids"], mask)[..., :3].argmax(-1)
            right += int((said == batch["labels"])[mask].sum())
            common += int((batch["labels"] == 0)[mask].sum())
            total += int(mask.sum())
    return right / total, common / total


CASES = (
    Case(
        "tagger-padding-seen",
        "attention is not told the padding: a sentence's tags depend on what else is in its batch",
        ("model", "data"),
        partial(project, hparams={"masked": False, "padding": None}),
        project,
        "https://karpathy.github.io/2019/04/25/recipe/",
    ),
    Case(
        "tagger-mask-inverted",
        "the padding mask is inverted: words see the padding alone",
        ("model",),
        partial(project, model=AttendsToPadding),
        project,
        "M08",
    ),
    Case(
        "tagger-padding-counted",
        "padding is labelled with a class: loss and accuracy are of padding for the most part",
        ("loss", "metrics", "labels"),
        partial(project, pad_tag=0),
        project,
        "https://github.com/huggingface/transformers/issues/2696",
    ),
    Case(
        "tagger-padding-idx",
        "padding_idx is a real word, and ids start at zero: its row stays zero for ever",
        ("model", "preprocessing"),
        partial(project, data=CompactVocabulary, hparams={"padding": 0}),
        partial(project, data=CompactVocabulary, hparams={"padding": None}),
        "M17",
    ),
    Case(
        "tagger-truncated",
        "training sentences are cut to four words: the rules that span them cannot be learned",
        ("preprocessing", "data"),
        partial(project, length=4),
        project,
        "P12",
    ),
    Case(
        "tagger-unknown-words",
        "a lower-case vocabulary for text in capitals: most words are the unknown word",
        ("preprocessing", "data"),
        partial(project, data=Shouted),
        project,
        "P14",
    ),
    Case(
        "tagger-two-vocabularies",
        "validation makes a vocabulary of its own: the same id is another word",
        ("preprocessing", "data", "split"),
        partial(project, data=VocabularyOfEach),
        partial(project, data=SentencesAsMet),
        "P13",
    ),
    Case(
        "tagger-everything-masked",
        "the collator masks every label: the loss is zero and nothing learns",
        ("loss", "labels"),
        partial(project, model=ZeroWhereNothing, data=PromptsOnly),
        partial(project, model=ZeroWhereNothing),
        "L12",
    ),
    Case(
        "tagger-rare-words",
        "a few words occur once; rows of the embedding have no gradient in most batches",
        (),
        None,
        partial(project, data=RareWords),
        "N03",
    ),
    Case(
        "tagger-reserved-tag",
        "two outputs are kept for tags that will come, and are declared",
        (),
        None,
        partial(project, hparams={"tags": 5}, declare={"reserved_classes": [3, 4]}),
        "B03",
    ),
)
