"""Rules on targets: which there are, and whether they are right."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from art_training.probes.dead_outputs import without_outputs
from art_training.records import Severity, Split
from art_training.rules.labelled import counts_of, labelled, reserved
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_FEWEST_ROWS = 10  # of the rarest class that occurs: a class that is about as frequent is then not missing by chance
_CONFLICTING = 0.05


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
    task = laboratory.task
    if task is None or task.kind is not TaskKind.CLASSIFICATION or not task.classes or task.classes < 3:
        return
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
    if laboratory.declarations.get("label_noise"):
        return
    train = labelled(laboratory).get(Split.TRAIN)
    if train is None or not len(train.inputs) or len(train.targets) != len(train.inputs):
        return
    _, inverse, counts = np.unique(train.inputs, return_inverse=True, return_counts=True)
    repeated = counts[inverse] > 1
    pairs = np.unique(np.stack([train.inputs, train.targets], 1), axis=0)
    inputs, targets = np.unique(pairs[:, 0], return_counts=True)
    places = np.flatnonzero(np.isin(train.inputs, inputs[targets > 1]))
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


def _outputs(missing: NDArray[Any]) -> str:
    return f"output{'s' * (len(missing) > 1)} {', '.join(map(str, missing[:8]))}"
