"""Rules on words and their numbers, and on transforms that two splits share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from art_training.probes.rows import Rows, SplitRows
from art_training.probes.sharing_dataset import shared_assignments
from art_training.probes.specimen import Specimen
from art_training.probes.vocabulary import Vocabulary, vocabularies
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_MUCH = 0.2  # vocabularies are made to leave out a few words in a hundred
_DOMINANT, _MOST = 0.8, 0.5
_FEWEST_TOKENS = 200
_INSIDE = 0.3


@rule(
    "ART212",
    "a transform is set for two splits at once",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "Training and validation are parts of one dataset object, and the code that makes them sets an attribute of it through "
        "one part, as in valid.dataset.transform = None, or where the loader of one split is made: itself, or by a method such as "
        "album.eval() that sets to a constant what __getitem__ reads. Both the object and the assignment are looked at."
    ),
    why="A part has no transform of its own: what is set through one holds for both. Augmentation is off, or on in validation.",
    wrong="train, valid = random_split(data, [0.8, 0.2]); valid.dataset.transform = None",
    right="train = Subset(augmented, train_rows); valid = Subset(plain, valid_rows)",
    source="https://github.com/growingnet/gromo/pull/58",
)
def shared_transform(laboratory: Laboratory) -> Found | None:
    """One object, two intentions."""
    found = laboratory.ask(shared_assignments)
    if not found:
        return None
    first = found[0]
    return Found(
        f"{first.text} sets {first.attribute} for training and validation alike: they are parts of one dataset object",
        {"assignments": [one.text for one in found], "attribute": first.attribute},
        "make two dataset objects, one with and one without augmentation, and take parts of each by the same indices",
        where=first.where,
        confirmed_by=f"the datasets of both splits hold the same object, whose {first.attribute} is one",
    )


@rule(
    "ART217",
    "numbers of words follow the order of a set",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A table from words to numbers that data or model hold numbers its words in the order in which a set of them is gone "
        "through in this process (by the hashes far fewer steps go back than the half that do in any other order). The order in "
        "another process, with other hashes, is asked for; or the datasets of two splits hold tables that number common words "
        "otherwise."
    ),
    why="Strings have other hashes in each process: a model that is loaded tomorrow reads every word as another.",
    wrong="vocabulary = {word: i for i, word in enumerate(set(words))}",
    right="vocabulary = {word: i for i, word in enumerate(sorted(set(words)))}  # and saved with the model",
    source="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED",
    symptoms=("ART164", "ART165"),
)
def unordered_vocabulary(laboratory: Laboratory) -> Found | None:
    """Numbers that hold in one process, or in one split."""
    found = laboratory.ask(vocabularies)
    if not found:
        raise NotApplicable("neither the data nor the model hold a table from words to numbers")
    for one in found:
        if one.moved is not None and one.moved > 0.5:
            return Found(
                f"{len(one.numbers)} words have the numbers of their places in a set, which are others in each process",
                {"words": len(one.numbers), "moved": one.moved},
                "number sorted words, and save the table with the model",
                where=f"the {one.split} dataset" if one.split else "the data or the model",
                confirmed_by=f"in a process with other hashes {one.moved:.0%} of the words have other numbers",
            )
    return _between_splits(found)


@rule(
    "ART219",
    "most tokens are unknown",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "More than a fifth of the tokens, padding left out, have the number that the vocabulary has for unknown words. Or, where none "
        "has a name for them, one number makes up more than four fifths of them and less than half of the vocabulary occurs; or more than "
        "half of them, and less than a quarter of the vocabulary, or of the embedding, occurs in twice as many tokens. A vocabulary is made to "
        "leave out a few words in a hundred."
    ),
    why="The model reads that there was a word, and not which: case, tokeniser or vocabulary are not the ones that belong together.",
    wrong="ids = [vocabulary.get(word, UNK) for word in text.split()]  # of a lower-case vocabulary",
    right="ids = [vocabulary.get(word, UNK) for word in text.lower().split()]",
    source="https://docs.deepchecks.com/stable/nlp/auto_checks/data_integrity/plot_unknown_tokens.html",
    symptoms=("ART150", "ART160", "ART163", "ART164", "ART405", "ART780"),  # rows of unknown words are equal
)
def unknown_tokens(laboratory: Laboratory) -> Found | None:
    """Words that the vocabulary does not have."""
    tokens_of = {
        split: rows
        for split, rows in laboratory.get(Rows).splits.items()
        if split is not Split.TEST
        and rows.values is not None
        and rows.integral
        and len(rows.shape) == 1 < rows.shape[0]
    }
    if not tokens_of:
        raise NotApplicable("the inputs are no sequences of tokens")
    for split, rows in tokens_of.items():
        if rows.values is None:
            continue
        known = [one for one in laboratory.ask(vocabularies) if _covers(one, rows.values)]
        tokens = _tokens(rows, laboratory.declarations.get("padding"), known)
        if len(tokens) < _FEWEST_TOKENS:
            continue
        numbers, counts = np.unique(tokens, return_counts=True)
        most = int(numbers[counts.argmax()])
        unknown = next((one.unknown for one in known if one.unknown is not None), None)
        if unknown is not None:
            share = float((tokens == unknown).mean())
            if share <= _MUCH:
                continue
        else:
            share, unknown = float(counts.max() / counts.sum()), most
            size = max((len(one.numbers) for one in known), default=0)
            dominates = share > _DOMINANT and len(numbers) * 2 < size
            size = size or laboratory.ask(_embedded)
            if not dominates and not (share > _MOST and len(numbers) * 4 < size and len(tokens) >= 2 * size):
                continue
        return Found(
            f"{share:.0%} of the {len(tokens)} tokens of {split.value} are {unknown}, which stands for unknown words",
            {"share": share, "token": unknown, "tokens": len(tokens), "different": len(numbers)},
            "split and case the text as the vocabulary was made, or make the vocabulary of this text",
            where=f"batch[{laboratory.task.inputs[0]}]"
            if laboratory.task is not None and laboratory.task.inputs
            else "",
            confirmed_by=f"only {len(numbers)} different tokens occur",
        )
    return None


def _between_splits(found: tuple[Vocabulary, ...]) -> Found | None:
    train = [one for one in found if one.split == "train"]
    validation = [one for one in found if one.split == "validation"]
    for one in train:
        for other in validation:
            common = one.numbers.keys() & other.numbers.keys()
            moved = sum(one.numbers[word] != other.numbers[word] for word in common)
            if len(common) >= len(one.numbers) / 2 and moved > len(common) / 2:
                return Found(
                    f"of {len(common)} words that the datasets of training and validation have in common, {moved} have another "
                    "number in the other",
                    {"common": len(common), "moved": moved},
                    "make one vocabulary, of the training split, and give it to both",
                    where="the train and validation datasets",
                    confirmed_by=f"{moved} of {len(common)} words were looked up in both tables",
                )
    return None


def _embedded(specimen: Specimen) -> int:
    """How many numbers the largest embedding has; 0 where there is none."""
    sizes = [one.num_embeddings for one in specimen.module.modules() if isinstance(one, nn.Embedding | nn.EmbeddingBag)]
    return max(sizes, default=0)


def _tokens(rows: SplitRows, padding: Any, known: list[Vocabulary]) -> NDArray[Any]:
    """The tokens of all rows, without what pads them: what is declared or called so, or what most rows end with."""
    assert rows.values is not None
    table = rows.values.astype(np.int64)
    if not isinstance(padding, int):
        padding = next((one.padding for one in known if one.padding is not None), None)
    if isinstance(padding, int):
        return table[table != padding]
    ends, counts = np.unique(table[:, -1], return_counts=True)
    pad = int(ends[counts.argmax()])
    if any(pad == one.unknown for one in known):
        return table.ravel()
    padded = (table[:, ::-1] == pad).cumprod(1)[:, ::-1].astype(bool)
    if padded.all() or float((table == pad)[~padded].mean()) > _INSIDE:
        return table.ravel()  # what stands between others as well fills nothing up
    ends_padded = padded.sum(1) >= 2  # a last token that is what others are padded with
    kept = ~(padded & ends_padded[:, None])
    if not kept.any() or kept.sum() < _FEWEST_TOKENS:
        return table.ravel()
    return table[kept]


def _covers(one: Vocabulary, tokens: NDArray[Any]) -> bool:
    numbers = one.numbers.values()
    return min(numbers) <= int(tokens.max()) <= max(numbers)
