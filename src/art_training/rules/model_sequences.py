"""Rules on what a model makes of sequences, by what is declared of them or can be told."""

from art_training.probes.filled import recurs
from art_training.probes.padding import padding
from art_training.probes.sequences import padded, reordered
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.padded import padding_of
from art_training.rules.rule import Found, Stage, rule

_SEES = 1e-4  # of how much predictions differ: single precision leaves 1e-6
_HARMS = (
    0.05  # likewise; what is forgotten within the padding that there is moves predictions by as much as they differ
)
_ADDS = 0.1**0.5  # deviations; what it moves by is added to the variance as its square
_SLIGHT = 0.01  # deviations
_FORGETS = 0.5  # of what predictions of sequences that are half padding would differ by
_ENDS = 20.0  # times less, where it is masked, than as it is: masks would be the remedy


@rule(
    "ART313",
    "padding changes predictions",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Cutting the padding off the end of a batch of shorter sequences moves their predictions by more than single precision does. "
        "An error where the padding is declared. It is inferred where a mask or lengths in the batch say it, where the user's own "
        "collation makes rows as long as the longest of their batch, or where one value stands at the end of rows alone and an embedding's "
        "padding_idx, a name or the code of the data calls it padding. Then it is a warning where leaving padding out of attention and "
        "means over positions ends it, and it is a move of a hundredth of a deviation or more; or where it adds a tenth to the variance "
        "of predictions (0.32 deviations, by the mean square); information below that and where a recurrence reads the sequences, which "
        "ART338 judges."
    ),
    why="A prediction depends on how long the longest other sequence of the batch is.",
    wrong="h = self.words(x).mean(1)",
    right="h = (self.words(x) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html",
)
def padding_counts(laboratory: Laboratory) -> Found | None:
    """Something made of nothing."""
    known = padding_of(laboratory)
    if known is None:
        raise NotApplicable("padding is not declared, and nothing in the batches tells it beyond doubt")
    if not known.at_end:
        raise NotApplicable("padding stands before the sequences")
    found = laboratory.ask(padded(float(known.token), known.path))
    if found is None:
        kind = NotApplicable if known.told_by else NotMeasured  # what nobody declared leaves no question open
        raise kind("the first batch has no sequences whose padding can be cut off, or the model takes no shorter ones")
    if not found.share > max(_SEES, 10 * found.noise):
        return None
    masked = found.left_out is not None and found.left_out < max(_SEES, found.share / _ENDS)
    harms = not known.told_by or (masked and found.share > _SLIGHT) or found.usual > _ADDS
    harms = harms and not (known.told_by and laboratory.ask(recurs))
    told = Severity.WARNING if known.told_by else None
    return Found(
        f"cutting padding off {found.examples} sequences moves their predictions by up to {found.share:.2g} of how much they "
        f"differ{known.inferred}",
        {
            "moved": found.share,
            "usual": found.usual,
            "noise": found.noise,
            "examples": found.examples,
            "padding": known.token,
            "told by": known.told_by,
        },
        "mask padding: key_padding_mask in attention, pack_padded_sequence in recurrent layers, means over real positions",
        confirmed_by=f"with padding left out of attention and means over positions it moves them by {found.left_out:.2g}"
        if masked
        else f"uncut they differ by {found.noise:.2g} from one pass to the next",
        severity=told if harms else Severity.INFO,
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


@rule(
    "ART338",
    "a recurrence runs on through padding",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "An entry of the batch holds the lengths of sequences, or a mask of them: behind these ends stands one value alone, in every sequence. "
        "A recurrent layer is given the whole of them, one thing is predicted of each, and it moves by more than a twentieth of how much "
        "predictions differ when the sequences are padded further by as much as the shortest already is. Confirmed where the same padding "
        "moves nothing once the recurrence stops at each end. Where no entry tells the ends and padding is inferred as for ART313, a warning "
        "where predictions of sequences that are padded by half or more differ half as much as if it stopped, or less; else information, "
        "as where the lengths are used for something."
    ),
    why=(
        "The state that is read is the one after the padding, which forgets the sequence by as much as there is of it: short "
        "sequences look alike, and predictions change with the longest one of the batch."
    ),
    wrong="states, _ = self.gru(x); self.head(states[:, -1])",
    right="_, last = self.gru(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)); self.head(last[-1])",
    source="https://discuss.pytorch.org/t/how-to-get-the-last-hidden-state-of-padded-sequences/14064",
    symptoms=("ART313", "ART421"),
)
def runs_on(laboratory: Laboratory) -> Found | None:
    """A state that is read too late."""
    found = laboratory.ask(padding)
    if found is None:
        raise NotApplicable("no recurrent layer reads padded sequences whose lengths are known, one prediction each")
    if not found.moved > max(_HARMS, 100 * found.noise):
        return None
    known = found.told_by and not found.used
    stops = found.held is not None and found.held < max(_SEES, found.moved / 100)
    forgets = not found.told_by and stops and found.kept is not None and found.kept < _FORGETS
    ends = f"batch[{found.told_by}] is not used" if known else f"{found.shares:.0%} of the positions are padding"
    if found.inferred:
        ends += f" ({found.inferred})"
    stopped = f"where the recurrence stops at the end of each sequence they move by {found.held:.2g}" if stops else ""
    if forgets:
        stopped += f", and of what those that are half padding differ by then {found.kept:.0%} is left as it is"
    return Found(
        f"{found.layer} reads batch[{found.entry}] to the end of its padding, {ends}, and {found.positions} more positions of padding "
        f"move predictions by {found.moved:.2g} of how much they differ",
        {"moved": found.moved, "noise": found.noise, "held": found.held, "kept": found.kept, "padding": found.shares, "positions": found.positions},
        "read the state at each sequence's own last position: pack_padded_sequence, or states[torch.arange(len(x)), lengths - 1]",
        where=found.layer,
        confirmed_by=stopped,
        severity=None if known and stops else Severity.WARNING if known or forgets else Severity.INFO,
    )  # fmt: skip
