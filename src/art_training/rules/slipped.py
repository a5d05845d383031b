"""Rules on targets that stand beside the inputs of another row."""

from art_training.probes.rows import Rows
from art_training.probes.slipping import Slipping, slipping
from art_training.records import Severity, Split
from art_training.rules.laboratory import Laboratory, NotApplicable, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind


@rule(
    "ART167",
    "targets slipped against their inputs",
    category="labels",
    severity=Severity.ERROR,
    stage=Stage.INSPECT,
    finds=(
        "A model that is fitted to four fifths of the rows, as they stand without shuffling, predicts the targets that stand up to three "
        "rows above or below the inputs of the last fifth (more than a fifth of what there is to know, by eight standard deviations of "
        "chance), of one distance alone, and no others: nor those at the inputs (less than a quarter of that, within four). Rows that follow "
        "one another in time are not judged: inputs that say something of the next row's, and inputs that are another row's target."
    ),
    why="Every row is taught and judged by the target of another one: there is nothing to learn, in training as in validation.",
    wrong="y = np.genfromtxt('targets.csv')  # a header that the inputs do not have",
    right="rows = inputs.join(targets, on='id')",
    source="https://www.rc.fas.harvard.edu/blog/a-cautionary-tale/ (files that were paired by the order of a listing)",
    settles=("time", "label_noise"),
    symptoms=("ART160", "ART164"),
)  # fmt: skip
def slipped(laboratory: Laboratory) -> Found | None:
    """One row off."""
    laboratory.settled("time", "label_noise")
    task = laboratory.task_of(TaskKind.CLASSIFICATION, TaskKind.REGRESSION)
    classes = task.kind is TaskKind.CLASSIFICATION
    splits = laboratory.get(Rows).splits
    found: dict[Split, Slipping] = {}
    for split in (Split.TRAIN, Split.VALIDATION):
        told = slipping(splits[split], classes=classes) if split in splits else None
        if told is not None:
            found[split] = told
    if not found:
        raise NotApplicable("inputs are no numbers of one shape, or there are fewer rows than tell it")
    if all(one.serial for one in found.values()):
        raise NotMeasured("inputs say something of the next row's, as in time, where targets may be of another row")
    moved = {split: one for split, one in found.items() if one.by}
    if not moved:
        return None
    split, worst = max(moved.items(), key=lambda one: one[1].gains[one[1].by])
    rows = f"{abs(worst.by)} row{'s' * (abs(worst.by) > 1)}"
    side = "below" if worst.by > 0 else "above"
    places = " and ".join(one.value for one in moved)
    return Found(
        f"inputs of {places} predict the targets that stand {rows} {side} them and say nothing of their own",
        {"rows": worst.rows, "by": worst.by, "splits": [one.value for one in moved], "gains": {str(k): v for k, v in worst.gains.items()}},
        f"join inputs and targets by a key, or move the targets by {rows}: look for a header, a dropped row or a shift where they are read",
        where=places,
        confirmed_by=(
            f"of rows of {split.value} that were left out, {_said(worst.gains[worst.by], classes)} with the targets moved by {rows}, and "
            f"{_said(worst.gains[0], classes)} as they are"
        ),
    )  # fmt: skip


def _said(gain: float, classes: bool) -> str:
    return f"{gain:.0%} of what chance leaves open is known" if classes else f"the correlation is {gain:.2f}"
