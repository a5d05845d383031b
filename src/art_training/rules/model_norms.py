"""Rules on batch norms, dropout and embeddings."""

from collections.abc import Iterable

from art_training.probes.dropouts import drops
from art_training.probes.norms import Norm, norms
from art_training.probes.tokens import paddings
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_RARE = 0.005  # of the tokens of sequences; the rarest of the words that matter are about as rare


@rule(
    "ART320",
    "dropout drops nearly everything",
    category="model",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "A dropout drops at least three quarters: its noise has p / (1 - p), three times, the square of what it is laid over. "
        "More than half of what differs between predictions in training is that noise; and less than half of it where the "
        "share that is kept is dropped instead, or more than 85 % are dropped. A dropout of everything is an error."
    ),
    why="The share was meant that is kept, as other frameworks call it: what is learned drowns in noise.",
    wrong="nn.Dropout(0.9)  # keep 90 %",
    right="nn.Dropout(0.1)",
    source="https://jmlr.org/papers/v15/srivastava14a.html (0.5 for hidden units, 0.2 for inputs)",
)
def drops_too_much(laboratory: Laboratory) -> Found | None:
    """A share mistaken for its complement."""
    found = laboratory.ask(drops)
    if not found.drops:
        raise NotApplicable("the step drops nothing")
    high = [one for one in found.drops if one.p >= 0.75]
    if not high:
        return None
    worst = max(high, key=lambda one: one.p)
    noise, swapped = found.noise, found.swapped
    drowned = noise is not None and swapped is not None and noise > 0.5 and (swapped < 0.5 or worst.p > 0.85)
    return Found(
        f"dropout drops {worst.p:.0%}"
        + (f" in {len(high)} places" if high[1:] else "")
        + (f": {noise:.0%} of what differs between predictions in training is its noise" if noise is not None else ""),
        {"p": [one.p for one in high], "noise": noise, "swapped": swapped},
        f"p is the share that is dropped, not the one that is kept: {1 - worst.p:.2g}",
        where=", ".join(one.module for one in high if one.module),
        confirmed_by=f"where it drops {1 - worst.p:.0%}, {swapped:.0%} of it is noise" if drowned else "",
        severity=Severity.ERROR if worst.p >= 1 else None if drowned else Severity.INFO,
    )


@rule(
    "ART319",
    "dropout on what enters the loss",
    category="model",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds="What a loss of torch is given was made by a dropout, up to views, in training mode.",
    why="Scores are set to 0 at random and the rest is scaled: the loss punishes what the model did not say.",
    wrong="F.cross_entropy(self.dropout(self.head(h)), y)",
    right="F.cross_entropy(self.head(self.dropout(h)), y)",
    source="https://jmlr.org/papers/v15/srivastava14a.html",
)
def drops_scores(laboratory: Laboratory) -> Found | None:
    """A dropout behind the last layer."""
    known = laboratory.ask(drops).drops
    if not known:
        raise NotApplicable("the step drops nothing")
    last = [one for one in known if one.last and one.p > 0]
    if not last:
        return None
    return Found(
        f"a dropout of {last[0].p:.2g} is the last thing before the loss: it sets {last[0].p:.0%} of the predictions to 0",
        {"p": last[0].p},
        "drop in front of the last layer, not behind it",
        where=last[0].module,
    )


@rule(
    "ART321",
    "batch norm over one or two examples",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Batch norms in training mode are given one or two examples at a time. Of two numbers a channel they leave a sign, "
        "which is an error; of more positions of one or two examples the statistics are those of these examples and not of "
        "the data, which evaluation uses: information, since networks learn so, if less well."
    ),
    why="What is normalised in training differs from what is normalised in evaluation, and depends on a single companion.",
    wrong="DataLoader(data, batch_size=2)  # of a model with nn.BatchNorm2d",
    right="nn.GroupNorm(8, channels)  # or larger batches",
    source="https://arxiv.org/abs/1803.08494 (Group Normalization, figure 1)",
)
def few_examples(laboratory: Laboratory) -> Found | None:
    """Statistics of hardly anything."""
    found = [one for one in _norms(laboratory) if one.examples <= 2]
    if not found:
        return None
    fewest = min(one.values for one in found)
    signs = fewest <= 2
    found = [one for one in found if one.values <= 2] if signs else found
    return Found(
        f"{len(found)} batch norms take their statistics of {found[0].examples} example(s) at a time, {fewest} numbers a channel",
        {"norms": len(found), "examples": found[0].examples, "values": fewest},
        "use larger batches, nn.GroupNorm or nn.LayerNorm, or keep batch norms of pretrained weights in evaluation mode; "
        "accumulating gradients does not help",
        where=", ".join(one.name for one in found[:5]),
        confirmed_by="two numbers less their mean, over their deviation, are 1 and -1 whatever they were"
        if signs
        else "",
        severity=None if signs else Severity.INFO,
    )


@rule(
    "ART322",
    "one batch norm for what different layers give",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "A batch norm is called more than once in a step, with what different layers give or with different raw inputs, and "
        "the means of these lie more than half a deviation apart. Its statistics become a mixture of both, so that evaluation "
        "normalises neither. A whole network that is used twice, as a Siamese one or a discriminator is, is not meant."
    ),
    why="In training each stream is normalised by itself, in evaluation by statistics that fit no stream.",
    wrong="torch.cat([self.norm(self.left(a)), self.norm(self.right(b))], 1)",
    right="torch.cat([self.left_norm(self.left(a)), self.right_norm(self.right(b))], 1)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html (running estimates)",
)
def mixed_streams(laboratory: Laboratory) -> Iterable[Found]:
    """Statistics of a mixture."""
    for one in _norms(laboratory):
        # Half a deviation: statistics of one stream lie apart by 1 / sqrt(n) from batch to batch, a quarter for n = 16.
        if one.mixes and one.apart > max(0.5, 4 / one.values**0.5):
            yield Found(
                f"{one.name} normalises {one.calls} streams in a step, whose means lie {one.apart:.2g} deviations apart",
                {"calls": one.calls, "apart": one.apart, "off": one.off},
                "give each stream a batch norm of its own, or use nn.LayerNorm, which keeps no statistics",
                where=one.name,
                confirmed_by=(
                    f"with the statistics that both leave, a stream arrives {one.off:.2g} deviations off 0 in evaluation, and "
                    f"with statistics of its own {one.own:.2g}"
                ),
            )


@rule(
    "ART323",
    "the row for padding is that of a real token",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The token whose embedding is never trained (padding_idx) stands between other tokens, where padding never does, in "
        "more than a tenth of its occurrences; or single ones between others are more than one in two hundred tokens of the sequences without "
        "their padding, as where a word has the number that pads them too. In bags that are told apart by offsets nothing is padding. "
        "Confirmed by the gradient that its row would get."
    ),
    why="A frequent token keeps the embedding 0 and means nothing to the model.",
    wrong="nn.Embedding(vocabulary, 64, padding_idx=0)  # and 0 is 'the'",
    right="nn.Embedding(vocabulary + 1, 64, padding_idx=vocabulary)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html",
    settles=("padding",),
)
def pads_a_token(laboratory: Laboratory) -> Iterable[Found]:
    """A token that is never learned."""
    declared = laboratory.declarations.get("padding")
    known = laboratory.ask(paddings)
    if not known:
        raise NotApplicable("no embedding of sequences has a padding_idx")
    for one in known:
        much = one.inside > 0.1 * one.occurs or one.alone > _RARE * one.span
        if one.index == declared or not much or one.inside < 5:
            continue
        yield Found(
            f"{one.module} never trains the row of token {one.index}, which makes up {one.occurs / one.tokens:.1%} of all tokens "
            f"and stands between others in {one.inside / one.occurs:.0%} of its occurrences",
            {
                "index": one.index,
                "occurs": one.occurs,
                "inside": one.inside,
                "alone": one.alone,
                "span": one.span,
                "tokens": one.tokens,
            },
            "give padding a number of its own and name that one as padding_idx; or declare padding=... where it is padding",
            where=one.module,
            confirmed_by=(
                f"its row gets a gradient of {one.gradient:.2g}, and without padding_idx of {one.otherwise:.2g}"
                if one.otherwise > 0
                else ""
            ),
        )


def _norms(laboratory: Laboratory) -> tuple[Norm, ...]:
    found = laboratory.ask(norms)
    if not found:
        raise NotApplicable("no batch norm of the model trains")
    return found
