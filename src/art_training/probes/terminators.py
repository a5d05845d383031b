"""Which token ends a sequence, by the names that code gives it, and whether a loss ever asks for it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from art_training.probes.asked import asked
from art_training.probes.named_numbers import named_numbers
from art_training.probes.offsets import offsets
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import steps
from art_training.setup.data.batch import entries

_NAME = re.compile(
    r"_*(eos|eot|end_of_(sequence|sentence|text)|stop_token)(_token)?(_?id|_?idx|_?index)?", re.IGNORECASE
)
_OTHER_NAME = re.compile(
    r"_*(end|stop)(_(token|symbol|char))?(_?id|_?idx|_?index)?", re.IGNORECASE
)  # where nothing is called so
_WORDS = {"<eos>", "</s>", "[eos]", "<|endoftext|>", "<end>", "<eot>", "<|eot_id|>"}
_FEWEST_TARGETS = 50
_NEXT = 0.9  # of the targets that count are the token that comes next


@dataclass(frozen=True)
class Terminator:
    """The token that ends sequences.

    Attributes:
        token: its number.
        name: what code calls it.
        ends: rows of the batches in which it comes after the first position.
        rows: of the batches.
        targets: that count, of all losses that ask for the next token.
        asked: of these, how many are the token.
        ignored: the number that is left out of the loss.
        path: of the tokens in the batch.
    """

    token: int
    name: str
    ends: int
    rows: int
    targets: int
    asked: int
    ignored: int
    path: str


def terminator(specimen: Specimen) -> Terminator | None:
    """What ends sequences; None where no name says it, or no loss asks for the next token."""
    paths = [one.path for one in offsets(specimen) if one.matches[1] >= _NEXT]
    named = (dict(_named(specimen, _NAME)) or dict(_named(specimen, _OTHER_NAME))) if paths else {}
    if len(set(named.values())) != 1:  # none, or names that contradict each other
        return None
    (name, token), path = next(iter(named.items())), paths[0]
    calls = [call for one in steps(specimen) for call in one.calls if call.name in {"cross_entropy", "nll_loss"}]
    targets = [call.target for call in calls if not call.target.is_floating_point()]
    counted = [
        target[target != call.options.get("ignore_index", -100)] for target, call in zip(targets, calls, strict=False)
    ]
    tokens = [leaf for batch in specimen.batches if isinstance(leaf := entries(batch).get(path), Tensor)]
    if len(targets) != len(calls) or not calls or not tokens or any(one.ndim != 2 for one in tokens):
        return None
    if (told := _by_gradients(specimen)) is not None and len(told) < sum(one.numel() for one in counted):
        counted = [told]
    total = sum(one.numel() for one in counted)
    if total < _FEWEST_TARGETS:
        return None
    return Terminator(
        token=token,
        name=name,
        ends=sum(int((one[:, 1:] == token).any(1).sum()) for one in tokens),
        rows=sum(len(one) for one in tokens),
        targets=total,
        asked=sum(int((one == token).sum()) for one in counted),
        ignored=int(calls[0].options.get("ignore_index", -100)),
        path=path,
    )


def _named(specimen: Specimen, pattern: re.Pattern[str]) -> Iterator[tuple[str, int]]:
    """Names of a token that ends sequences."""
    return ((name, number) for name, number in named_numbers(specimen, pattern, _WORDS) if isinstance(number, int))


def _by_gradients(specimen: Specimen) -> Tensor | None:
    """The classes of positions that count, as gradients tell it, whatever masks a loss is multiplied with; None where too few are known."""
    found = [one.classes[one.weights > 0] for one in asked(specimen).classes if one.weights.shape[1] > 1]
    together = torch.cat(found) if found else None
    return together if together is not None and len(together) >= _FEWEST_TARGETS else None


def effective_share(counts: list[int]) -> float:
    """How much of a number of tokens is left where those of each batch weigh as one over their count.

    Kish's effective sample size, (sum of weights)^2 / sum of their squares, as a share of the tokens.
    """
    numbers = torch.tensor([one for one in counts if one > 0], dtype=torch.float64)
    return float(1 / (numbers.mean() * (1 / numbers).mean())) if len(numbers) else 1.0
