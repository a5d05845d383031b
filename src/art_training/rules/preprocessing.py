"""Rules on what is done to inputs and targets before a model sees them."""

import math

import numpy as np

from art_training.probes.distributions import Difference, difference
from art_training.probes.entrance import Entrance
from art_training.probes.evaluation import Evaluation
from art_training.probes.rescaled import planned, rescaled
from art_training.probes.rows import Rows
from art_training.probes.smoothness import smoothness
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured, require_validation
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.data.batch import entries, rows, size
from art_training.setup.data.hashing import row_hashes
from art_training.setup.task import TaskKind

_LARGE, _VERY_LARGE = 4.0, 20.0
_UNEVEN = 20.0
_PART = 0.25
_SCALE = 3.0  # splits of one population differ by sampling alone, which 16 rows keep within a factor of two
_SHIFT = 6.0
_COMMON = 0.1
_SMOOTH = 0.3
_SMOOTHER = 0.15


@rule(
    "ART210",
    "inputs on a scale that training cannot use",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "Inputs are large (a root mean square above 4), or some features of a table are more than 20 times as wide as a usual "
        "one, and it matters: over 40 steps of the user's own optimiser on the first batches the loss does not get below what a "
        "fresh model has on standardised inputs (0.9 of it), and with standardised inputs it falls to 0.8 or less. A model that "
        "learns, but begins with five times the loss that it has on standardised inputs, is told as WARNING where the root mean "
        "square is above 20. Models that normalise by themselves are no finding: they are not helped."
    ),
    why=(
        "Layers are initialised for inputs of about deviation 1. With others the first outputs and gradients are as many times "
        "too large: units die, and the learning rate that would be right is another one for each layer."
    ),
    wrong="x = torch.tensor(images, dtype=torch.float32)  # 0..255",
    right="x = torch.tensor(images, dtype=torch.float32) / 255",
    source="https://doi.org/10.1007/978-3-642-35289-8_3 (LeCun et al., Efficient BackProp, 4.3)",
    symptoms=("ART317", "ART318", "ART405", "ART521", "ART523", "ART911", "ART912"),
)
def input_scale(laboratory: Laboratory) -> Found | None:
    """Inputs that the user's training cannot use, and could if they were standardised."""
    kinds = [one for one in TaskKind if one not in {TaskKind.RECONSTRUCTION, TaskKind.OTHER}]
    task, table = laboratory.task_of(*kinds), laboratory.get(Rows).splits.get(Split.TRAIN)
    if table is not None and table.integral:
        raise NotApplicable("the inputs are whole numbers")
    if table is None or table.values is None or not np.isfinite(table.values).all():
        raise NotMeasured("the inputs are no finite numbers of one shape, or too many to be kept")
    size_ = float(np.sqrt(np.mean(table.values.astype(np.float64) ** 2)))
    widths = table.values.std(0) if len(table.shape) == 1 else np.ones(1)
    uneven = float(widths.max() / max(1e-12, float(np.median(widths[widths > 0])))) if (widths > 0).any() else 1.0
    if size_ <= _LARGE and (uneven <= _UNEVEN or size_ <= 1):
        return None
    found = laboratory.ask(rescaled(task.inputs))
    if found is None:
        return None
    chance, after = found.standard.first, found.standard.last
    stuck = found.as_it_is.last >= 0.9 * chance and after <= 0.8 * chance
    far = task.kind is TaskKind.CLASSIFICATION and size_ > _VERY_LARGE and found.as_it_is.first > 5 * chance
    if not (stuck or far):
        return None
    return Found(
        f"inputs have a mean of {found.mean:.3g} and a deviation of {found.deviation:.3g}, the largest is {found.largest:.3g}: the "
        f"loss of a fresh model is {found.as_it_is.first:.3g}, and on standardised inputs {chance:.3g}",
        {
            "mean": found.mean, "deviation": found.deviation, "largest": found.largest, "uneven": uneven,
            "first": found.as_it_is.first, "last": found.as_it_is.last, "standard_first": chance, "standard_last": after,
        },
        "standardise the inputs with mean and deviation of the training split, or divide bytes by 255",
        where=", ".join(f"batch[{one}]" for one in task.inputs),
        confirmed_by=(
            f"with standardised inputs the loss came to {after:.3g} in {found.standard.steps} steps, and with these to {found.as_it_is.last:.3g}"
            if stuck
            else f"standardised, the loss of a fresh model falls from {found.as_it_is.first:.3g} to {chance:.3g}"
        ),
        severity=None if stuck else Severity.WARNING,
    )  # fmt: skip


@rule(
    "ART216",
    "targets far from what a fresh model gives",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "40 steps of the user's optimiser leave the loss of a regression above three times what the mean as a constant prediction "
        "has, while with standardised targets they come below it. A training that would get there is no finding: outputs of a network move with about the "
        "third power of the steps at most, and by that law half of the planned steps must not be enough, or twice as many where the mean is "
        "less than three deviations away."
    ),
    why="All of the training goes into reaching the mean; what tells one row from another comes last, or never.",
    wrong="loss = F.mse_loss(self.net(x), price)  # around 50000",
    right="loss = F.mse_loss(self.net(x), (price - mean) / std)",
    source="https://karpathy.github.io/2019/04/25/recipe/ (init well)",
    symptoms=("ART405", "ART521", "ART522", "ART523"),
)
def target_scale(laboratory: Laboratory) -> Found | None:
    """A mean that the output cannot reach."""
    task, plan = laboratory.task_of(TaskKind.REGRESSION), laboratory.ask(planned)
    if task.target is None:
        raise NotMeasured("the target is not known")
    if (
        task.loss not in {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
        or task.loss_options.get("reduction") == "sum"
    ):
        raise NotApplicable("the loss is no mean of distances")
    rows_ = laboratory.get(Rows).splits.get(Split.TRAIN)
    if rows_ is None or rows_.labels is None or not np.isfinite(rows_.labels).all() or not rows_.labels.std() > 0:
        raise NotMeasured("the targets of training are not one finite number a row, or all the same")
    mean, deviation = float(rows_.labels.mean()), float(rows_.labels.std())
    if abs(mean) <= deviation:  # what begins near 0 then has less than three times that loss before any step
        return None
    found = laboratory.ask(rescaled((task.target,)))
    if found is None:
        return None
    unit, power = (deviation**2, 0.5) if task.loss == "mse_loss" else (deviation, 1.0)
    last, first = found.as_it_is.last, found.as_it_is.first
    if last <= 3 * unit or found.standard.last >= 1:
        return None
    moved = first**power - last**power if np.isfinite(last) else 0.0
    needed = found.as_it_is.steps * (first**power / moved) ** (1 / 3) if moved > 0 else np.inf
    # Where the mean is near, and most of the way is made early, the law must be far from wrong.
    if plan is None or needed <= plan * (0.5 if abs(mean) > 3 * deviation else 2):
        return None
    return Found(
        f"targets have a mean of {mean:.4g} and a deviation of {deviation:.4g}: the loss of a fresh model is {first / unit:.3g} times "
        "that of the mean as a constant prediction",
        {
            "mean": mean,
            "deviation": deviation,
            "first": first,
            "last": last,
            "standard_last": found.standard.last,
            "steps": plan,
        },
        "standardise the targets with mean and deviation of the training split, or begin with the mean as the bias of the head",
        where=f"batch[{task.target}]",
        confirmed_by=(
            f"with standardised targets the loss came to {found.standard.last:.3g} of a constant prediction's in "
            f"{found.standard.steps} steps, and with these to {last / unit:.3g}"
        ),
    )


@rule(
    "ART211",
    "training and validation are prepared differently",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.TRAIN,
    finds=(
        "What enters the first layer in validation is on another scale than in training: the deviation of a typical feature is "
        "less than a third or more than three times as large, or its mean lies more than six deviations away; or, where inputs "
        "have few different values as pixels do, fewer than one in ten numbers of either occurs in the other between the ends that both reach, which one "
        "transform of different rows cannot do. Inputs that are dropped out in training are left out; so is a narrower validation where more than "
        "a quarter of the training rows are like its rows, by their mean and deviation, as where training holds another domain too."
    ),
    why="The model is asked about inputs of a kind that it has not seen; its score says nothing about the model.",
    wrong="train = Compose([ToTensor(), Normalize(mean, std)]); valid = ToTensor()",
    right="valid = Compose([ToTensor(), Normalize(mean, std)])",
    source="https://research.google/pubs/pub46555/ (Breck et al., The ML Test Score: training/serving skew)",
    watches=(Entrance,),
)
def prepared_differently(laboratory: Laboratory) -> Found | None:
    """Another scale in validation."""
    entrance = laboratory.get(Entrance)
    if not entrance.validation:
        require_validation(laboratory)
        if entrance.layer and not entrance.training:
            raise NotApplicable(f"what enters {entrance.layer}, the first layer, is no table of numbers")
        raise NotMeasured("no validation ran, or its first layer is another")
    found = difference(entrance.training, entrance.validation)
    if found is None:
        return None
    apart = found.common is not None and found.common < _COMMON and not _dropped(found)
    part = found.scale < 1 and found.alike > _PART  # training holds such rows, and others beside them
    if not apart and found.shift <= _SHIFT and (part or 1 / _SCALE <= found.scale <= _SCALE):
        return None
    confirmed = ""
    if found.aligned < found.distance / 2:
        confirmed = (
            f"scaled and shifted as a whole to the mean and deviation of training, validation's quantiles are "
            f"{found.aligned:.2g} deviations off instead of {found.distance:.2g}"
        )
    elif apart:
        confirmed = f"{found.common:.1%} of the numbers of either occur in the other"
    return Found(
        f"what enters {entrance.layer} has a mean of {found.means[0]:.3g} and a deviation of {found.deviations[0]:.3g} in training, "
        f"and {found.means[1]:.3g} and {found.deviations[1]:.3g} in validation",
        {
            "means": list(found.means), "deviations": list(found.deviations), "scale": found.scale, "shift": found.shift,
            "common": found.common,
        },
        "pass every split through the same normalisation, with the numbers of the training split",
        where=entrance.layer,
        confirmed_by=confirmed,
    )  # fmt: skip


@rule(
    "ART213",
    "validation inputs are random",
    category="preprocessing",
    severity=Severity.WARNING,
    stage=Stage.EVALUATE,
    finds=(
        "In a second pass over the validation split the same targets come with other inputs: most rows of the first batches "
        "differ. Only for classes and single numbers as targets; models of inputs, which are masked or disturbed on purpose, are "
        "left out."
    ),
    why="Augmentation in validation makes the score another one in each epoch, and measures rows that do not occur in use.",
    wrong="valid = datasets.ImageFolder(root, transform=augment)",
    right="valid = datasets.ImageFolder(root, transform=plain)",
    source="https://docs.pytorch.org/vision/stable/transforms.html (training and evaluation transforms)",
    settles=("stochastic_eval",),
    symptoms=("ART711",),
)
def random_validation(laboratory: Laboratory) -> Found | None:
    """Augmentation where rows are judged."""
    laboratory.settled("stochastic_eval")
    task = laboratory.task_of(TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
    if task.target is None:
        raise NotMeasured("the target is not known")
    evaluation = laboratory.get(Evaluation)
    changed = total = 0
    for before, after in zip(evaluation.observations, evaluation.again, strict=False):
        first, second = entries(before.batch), entries(after.batch)
        count = size(before.batch)
        inputs = [path for path in task.inputs if path in first and path in second and rows(first[path]) == count]
        if not inputs or size(after.batch) != count or task.target not in first or task.target not in second:
            return None
        if not np.array_equal(row_hashes([first[task.target]], count), row_hashes([second[task.target]], count)):
            return None
        hashes = [row_hashes([one[path] for path in inputs], count) for one in (first, second)]
        changed += int((hashes[0] != hashes[1]).sum())
        total += count
    if not total or changed <= total / 2:
        return None
    return Found(
        f"{changed} of {total} validation rows had other inputs in a second pass, with the same targets",
        {"changed": changed, "rows": total},
        "give validation a transform without augmentation; where it is meant, declare stochastic_eval=True",
        where="val_dataloader",
        confirmed_by=f"of two passes with the same weights, {changed / total:.0%} of the rows differ in their inputs",
    )


@rule(
    "ART214",
    "a view exchanges axes of the input",
    category="preprocessing",
    severity=Severity.ERROR,
    stage=Stage.PROBE,
    finds=(
        "In what enters the first convolution or recurrent layer neighbours are far less alike than in the same numbers read "
        "with the channels at the other end: the correlation of neighbours is lower by 0.15 and more than six standard errors, "
        "and above 0.3 in that reading. Images and series are smooth along their axes, and a scrambled one is not."
    ),
    why="view and reshape keep the order in memory: they do not exchange axes, they tear images and series apart.",
    wrong="x = x.view(batch, channels, height, width)  # of (batch, height, width, channels)",
    right="x = x.permute(0, 3, 1, 2)",
    source="https://discuss.pytorch.org/t/for-beginners-do-not-use-view-or-reshape-to-swap-dimensions-of-tensors/75524",
)
def scrambled(laboratory: Laboratory) -> Found | None:
    """Inputs whose neighbours are strangers."""
    found = laboratory.ask(smoothness)
    if found is None:
        raise NotApplicable("no channels of images or series enter the first layer")
    gain = found.other - found.found
    if not math.isfinite(gain):
        raise NotMeasured("what enters the first layer holds NaN or infinity")
    if found.other < _SMOOTH or gain < _SMOOTHER or gain < 6 * found.error:
        return None
    return Found(
        f"neighbours in what enters {found.layer} correlate by {found.found:.2f}, and by {found.other:.2f} when the same numbers "
        "are read with the channels at the other end",
        {"found": found.found, "other": found.other, "error": found.error, "shape": list(found.shape)},
        "use permute or transpose where a view or reshape is meant to exchange axes",
        where=found.layer,
        confirmed_by=f"read in the other order, the correlation of neighbours rises from {found.found:.2f} to {found.other:.2f}",
    )


def _dropped(found: Difference) -> bool:
    """Whether dropout of inputs explains other values: zeros are added in training, and the rest is scaled up by as much."""
    kept = (1 - found.zeros[0]) / max(1e-9, 1 - found.zeros[1])
    return kept < 0.98
