"""Rules on what a loss adds up: how much each class counts, and what is added to it."""

import numpy as np
import torch
from torch import Tensor

from art_training.probes.other_terms import other_terms
from art_training.probes.rows import Rows
from art_training.probes.step_losses import SeenLoss, steps
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule

_OF_CLASSES = {"cross_entropy", "nll_loss"}


@rule(
    "ART440",
    "class weights against the frequencies",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "The weights of cross_entropy follow the frequencies of the classes (correlation of the logarithms above 0.95, and a "
        "slope between 0.4 and 2.5), where they should make up for them; or they are 1 / frequency (within 10 %), in another "
        "order than the classes; or pos_weight is positives / negatives where it is negatives / positives that makes up. "
        "Two classes are judged with a slope between 0.8 and 1.25 only. Frequencies must differ by half."
    ),
    why="The frequent class counts even more, and the rare one is not learned at all.",
    wrong="weight = counts / counts.sum()",
    right="weight = counts.sum() / (len(counts) * counts)",
    source="https://discuss.pytorch.org/t/weight-in-cross-entropy-loss/78256",
)
def weights_against(laboratory: Laboratory) -> Found | None:
    """Weights that make an imbalance worse."""
    weighed = [
        one
        for one in _calls(laboratory)
        if {"weight", "pos_weight"} & {k for k, v in one.options.items() if isinstance(v, Tensor)}
    ]
    if not weighed:
        raise NotApplicable("no loss weighs its classes")
    for call in weighed:
        weight, positive = call.options.get("weight"), call.options.get("pos_weight")
        if call.name in _OF_CLASSES and isinstance(weight, Tensor) and not call.target.is_floating_point():
            counts = _counts(laboratory, len(weight))
            if counts is not None:
                return _weights(np.asarray(weight.double().cpu()), counts, call)
        if isinstance(positive, Tensor) and positive.numel() == 1:
            counts = _negatives_and_positives(laboratory, call.name)
            if counts is not None:
                return _weights(np.array([1.0, float(positive)]), counts, call)
    return None


@rule(
    "ART442",
    "label smoothing takes most of the label",
    category="loss",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds="label_smoothing is above 0.5: more of each target is spread over all classes than is left to its own.",
    why="The best prediction is nearly uniform, and gradients towards the right class are smaller than those away from it.",
    wrong="nn.CrossEntropyLoss(label_smoothing=0.9)",
    right="nn.CrossEntropyLoss(label_smoothing=0.1)",
    source="https://arxiv.org/abs/1512.00567 (Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2016: 0.1)",
)
def smoothed_away(laboratory: Laboratory) -> Found | None:
    """A target that is hardly there."""
    smoothed = [one for one in _calls(laboratory) if one.options.get("label_smoothing")]
    if not smoothed:
        raise NotApplicable("no loss smooths its labels")
    for call in smoothed:
        smoothing = call.options.get("label_smoothing", 0.0)
        if isinstance(smoothing, float) and smoothing > 0.5:
            classes = call.prediction.shape[1] if call.prediction.ndim > 1 else 1
            own = 1 - smoothing + smoothing / classes
            return Found(
                f"label_smoothing={smoothing:g} leaves {own:.2g} of each target to its own class",
                {"label_smoothing": smoothing, "classes": classes, "own": own},
                "use about 0.1",
                where=call.where,
                confirmed_by=f"the true class has {own:.2g} of the target, and all others together {1 - own:.2g}",
            )
    return None


@rule(
    "ART443",
    "soft targets do not sum to one",
    category="loss",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "cross_entropy is given a target of numbers for each class, and in some example they are negative or sum to neither 0 "
        "nor 1, by more than 0.02."
    ),
    why="Examples count by the sum of their target, and several labels at once want a sigmoid for each and not a softmax.",
    wrong="F.cross_entropy(logits, multi_hot)",
    right="F.binary_cross_entropy_with_logits(logits, multi_hot)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (target: class probabilities)",
)
def not_normalised(laboratory: Laboratory) -> Found | None:
    """Targets that are no probabilities."""
    soft = [one for one in _calls(laboratory) if one.name == "cross_entropy" and one.target.is_floating_point()]
    if not soft:
        raise NotApplicable("no cross_entropy is given probabilities as targets")
    for call in soft:
        axis = 1 if call.target.ndim > 1 else 0
        sums = call.target.double().sum(axis)
        wrong = ((sums - 1).abs() > 0.02) & (sums.abs() > 0.02) | (call.target < 0).any(axis)
        if bool(wrong.any()):
            return Found(
                f"targets of {int(wrong.sum())} of {wrong.numel()} examples do not sum to 1 but to {float(sums.min()):.3g}.."
                f"{float(sums.max()):.3g}",
                {
                    "examples": int(wrong.sum()),
                    "of": wrong.numel(),
                    "smallest": float(sums.min()),
                    "largest": float(sums.max()),
                },
                "divide targets by their sum; for several labels at once use binary_cross_entropy_with_logits",
                where=call.where,
                confirmed_by=f"summed over classes, targets give {float(sums.min()):.3g} to {float(sums.max()):.3g}",
            )
    return None


@rule(
    "ART450",
    "what is added to the loss leaves nothing to be learned",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "One batch is learned twice from the same weights: by the loss of the step, and by the part of it that compares "
        "predictions with targets. The former comes no lower than the best constant prediction (within 3 %), the latter at "
        "least 20 % below it. An error where what is added is a function of the weights alone; else information, since a bound such as that of "
        "a variational autoencoder may want more steps than a batch is given."
    ),
    why="A regulariser or a second term that is too strong keeps the model at a constant: it does not overfit, nor learn.",
    wrong="loss = F.cross_entropy(logits, y) + 10 * sum(p.abs().sum() for p in self.parameters())",
    right="loss = F.cross_entropy(logits, y) + 1e-5 * sum(p.abs().sum() for p in self.parameters())",
    source="https://doi.org/10.1145/3377811.3380395 (Humbatova et al., 2020: regularisation); Zhang et al., AUTOTRAINER, 2021",
    symptoms=("ART405", "ART455"),
)
def swamped(laboratory: Laboratory) -> Found | None:
    """A term that swamps the others."""
    found = laboratory.ask(other_terms)
    if found is None:
        raise NotApplicable("the step does not add something to one loss that compares")
    if not found.swamps:
        return None
    return Found(
        f"with what is added to it, {found.name} of one batch falls to {found.together:.4g}, which a constant gives "
        f"({found.constant:.4g}); alone it falls to {found.alone:.4g}",
        {
            "together": found.together,
            "alone": found.alone,
            "constant": found.constant,
            "added": found.added,
            "first": found.first,
        },
        "make what is added smaller by a factor of ten or more, until the loss falls below that of a constant",
        confirmed_by=f"without it {found.name} of one batch falls to {found.alone:.3g}, and with it to {found.together:.3g}",
        severity=None if found.of_weights else Severity.INFO,
    )


@rule(
    "ART451",
    "a variance is used as a standard deviation",
    category="loss",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Noise is multiplied with exp(h), and exp(h) of the same h is a term of the loss of its own, as the variance is in the "
        "divergence of a Gaussian. The graph of the loss shows both."
    ),
    why="What is sampled has another spread than the one that the divergence is computed of: the bound is none.",
    wrong="z = mu + torch.exp(logvar) * noise",
    right="z = mu + torch.exp(0.5 * logvar) * noise",
    source="https://arxiv.org/abs/1312.6114 (Kingma and Welling, Auto-Encoding Variational Bayes, 2014: appendix B)",
)
def variance_for_deviation(laboratory: Laboratory) -> Found | None:
    """A half that is missing in an exponent."""
    if not any(one.deviation_is_variance for one in laboratory.ask(steps)):
        return None
    return Found(
        "noise is multiplied with exp(h), and the loss takes exp(h) of the same h for its variance",
        {"batches": len(laboratory.ask(steps))},
        "multiply noise with exp(0.5 * logvar), or use exp(2 * logstd) in the divergence",
        confirmed_by="in the graph of the loss one tensor's exponential is both the factor of the noise and a term of the sum",
    )


def _calls(laboratory: Laboratory) -> list[SeenLoss]:
    return [call for one in laboratory.ask(steps) for call in one.calls if call.learns]


def _of_classes(laboratory: Laboratory) -> list[SeenLoss]:
    return [one for one in _calls(laboratory) if one.name in _OF_CLASSES and not one.target.is_floating_point()]


def _kept(call: SeenLoss) -> Tensor:
    return call.target != call.options.get("ignore_index", -100)


def _counts(laboratory: Laboratory, classes: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None":
    """How often each class is the target in training."""
    try:
        labels = laboratory.get(Rows).splits[Split.TRAIN].labels
    except (NotMeasured, KeyError):
        labels = None
    if labels is None:
        targets = [call.target[_kept(call)].reshape(-1) for call in _of_classes(laboratory)]
        labels = torch.cat(targets).cpu().numpy() if targets else None
    if (
        labels is None
        or labels.dtype.kind not in "iub"
        or len(labels) < 50
        or labels.min() < 0
        or labels.max() >= classes
    ):
        return None
    return np.bincount(labels.astype(np.int64), minlength=classes).astype(np.float64)


def _negatives_and_positives(
    laboratory: Laboratory, name: str
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None":
    """How many targets are 0 and 1; None where which of them are more may be chance.

    At two and a half standard errors, what would be found if it were the other way round is five away.
    """
    seen = [one.target.reshape(-1) for one in _calls(laboratory) if one.name == name]
    targets = torch.cat(seen).double().cpu().numpy()
    counts = np.array([(1 - targets).sum(), targets.sum()])
    if counts.min() <= 0 or abs(np.log(counts[1] / counts[0])) < 2.5 * np.sqrt((1 / counts).sum()):
        return None
    return counts


def _weights(
    weight: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    counts: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    call: SeenLoss,
) -> Found | None:
    there = (counts > 0) & (weight > 0)
    weight, counts = weight[there], counts[there]
    if len(weight) < 2 or counts.max() < 1.5 * counts.min() or weight.max() < 1.2 * weight.min():
        return None
    logs, frequencies = np.log(weight), np.log(counts)
    slope, together = _line(frequencies, logs)
    sorted_slope, sorted_together = _line(np.sort(-frequencies), np.sort(logs))
    inverted = together > 0.95 and (0.8 < slope < 1.25 if len(weight) == 2 else 0.4 < slope < 2.5)
    mixed = len(weight) > 2 and sorted_together > 0.995 and 0.9 < sorted_slope < 1.1 and together > -0.5
    if not inverted and not mixed:
        return None
    rare = int(counts.argmin())
    shares = weight * counts / (weight * counts).sum()
    what = (
        "follow the frequencies of the classes" if inverted else "are 1 / frequency in another order than the classes"
    )
    return Found(
        f"the weights of {call.name} {what}: the rarest class, {counts[rare] / counts.sum():.1%} of the labels, has "
        f"{shares[rare]:.1%} of the loss",
        {"slope": slope, "correlation": together, "weights": weight.tolist(), "counts": counts.tolist()},
        "use 1 / frequency, in the order of the class numbers (negatives / positives for pos_weight)",
        where=call.where,
        confirmed_by=f"with weights of 1 / frequency the rarest class has {1 / len(weight):.1%} of the loss, and as it is "
        f"{shares[rare]:.2%}",
    )


def _line(
    x: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", y: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
) -> tuple[float, float]:
    """Slope and correlation."""
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / (x @ x)), float(x @ y / np.sqrt((x @ x) * (y @ y)))
