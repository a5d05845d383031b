"""Rules on objectives without targets: of pairs, whose relation is to be learned, and of inputs that are to be given again."""

from collections.abc import Iterable

from art_training.probes.codes import Carried, carried
from art_training.probes.pairs import Pairing, pairing, shuffled
from art_training.records import Severity
from art_training.rules.laboratory import Laboratory, NotApplicable
from art_training.rules.rule import Found, Stage, rule

_NEARLY_ALL = 0.9  # of the rows: a positive that is drawn from a small class is its anchor now and then
_MUCH = 0.1


@rule(
    "ART452",
    "pairs are learned alike whether they belong together or not",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Of an objective on pairs, learned twice from the same weights: with the pairs as they are, and exchanged among the examples anew at "
        "every step. The loss of the latter comes as low, give or take 10 % of what it fell (and, where it is never negative, to 10 % of "
        "what it was), and is no higher where all examples have the mean representation. Where a gradient is stopped on one side, as "
        "by detach or a slower copy, a constant may meet the loss and not be reached: that is not judged."
    ),
    why=(
        "Nothing keeps representations of different examples apart: the loss falls to its floor while they all become one, or "
        "shrink to nothing, and they are of no use to any later task."
    ),
    wrong="loss = -F.cosine_similarity(net(a), net(b)).mean()",
    right="loss = -F.cosine_similarity(predictor(net(a)), net(b).detach()).mean()",
    source="https://arxiv.org/abs/2011.10566 (Chen and He, Exploring Simple Siamese Representation Learning, 2021: figure 2)",
    trains=True,
)
def collapses(laboratory: Laboratory) -> Found | None:
    """An objective that a constant meets."""
    found = _paired(laboratory)
    if found.stops:
        raise NotApplicable("a gradient is kept from one side of the pairs")
    seen = laboratory.ask(shuffled)
    if seen is None or not seen.needless:
        return None
    label = f"; batch[{found.label}] is {found.value:g} in every pair" if found.label else ""
    return Found(
        f"the loss falls from {seen.shuffled:.3g} to {seen.met:.3g} while {_sides(found)} are exchanged among the examples at every "
        f"step, and from {seen.paired:.3g} to {seen.learned:.3g} with the pairs as they are: one representation for all examples "
        f"meets it ({seen.constant:.3g}){label}",
        {
            "paired": seen.learned, "exchanged": seen.met, "exchanged before": seen.shuffled, "constant": seen.constant,
            "spread before": seen.spread, "spread after": seen.after, "steps": seen.steps,
        },
        "let something keep examples apart: negatives with a margin above 0 or in a cross entropy over the batch, a term on the variance, "
        "or a predictor and a stopped gradient on one side",
        confirmed_by=(
            f"{seen.steps} steps on exchanged pairs left a loss of {seen.met:.3g}, as many on pairs {seen.learned:.3g}; the latter took "
            f"the distance of different examples from {seen.spread:.2g} of their size to {seen.after:.2g}"
        ),
    )  # fmt: skip


@rule(
    "ART141",
    "pairs do not differ",
    category="data",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Two entries of a batch that pass the same layers are equal in at least 90 % of the rows, and the loss has nothing random that "
        "would make two of them, as dropout does; or a module gives the same twice in one step, and the loss changes when what it gave the "
        "second time is exchanged among the examples. Or an entry that only the loss of such pairs follows, and that says what the two are "
        "to each other (exchanging them does nothing, or what another value does), has one value in all batches that were looked at, "
        "and in 512 rows from all over the dataset. Targets that are a part of a sequence of the batch make it no loss of pairs."
    ),
    why=(
        "A view that is a copy has nothing to be invariant to, a positive that is its anchor is always near, a negative that is the "
        "positive can never be far; and pairs of one kind are told apart by nothing."
    ),
    wrong="view = augment(image); return view, view",
    right="return augment(image), augment(image)",
    source="https://arxiv.org/abs/2002.05709 (Chen et al., A Simple Framework for Contrastive Learning, 2020: section 3.1)",
    symptoms=("ART413", "ART452"),
)
def copies(laboratory: Laboratory) -> Iterable[Found]:
    """Two sides that are one."""
    found = _paired(laboratory)
    if found.same >= _NEARLY_ALL and not found.drawn and (found.first or not found.stops):
        count = round(found.same * found.rows)
        what = (
            f"batch[{found.first}] and batch[{found.second}] are equal in {count} of {found.rows} rows"
            if found.first
            else f"{found.second} is called for both sides of a pair and gives the same in {count} of {found.rows} rows"
        )
        yield Found(
            f"{what}: the two sides of a pair do not differ",
            {"same": found.same, "rows": found.rows},
            "draw each side anew: call the random transform for each, and draw a positive and a negative that are other rows than the "
            "anchor",
            where=found.second,
            confirmed_by=f"compared row by row as they enter the model, {count} of {found.rows} pairs are one thing twice; the loss has "
            "no random part that would tell them apart",
        )
    if found.label:
        yield Found(
            f"batch[{found.label}], which the loss of pairs follows, is {found.value:g} in all of {found.rows} pairs",
            {"value": found.value, "rows": found.rows},
            "draw pairs of both kinds, in one batch: some that belong together and some that do not",
            where=found.label,
            confirmed_by=f"read from {found.rows} pairs as they enter the step; another value changes the loss",
        )


@rule(
    "ART334",
    "what is reconstructed does not follow the input",
    category="model",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The only loss that compares has the model's own input for its target, and predictions do not change when inputs are exchanged "
        "among the examples, to single precision, on weights that were moved a little. An error too where they change at first, and after "
        "300 steps of Adam on the loss of the step, or on the loss that compares alone, by less than 5 % of what the inputs do, and the "
        "derivative of what is given by the input is exactly zero: the code is cut off from what it is for."
    ),
    why="The code carries nothing: the mean of the data is given for every example, and the loss still falls until it is reached.",
    wrong="z = torch.randn_like(mu); loss = F.mse_loss(self.decoder(z), x)",
    right="z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu); loss = F.mse_loss(self.decoder(z), x, reduction='sum') / len(x) + kl",
    source="https://arxiv.org/abs/1911.02469 (Lucas et al., Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse, 2019)",
    symptoms=("ART405", "ART450"),
    trains=True,
)
def carries_nothing(laboratory: Laboratory) -> Found | None:
    """A code without content."""
    found = laboratory.ask(carried)
    if found is None:
        raise NotApplicable("the step does not compare what it computes with its own input, or optimises by itself")
    evidence = {
        "begun": found.begun,
        "middle": found.middle,
        "after": found.after,
        "alone": found.alone,
        "steps": found.steps,
    }
    if found.never:
        return Found(
            f"exchanging batch[{found.path}] among the examples changes what is given for them by {found.begun:.1g} of what the inputs "
            f"change: {found.name} compares with an input that its prediction does not follow",
            evidence,
            "let the decoder be given the code of its own example: mu + std * noise, not noise alone, zeros, or a mean over the batch",
            confirmed_by=f"the same weights and the same random draws gave the same for other inputs, to {found.begun:.1g}",
        )
    if found.cut and found.after <= _MUCH / 2:
        return _cut(found, evidence)
    return None


def _cut(found: Carried, evidence: dict[str, float | int | None]) -> Found:
    with_all = f", and where nothing is detached to {found.whole:.2g}" if found.whole is not None else ""
    return Found(
        f"{found.name} has no gradient by batch[{found.path}], which it gives again: after {found.steps} steps exchanging that among the "
        f"examples changes what is given for them by {found.after:.2g} of what the inputs change",
        {**evidence, "whole": found.whole},
        "look for detach, no_grad, .data, numpy, or sample() in place of rsample(), between the encoder and the decoder",
        where=found.where,
        confirmed_by=f"the derivative of what is given by the input is exactly zero; {found.steps} steps lead to {found.after:.2g}{with_all}",
    )


def _paired(laboratory: Laboratory) -> Pairing:
    found = laboratory.ask(pairing)
    if found is None:
        raise NotApplicable("the loss is none of pairs, or learns from targets")
    return found


def _sides(found: Pairing) -> str:
    return f"rows of batch[{found.second}]" if found.first else f"what {found.second} gives for the other side"
