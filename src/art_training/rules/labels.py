"""Rules on targets: which there are, and whether they are right."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.dead_outputs import without_outputs
from art_training.probes.fractions import Cut, cut_fractions
from art_training.probes.neighbours import Neighbourhood, neighbourhood
from art_training.probes.rows import Rows
from art_training.records import Severity, Split
from art_training.rules.labelled import counts_of, labelled, reserved
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_FEWEST_ROWS = 10  # of the rarest class that occurs: a class that is about as frequent is then not missing by chance
_CONFLICTING = 0.05
_NOISE = 0.08


@rule(
    "ART160",
    "labels that their neighbours contradict",
    category="labels",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "At least eight in a hundred labels are not the one that 15 neighbours by the inputs agree on, and it does not matter how "
        "much they agree: among the quarter of rows with the clearest neighbours it is 0.8 or more of what it is among three "
        "quarters. Where classes merely overlap, contradiction fades as neighbours agree. Of more than two classes the wrong labels "
        "must also be spread as by chance (chi-squared per degree of freedom below 1.5), and neighbours must know the labels: "
        "fewer than 0.6 of the mistakes of a guess."
    ),
    why="A model is taught to contradict itself; the loss has a floor, and the largest networks learn the mistakes by heart.",
    wrong="labels = labels[torch.randperm(len(labels))[:300]]  # a column that slipped, for a part of the rows",
    right="labels = rows['label'].to_numpy()  # from the same table as the inputs",
    source="https://doi.org/10.1613/jair.1.12125 (Northcutt et al., Confident Learning)",
    settles=("label_noise",),
)
def label_noise(laboratory: Laboratory) -> Found | None:
    """Labels that are wrong for no reason that the inputs know."""
    laboratory.settled("label_noise")
    train = labelled(laboratory).get(Split.TRAIN)
    if train is not None and train.labels is None:
        raise NotMeasured("the labels of the training split are not known")
    found = None if train is None else neighbourhood(train)
    if train is None or found is None:
        raise NotMeasured("the training rows are too few, too many or no table of numbers, so that none has neighbours")
    wrong = found.votes != found.labels
    order = np.argsort(-found.margin, kind="stable")
    tenth, quarter, most = (float(wrong[order[: int(len(order) * share)]].mean()) for share in (0.1, 0.25, 0.75))
    shares = np.bincount(found.labels, minlength=found.classes) / len(wrong)
    guess = float(1 - (shares**2).sum())
    if quarter < _NOISE or quarter * (len(order) // 4) < _FEWEST_ROWS or float(wrong.mean()) > 0.6 * guess:
        return None
    if quarter < 0.8 * most or (found.classes == 2 and tenth < 0.6 * most):
        return None
    if found.classes > 2 and _concentration(found, order[: len(order) // 2], shares) > 1.5:
        return None
    suspicious = train.numbered(found.places[order[: len(order) // 2]][wrong[order[: len(order) // 2]]])
    return Found(
        f"{wrong.mean():.0%} of the training labels are not what their neighbours agree on, among those with the clearest "
        f"neighbours {quarter:.0%}",
        {
            "share": float(wrong.mean()), "clearest": quarter, "three_quarters": most, "guess": guess,
            "suspicious": suspicious[:20].tolist(),
        },
        "look at these rows, and at where labels are joined to inputs; where labels are known to be wrong in part, declare "
        "label_noise=True",
        where=f"train: rows {', '.join(map(str, suspicious[:5]))}",
        confirmed_by=(
            f"of the quarter of rows whose neighbours agree most {quarter:.1%} contradict, of three quarters {most:.1%}: an overlap "
            "of classes would fade"
        ),
    )  # fmt: skip


@rule(
    "ART161",
    "an output that is never a target",
    category="labels",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "The model has an output for a class that no row of training or validation has, though every class that occurs does so "
        "at least ten times: a class as frequent as the rarest of them would be missing with a chance below exp(-10). Models "
        "with fewer used than unused outputs are left out: their head was made for another task."
    ),
    why=(
        "A folder that is none of the classes, or labels that begin with 1, shift every number: names and classes no longer "
        "match. The output itself is only ever pushed down."
    ),
    wrong="classes = sorted(os.listdir(root))  # with .ipynb_checkpoints as class 0",
    right="classes = sorted(one.name for one in os.scandir(root) if one.is_dir() and not one.name.startswith('.'))",
    source="https://github.com/open-mmlab/mmpretrain/issues/507 (.ipynb_checkpoints became class 0)",
    settles=("reserved_classes",),
)
def phantom_class(laboratory: Laboratory) -> Iterator[Found]:
    """Outputs without rows."""
    task = laboratory.task_of(TaskKind.CLASSIFICATION)
    if not task.classes or task.classes < 3:
        raise NotApplicable("the model has no more than two outputs")
    splits = labelled(laboratory)
    known = [one.labels for one in splits.values() if one.labels is not None]
    if not known or Split.TRAIN not in splits:
        raise NotMeasured("the labels of the training split are not known")
    if not all(one.whole for one in splits.values()):
        raise NotMeasured("there was no time to read all labels")
    labels = np.concatenate(known)
    classes = np.arange(task.classes)
    ignored = task.loss_options.get("ignore_index", -100)
    counts = counts_of(labels[labels != ignored], classes)
    missing = classes[(counts == 0) & ~np.isin(classes, reserved(laboratory))]
    used = counts[counts > 0]
    if not len(missing) or len(missing) >= len(used) or int(used.min()) < _FEWEST_ROWS:
        return
    loss = laboratory.ask(without_outputs(tuple(missing.tolist())))
    confirmed = ""
    if loss is not None and loss.without < loss.before:
        confirmed = f"without {_outputs(missing)} the loss of a fresh model on a batch is {loss.without:.3f} instead of {loss.before:.3f}"
    begins = f": labels begin with {int(np.flatnonzero(counts)[0])}" if counts[0] == 0 else ""
    yield Found(
        f"none of {len(labels)} rows has class {', '.join(map(str, missing[:8]))}, for which the model has an output of its own"
        f"{begins}",
        {"missing": missing.tolist()[:50], "outputs": task.classes, "rows": len(labels), "rarest": int(used.min())},
        "number the classes from 0 without a gap and give the head as many outputs; where a class is kept free on purpose, "
        "declare reserved_classes=[...]",
        where=_outputs(missing),
        confirmed_by=confirmed,
    )


@rule(
    "ART163",
    "equal inputs with different labels",
    category="labels",
    severity=Severity.WARNING,
    stage=Stage.INSPECT,
    finds=(
        "More than one training row in twenty has an input that occurs with another label too, and equal inputs are rare "
        "otherwise: fewer than half of the rows have an input that occurs more than once, so that an input is not one of few "
        "possible ones. Fewer are told as INFO."
    ),
    why="No model can learn both; the loss has a floor above zero, and what is measured on such rows is noise.",
    wrong="rows = pd.concat([first_annotator, second_annotator])",
    right="rows = rows.groupby('id').agg(majority)",
    source="https://doi.org/10.1613/jair.1.12125 (Northcutt et al., Confident Learning)",
    settles=("label_noise",),
)
def conflicting_labels(laboratory: Laboratory) -> Iterator[Found]:
    """Inputs that occur with several labels."""
    laboratory.settled("label_noise")
    train = labelled(laboratory).get(Split.TRAIN)
    if train is None or not len(train.inputs) or len(train.targets) != len(train.inputs):
        raise NotMeasured("the inputs and labels of the training split are not known")
    _, inverse, counts = np.unique(train.inputs, return_inverse=True, return_counts=True)
    repeated = counts[inverse] > 1
    pairs = np.unique(np.stack([train.inputs, train.targets], 1), axis=0)
    inputs, targets = np.unique(pairs[:, 0], return_counts=True)
    places = train.numbered(np.flatnonzero(np.isin(train.inputs, inputs[targets > 1])))
    if not len(places) or repeated.mean() > 0.5:
        return
    share = len(places) / len(train)
    yield Found(
        f"{len(places)} of {len(train)} training rows ({share:.1%}) have an input that also occurs with another label",
        {"rows": len(places), "share": share, "places": places[:20].tolist()},
        "look at these rows and settle their labels",
        where=f"train: rows {', '.join(map(str, places[:5]))}",
        severity=None if share > _CONFLICTING else Severity.INFO,
    )


def _concentration(found: Neighbourhood, rows: NDArray[Any], shares: NDArray[Any]) -> float:
    """How much more mistakes gather at some pairs of classes than by chance: chi-squared per degree of freedom."""
    wrong = rows[found.votes[rows] != found.labels[rows]]
    pairs = np.zeros((found.classes, found.classes))
    np.add.at(pairs, (found.votes[wrong], found.labels[wrong]), 1)
    expected = np.tile(shares, (found.classes, 1)) * (1 - np.eye(found.classes))
    expected *= pairs.sum(1, keepdims=True) / np.maximum(expected.sum(1, keepdims=True), 1e-12)
    cells = expected > 0
    freedom = max(1, int(cells.sum()) - int((pairs.sum(1) > 0).sum()))
    return float(((pairs - expected)[cells] ** 2 / expected[cells]).sum() / freedom)


@rule(
    "ART162",
    "targets cut to whole numbers",
    category="labels",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "All targets of a regression are whole numbers in one split and not in the other; or all are, and numbers that the dataset "
        "holds, or gives before they are put together to a batch, are the same but for a fraction; or all are, some above and some below "
        "zero, and zero is much more frequent than its neighbours explain: cutting off decimals takes everything between -1 and 1 "
        "to zero, twice as much as to any other number. Zeros must be 1.75 times as many as in the bell curve that goes through "
        "the numbers of ones and twos, by more than four standard errors: in a bell curve the logarithm falls a third as much "
        "from 0 to 1 as from 1 to 2. Whole numbers by nature are hardly ever of both signs, and have no such zero."
    ),
    why="The fraction is lost: rows that differ have the same target, and the error cannot fall below that of the cut.",
    wrong="y = torch.tensor(values).long().float()",
    right="y = torch.tensor(values, dtype=torch.float32)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.Tensor.long.html (truncates towards zero)",
)
def cut_targets(laboratory: Laboratory) -> Found | None:
    """Targets without their fraction."""
    task = laboratory.task_of(TaskKind.REGRESSION)
    splits = laboratory.get(Rows).splits
    known = {split: one.labels for split in (Split.TRAIN, Split.VALIDATION) if (one := splits.get(split)) is not None}
    whole = {
        split: bool((one == np.round(one)).all()) for split, one in known.items() if one is not None and len(one) > 15
    }
    train = known.get(Split.TRAIN)
    if train is None or Split.TRAIN not in whole:
        raise NotMeasured("the targets of the training split are not one number a row, or too few")
    if len(set(whole.values())) == 2:
        cut = next(split.value for split, is_whole in whole.items() if is_whole)
        other = next(one for split, one in known.items() if one is not None and not whole[split])
        share = float((other != np.round(other)).mean())
        return Found(
            f"all targets of {cut} are whole numbers, and {share:.0%} of the other split's are not",
            {"cut": cut, "share": share},
            "keep the targets as floats from the beginning, in both splits",
            where=cut,
            confirmed_by=f"of the other split {share:.0%} of the targets have a fraction",
        )
    if not whole[Split.TRAIN]:
        return None
    cut_from = _cut_from(laboratory, task.target)
    if cut_from is not None:
        return Found(
            f"all {len(train)} targets are whole numbers, and {cut_from.source} has the same numbers with fractions",
            {
                "source": cut_from.source,
                "rows": cut_from.rows,
                "fractions": cut_from.fractions,
                "largest": cut_from.largest,
            },
            "keep the targets as floats: look for long, int or an integer dtype where an example or a batch is made",
            where=f"batch[{task.target}]",
            confirmed_by=(
                f"of the first {cut_from.rows} examples {cut_from.fractions} lose a fraction, {cut_from.largest:.2g} at most"
            ),
        )
    low, zero, high = (int((train == one).sum()) for one in (-1, 0, 1))
    beside = (low + high) / 2
    twos = int((np.abs(train) == 2).sum()) / 2 + 0.5
    usual = beside * max(1.0, beside / twos) ** (1 / 3)
    if min(low, high) < 5 or zero < 1.75 * usual or zero - usual < 4 * (zero + usual) ** 0.5:
        return None
    return Found(
        f"all {len(train)} targets are whole numbers, and {zero} of them are 0 where {low} are -1 and {high} are 1: fractions were "
        "cut off",
        {"zero": zero, "below": low, "above": high, "different": len(np.unique(train))},
        "keep the targets as floats from the beginning: long(), int() and integer arrays cut towards zero",
        where=f"batch[{task.target}]",
        confirmed_by=f"rounded instead of cut, about {usual:.0f} targets would be 0, and {zero} are",
    )


def _cut_from(laboratory: Laboratory, target: str | None) -> Cut | None:
    try:
        return None if target is None else laboratory.ask(cut_fractions(target))
    except NotMeasured:  # the numbers alone may tell it
        return None


def _outputs(missing: NDArray[Any]) -> str:
    return f"output{'s' * (len(missing) > 1)} {', '.join(map(str, missing[:8]))}"
