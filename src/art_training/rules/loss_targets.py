"""Rules on what a loss compares with: which targets count, how much, and which of them belong to a prediction."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from art_training.probes.counted_padding import counted_padding
from art_training.probes.offsets import offsets
from art_training.probes.specimen import Specimen
from art_training.probes.step_losses import SeenLoss, steps
from art_training.probes.uncounted import uncounted
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.padded import padding_of
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.data.batch import size

_OF_CLASSES = {"cross_entropy", "nll_loss"}
_MUCH = 0.1  # of the targets that count
_FEWEST = 8  # positions, or a class may be missing by chance


@rule(
    "ART430",
    "no target counts",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds="In a batch that was looked at, every target of cross_entropy is the class that it ignores. Confirmed by its loss.",
    why="A mean over nothing is NaN, a sum is 0: nothing is learned, and weights may become NaN.",
    wrong="labels[:] = -100",
    right="labels[prompt] = -100",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (ignore_index)",
    symptoms=("ART405", "ART413", "ART422", "ART910", "ART911", "ART912"),
)
def none_counts(laboratory: Laboratory) -> Found | None:
    """Everything is masked."""
    calls = _of_classes(laboratory)
    if not calls:
        raise NotApplicable("the step calls no loss of class numbers")
    empty = [call for call in calls if not bool(_kept(call).any())]
    # A batch without a target is no fault where the step itself takes care of the mean.
    if not empty or (
        len(empty) < len(calls) and bool(torch.stack([one.value.sum() for one in empty]).isfinite().all())
    ):
        return None
    call = empty[0]
    return Found(
        f"all {call.target.numel()} targets of a batch are {call.options.get('ignore_index', -100)}, which {call.name} ignores, "
        f"in {len(empty)} of {len(calls)} batches",
        {"batches": len(empty), "of": len(calls), "loss": str(float(call.value.sum()))},
        "look at what masks the labels; leave batches without a target out",
        where=call.where,
        confirmed_by=f"of {call.target.numel()} targets 0 count, and the loss of the batch is {float(call.value.sum()):.3g}",
    )


@rule(
    "ART431",
    "a class is ignored",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Examples have one label each, the loss has an output for every class, and ignore_index is one of these classes and "
        "the label of some examples: they count for nothing. Sequences and images, whose padding or background may be "
        "a class, are not judged."
    ),
    why="The class is never learned, and all its examples are called something else.",
    wrong="F.cross_entropy(logits, y, ignore_index=0)",
    right="F.cross_entropy(logits, y)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (ignore_index)",
    settles=("padding", "reserved_classes"),
)
def ignored_class(laboratory: Laboratory) -> Found | None:
    """A class that is taken for padding."""
    laboratory.settled("padding", "reserved_classes")
    seen = [(one, call) for one in laboratory.ask(steps) for call in one.calls if call.name in _OF_CLASSES]
    single = [call for one, call in seen if call.target.ndim == 1 and len(call.target) == size(one.batch)]
    if not single or len(single) < len(seen) or single[0].target.is_floating_point():
        raise NotApplicable("no loss compares with one class number an example")
    ignored = int(single[0].options.get("ignore_index", -100))
    left = sum(int((~_kept(call)).sum()) for call in single)
    total = sum(len(call.target) for call in single)
    if not 0 <= ignored < single[0].prediction.shape[1] or not left:
        return None
    return Found(
        f"{left} of {total} examples have the label {ignored}, which {single[0].name} ignores (ignore_index={ignored})",
        {"class": ignored, "examples": left, "of": total},
        "remove ignore_index, or give it a value that is no class (-100)",
        where=single[0].where,
        confirmed_by=f"the loss counts {total - left} of {total} examples, and with ignore_index=-100 it counts {total}",
    )


@rule(
    "ART432",
    "padding is learned",
    category="loss",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "More than a tenth of the targets that count are the padding token: the one that is declared, the padding_idx of an "
        "embedding, or one that was inferred as for ART313, where the loss has as many classes as an embedding has tokens. Or, whatever is "
        "predicted and however the loss is written, more than a tenth of the predictions that have a gradient of it are of positions that "
        "are padding: told where the gradient is that of a cross entropy of each position, or draws each number to that of an entry of its shape."
    ),
    why="Predicting padding is easy: it takes over the mean, the loss looks good, and what is learned is to stop.",
    wrong="F.cross_entropy(logits.flatten(0, 1), tokens.flatten())",
    right="F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=pad)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (ignore_index)",
    settles=("padding",),
)
def padding_learned(laboratory: Laboratory) -> Found | None:
    """Padding among the targets that count."""
    calls = [call for call in _of_classes(laboratory) if call.options.get("reduction") != "none"]
    found = _among_targets(laboratory, calls) if calls else None
    if found is not None:
        return found
    counted = laboratory.ask(counted_padding)
    if counted is None:
        if not calls:
            raise NotApplicable("no loss takes a mean or a sum over positions of padded sequences")
        return None
    if counted.share <= _MUCH:
        return None
    return Found(
        f"{counted.share:.0%} of the positions that count in the loss are padding (padding is {counted.token:g}, as was inferred: "
        f"{counted.told_by})",
        {"share": counted.share, "padding": counted.token, "positions": counted.positions},
        "leave them out: ignore_index, or reduction='none' and a mean over real positions",
        confirmed_by=(
            f"{counted.positions} predictions have a gradient of the loss, and {counted.positions - counted.padding} of them are of what is "
            "not padding"
        ),
    )


def _among_targets(laboratory: Laboratory, calls: list[SeenLoss]) -> Found | None:
    """Padding that is a target by its number."""
    tokens, classes = laboratory.ask(_paddings), int(calls[0].prediction.shape[1])
    # What pads tokens is a target only where tokens are predicted, and not where their sequence has a class or tags.
    predicts_tokens = classes in tokens or not tokens
    known = padding_of(laboratory) if predicts_tokens else None
    known = known if known is None or known.of_tokens else None
    declared = known is not None and not known.told_by
    own = tokens.get(classes)
    pad = known.token if known is not None and (declared or own is None) else own
    if pad is None:
        return None
    inferred = known.inferred if known is not None and own is None else ""
    counted = torch.cat([call.target[_kept(call)].reshape(-1) for call in calls])
    share = float((counted == pad).double().mean()) if len(counted) else 0.0
    if share <= _MUCH:
        return None
    return Found(
        f"{share:.0%} of the targets that count are padding{inferred or f' ({pad:g})'}",
        {"share": share, "padding": pad, "targets": len(counted)},
        f"give the loss ignore_index={pad:g}",
        where=calls[0].where,
        confirmed_by=f"{len(counted)} targets count, and {int((counted != pad).sum())} with ignore_index={pad:g}",
    )


@rule(
    "ART433",
    "only one of two classes counts",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Of a loss of two classes (cross_entropy or nll_loss with two outputs, a binary cross entropy) no prediction of the one class has a "
        "gradient, over all batches that were looked at, through whatever reads it; eight positions or more are of that class. Confirmed by "
        "random numbers in their place, which leave the loss as it is, while those in the place of the other class change it: what "
        "leaves easy positions out for the time being is no finding."
    ),
    why="A constant is perfect: the model learns to name the other class everywhere.",
    wrong="F.cross_entropy(logits, mask, ignore_index=1)  # 1 is the foreground",
    right="F.cross_entropy(logits, mask, ignore_index=255)  # 255 marks pixels that nobody labelled",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (ignore_index, weight)",
    settles=("reserved_classes",),
    symptoms=("ART405", "ART431", "ART440"),
)
def one_of_two(laboratory: Laboratory) -> Iterable[Found]:
    """A loss that a constant brings to zero."""
    laboratory.settled("reserved_classes")
    seen = laboratory.ask(uncounted)
    if seen is None:
        raise NotApplicable("the step compares no two classes, or optimises by itself")
    for one in seen:
        if one.positions < _FEWEST:
            continue
        yield Found(
            f"{one.positions} of {one.positions + one.others} targets of {one.loss} are of class {one.silent}, and none of them counts: "
            f"what is predicted there has no gradient, and class {1 - one.silent} everywhere is the best prediction",
            {"class": one.silent, "positions": one.positions, "of": one.positions + one.others},
            "look at ignore_index, weight and masks of the loss: each class that is to be learned must count",
            confirmed_by=(
                f"random numbers in place of the predictions for class {one.silent} change the loss by {one.moved:.2g}, and for class "
                f"{1 - one.silent} by {one.moved_by_others:.2g} of itself"
            ),
        )


@rule(
    "ART434",
    "targets are shifted twice, or not at all",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A model that looks back only is asked for the token two or more positions after the last one that its prediction "
        "depends on, or for that very one. The last one is found by exchanging a token; confirmed where at least 99 % of the "
        "targets are the tokens at that distance, and not nine in ten those at distance 1. A loss with several heads, of "
        "which one looks one position ahead, is not judged."
    ),
    why="Shifted twice, generated text skips tokens; not shifted, the model copies what it reads, and the loss is nearly 0.",
    wrong="loss = model(ids[:, :-1], labels=ids[:, 1:])  # and the model shifts its labels",
    right="loss = model(ids, labels=ids)  # the model shifts its labels",
    source="https://github.com/huggingface/transformers/issues/47394",
    symptoms=("ART405",),
)
def shifted(laboratory: Laboratory) -> Found | None:
    """A distance that is not one."""
    known = laboratory.ask(offsets)
    if not known:
        raise NotApplicable("no class numbers are predicted of earlier tokens of a sequence")
    found = [one for one in known if max(one.matches) >= 0.99]
    if not found or any(one.matches[1] >= 0.9 for one in found):
        return None
    one = found[0]
    far = max(range(len(one.matches)), key=lambda ahead: (one.matches[ahead] >= 0.99, ahead >= 2, -ahead))
    what = f"{far} positions after" if far else "the very token that is"
    return Found(
        f"targets are {what} the last token that their prediction is made from, and not the next one",
        {"distance": far, "matches": list(one.matches), "tokens": one.path},
        "shift once: either the data or the model"
        if far
        else "compare the prediction at a position with the next token",
        confirmed_by=f"{one.matches[far]:.0%} of the targets are the token at distance {far}, and {one.matches[1]:.0%} that at "
        "distance 1",
    )


def _calls(laboratory: Laboratory) -> list[SeenLoss]:
    return [call for one in laboratory.ask(steps) for call in one.calls if call.learns]


def _of_classes(laboratory: Laboratory) -> list[SeenLoss]:
    return [one for one in _calls(laboratory) if one.name in _OF_CLASSES and not one.target.is_floating_point()]


def _kept(call: SeenLoss) -> Tensor:
    return call.target != call.options.get("ignore_index", -100)


def _paddings(specimen: Specimen) -> dict[int, int | None]:
    """The padding token, where there is one, by size of the vocabulary."""
    found: dict[int, int | None] = {}
    for one in specimen.module.modules():
        if isinstance(one, nn.Embedding):
            known = found.get(one.num_embeddings)
            found[one.num_embeddings] = known if known is not None else one.padding_idx
    return found
