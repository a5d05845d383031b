"""Rules on labels that are missing."""

from collections.abc import Iterable

import numpy as np

from art_training.probes.missing_labels import Missing, missing_in_data, missing_labels, missing_names
from art_training.probes.specimen import Specimen
from art_training.records import Severity, Split
from art_training.rules.labelled import labelled
from art_training.rules.laboratory import Laboratory, NotMeasured
from art_training.rules.rule import Found, Stage, rule
from art_training.setup.task import TaskKind

_FEWEST = 4


@rule(
    "ART168",
    "missing labels are learned as a class",
    category="labels",
    severity=Severity.WARNING,
    stage=Stage.PROBE,
    finds=(
        "An entry of the batch, or an array that the dataset holds, has one number below 0, or NaN, in the place of some labels, and "
        "is the label elsewhere; the loss has a gradient at these predictions and asks for one class in all of them, which is not always the "
        "one that the model finds likeliest, as labels are that it gives itself. Or the list of the classes has one called nan, none, null "
        "or nothing at all, and rows are of it."
    ),
    why="What nobody labelled is taught as examples of a class that it mostly is not: the class grows, and its examples contradict each other.",
    wrong="F.cross_entropy(logits, y.clamp(min=0))  # y: -1 where nobody knows",
    right="F.cross_entropy(logits, y, ignore_index=-1)",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html (ignore_index)",
    settles=("label_noise",),
    symptoms=("ART160", "ART163", "ART432"),
)
def missing_learned(laboratory: Laboratory) -> Iterable[Found]:
    """Nobody's label."""
    laboratory.settled("label_noise")
    found = [*laboratory.ask(missing_labels), *laboratory.ask(missing_in_data)]
    for one in found[:1]:
        yield _told(one)
    if not found:
        yield from _named(laboratory)


def _told(one: Missing) -> Found:
    what = f"class {one.learned:g}" if one.learned is not None else "numbers"
    return Found(
        f"{one.count} of {one.of} labels are {one.mark} in {one.source}, as where nobody knows them, and are learned as {what}",
        {"labels": one.count, "of": one.of, "mark": one.mark, "class": one.learned},
        "leave them out: ignore_index, a mask over the loss, or rows that are dropped; where most of them are of that class, declare "
        "label_noise=True",
        where=one.source,
        confirmed_by=f"at all {one.count} of them the loss asks for {what}, and elsewhere for what the labels say",
    )


def _named(laboratory: Laboratory) -> Iterable[Found]:
    task = laboratory.task
    if task is None or task.kind is not TaskKind.CLASSIFICATION or not task.classes:
        return
    try:
        train = labelled(laboratory).get(Split.TRAIN)
    except NotMeasured:
        return
    if train is None or train.labels is None:
        return
    classes = task.classes

    def probe(specimen: Specimen) -> list[tuple[str, int]]:
        return list(missing_names(specimen, classes))

    for name, number in laboratory.ask(probe)[:1]:
        rows = int((np.asarray(train.labels) == number).sum())
        if rows >= _FEWEST:
            yield Found(
                f"class {number} is called {name!r}, which is no class, and {rows} of {len(train)} training rows are of it",
                {"rows": rows, "of": len(train), "class": number, "name": name},
                "drop the rows whose label is missing before classes are numbered",
                where=f"class {number}",
                confirmed_by=f"{rows} rows are learned as class {number}",
            )
