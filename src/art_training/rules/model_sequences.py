"""Rules on what a model makes of sequences, by what is declared of them."""

from typing import Any

from art_training.probes.sequences import padded, reordered
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_SEES = 1e-4  # of how much predictions differ: single precision leaves 1e-6


@rule(
    "ART313",
    "padding changes predictions",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The padding is declared, and cutting it off the end of a batch of shorter sequences moves their predictions by more "
        "than single precision does."
    ),
    why="A prediction depends on how long the longest other sequence of the batch is.",
    wrong="h = self.words(x).mean(1)",
    right="h = (self.words(x) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html",
)
def padding_counts(laboratory: Laboratory) -> Found | None:
    """Something made of nothing."""
    token: Any = laboratory.declarations.get("padding")
    if not isinstance(token, int | float) or isinstance(token, bool):
        raise NotApplicable("padding is not declared")
    found = laboratory.ask(padded(float(token)))
    if found is None:
        raise NotMeasured("the first batch has no sequences that can be cut")
    if not found.share > max(_SEES, 10 * found.noise):
        return None
    return Found(
        f"cutting padding off {found.examples} sequences moves their predictions by up to {found.share:.2g} of how much they differ",
        {"moved": found.share, "noise": found.noise, "examples": found.examples},
        "mask padding: key_padding_mask in attention, pack_padded_sequence in recurrent layers, means over real positions",
        confirmed_by=f"uncut they differ by {found.noise:.2g} from one pass to the next",
    )


@rule(
    "ART327",
    "order counts where it must not, or does not where it must",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "unordered= is declared, and turning sequences round moves predictions where it is True, or leaves them as they are "
        "where it is False, up to single precision."
    ),
    why="A set that is read as a sequence is learned in one order only; a sequence that is read as a set has lost its order.",
    wrong="nn.TransformerEncoder(...)(self.words(x)).mean(1)  # and unordered=False",
    right="nn.TransformerEncoder(...)(self.words(x) + self.positions(places)).mean(1)",
    source="https://arxiv.org/abs/1703.06114 (Deep Sets)",
)
def order_counts(laboratory: Laboratory) -> Found | None:
    """What is declared against what is."""
    unordered = laboratory.declarations.get("unordered")
    if unordered is None:
        raise NotApplicable("unordered is not declared")
    found = laboratory.ask(reordered)
    if found is None:
        raise NotMeasured("the first batch has no sequences of which one thing is predicted")
    counts = found.share > max(_SEES, 10 * found.noise)
    if counts is not bool(unordered):
        return None
    return Found(
        f"turning sequences round moves predictions by {found.share:.2g} of how much they differ, and unordered={unordered} is declared",
        {"moved": found.share, "noise": found.noise},
        "pool over positions and leave out what numbers them"
        if unordered
        else "add positions to what enters the model",
        confirmed_by=f"without a change they differ by {found.noise:.2g}",
    )
