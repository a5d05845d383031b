"""Questions about the examples of each split by itself."""

from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Reading, Score, Severity, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.answers import Answers, Surveys, examples_told, of_hashed
from art_training.steps.exploration.chance import COPIED, FEW_INPUTS, beyond, chance_told
from art_training.steps.exploration.survey import MOST_LISTED, SHOWN, Rows, Survey

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPEATED_MUCH = 0.01  # share of a split
_OCCUR_AGAIN = "have an input that occurs more than once, with whatever labels"
_WRONG = "whether a label is wrong"
_UNREAD = "whether they hold nothing"
_BLANK_TOO = "nothing, if such an example is possible; else fill what is missing with a value that no example has"
_MISSING_LABELS = (
    "; where labels are missing on purpose, give any number there, and a mask in the batch that the loss reads"
)


def sizes(surveys: Surveys, task: Task, answers: Answers) -> None:
    """How many examples are there, and of what are they made?"""
    for survey in surveys:
        answers.neutral("examples", survey.examples, survey)
    schema = {survey.place: {path: entry.told() for path, entry in survey.schema.items()} for survey in surveys}
    carried = [f"batch[{path}]" for path, entry in surveys[0].schema.items() if entry.rows and not _is_used(path, task)]
    note = f"{', '.join(carried)}: neither input nor target, and left out of every comparison" if carried else ""
    answers.readings.append(Reading("schema", schema, note=note if task.inputs else ""))


def _is_used(path: str, task: Task) -> bool:
    used = [one for one in (*task.inputs, task.target) if one is not None]
    return any(not one or path == one or path.startswith(f"{one}.") for one in used)


def types(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Do the entries have the same types in all splits?"""
    first = surveys[0]
    for survey in surveys[1:]:
        for path, entry in survey.schema.items():
            before = first.schema.get(path, entry)
            if before.kind != entry.kind:
                finding = Finding(
                    "ART107",
                    "preprocessing",
                    Severity.WARNING,
                    f"batch[{path}] is {before.kind} in {first.place} and {entry.kind} in {survey.place}",
                    {"entry": path, first.place: before.kind, survey.place: entry.kind},
                    "pass every split through the same preprocessing",
                    survey.place,
                )
                answers.findings.append(finding)


def non_finite(surveys: Surveys, task: Task, answers: Answers) -> None:
    """Does an input or a target hold NaN or infinity?"""
    remedy = "repair or leave out these examples, or fill what is missing with values learned from the training split"
    for survey in surveys:
        answers.fewer_is_better("nan_inputs", survey.nan.count, survey)
        answers.fewer_is_better("infinite_inputs", survey.infinite.count, survey)
        kinds = [("NaN in an input", survey.nan), ("infinity in an input", survey.infinite)]
        if task.target is not None:
            answers.fewer_is_better("non_finite_targets", survey.bad_targets.count, survey)
            kinds.append(("NaN or infinity in the target", survey.bad_targets))
        for what, rows in kinds:
            if rows.count:
                do = f"{remedy}{_MISSING_LABELS if rows is survey.bad_targets else ''}"
                answers.findings.append(_found(answers, "ART103", Severity.ERROR, what, rows, survey, do))
    broken, examples = sum(survey.broken for survey in surveys), sum(survey.examples for survey in surveys)
    answers.scores["non_finite_examples"] = Score(
        float(broken), rows=examples, direction="minimize", note="of all splits"
    )


def blank(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Are there examples all of whose inputs hold one and the same value?"""
    for survey in surveys:
        count = survey.blank.count
        answers.fewer_is_better("blank_inputs", count, survey)
        if not count:
            continue
        share, looked_at = count / survey.examples, [one.blanks for one in surveys if one.split is not Split.TEST]
        likely, most = (max(ends, default=0.0) for ends in zip(*looked_at, strict=True)) if looked_at else (0.0, 0.0)
        more = beyond(share, most, survey.examples)
        told = chance_told(share, likely, most, survey.examples, does="be so", unknown=_UNREAD)
        remedy = "look at these examples: a blank input is often a file that could not be read" if more else _BLANK_TOO
        severity = Severity.WARNING if more else Severity.INFO
        what = f"the same value everywhere in the input{told}"
        answers.findings.append(_found(answers, "ART105", severity, what, survey.blank, survey, remedy))


def duplicates(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Does a split hold an input more than once?"""
    import numpy as np

    for survey in surveys:
        hashed = survey.hashed
        _, first, inverse = np.unique(hashed.inputs, return_index=True, return_inverse=True)
        again = np.flatnonzero(first[inverse] != np.arange(len(first[inverse])))
        count, share, note = of_hashed(len(again), hashed, survey)
        answers.fewer_is_better("duplicates", count, survey, note)
        if not count:
            continue
        chance, kept = _looked_at(surveys, survey).chance, len(hashed.inputs)
        by_chance, most = (chance.repeating(survey.examples, most=largest) for largest in (False, True))
        more = beyond(share, max(by_chance, most), kept)
        answers.found("ART108", survey, hashed.indices[again])
        pairs = [[int(hashed.indices[at]), int(hashed.indices[first[inverse[at]]])] for at in again[:SHOWN]]
        answers.findings.append(
            Finding(
                "ART108",
                "data",
                Severity.WARNING if more > REPEATED_MUCH else Severity.INFO,
                f"{count} of {survey.examples} examples of {survey.place} ({share:.2%}) repeat an earlier one"
                f"{chance_told(share, by_chance, most, kept, does='do so', unknown=COPIED)}",
                {"count": count, "share": share, "by_chance": by_chance, "at_most": most, "pairs": pairs},
                "leave repeated examples out, or weight examples on purpose" if more else FEW_INPUTS,
                examples_told(survey, (pair[0] for pair in pairs), count),
            )
        )


def conflicting_labels(surveys: Surveys, task: Task, answers: Answers) -> None:
    """Do equal inputs have different targets?"""
    if task.kind not in {TaskKind.CLASSIFICATION, TaskKind.MULTI_LABEL}:
        return
    for survey in surveys:
        hashed = survey.hashed
        if not len(hashed.targets):
            continue
        conflicting = hashed.indices[_conflicting(hashed.inputs, hashed.targets)]
        count, share, note = of_hashed(len(conflicting), hashed, survey)
        answers.fewer_is_better("conflicting_labels", count, survey, note)
        if count:
            chance, others = _looked_at(surveys, survey).chance, survey.examples - 1
            by_chance, most = chance.share(others), chance.share(others, most=True)
        else:
            by_chance = most = 0.0
        more = beyond(share, max(by_chance, most), len(hashed.inputs))
        noted = "; ".join(filter(None, (note, "beyond those whose inputs may be equal by chance")))
        answers.fewer_is_better("conflicting_labels_share", more, survey, noted)
        if count:
            rows = Rows(count, conflicting[:MOST_LISTED].tolist())
            remedy = "look at these examples and settle their labels; no model can learn both" if more else FEW_INPUTS
            told = chance_told(share, by_chance, most, len(hashed.inputs), does=_OCCUR_AGAIN, unknown=_WRONG)
            what = f"an input that also occurs with another label{told}"
            severity = Severity.WARNING if more else Severity.INFO
            answers.findings.append(_found(answers, "ART102", severity, what, rows, survey, remedy, "labels"))


def statistics(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """What are the ranges of the features, and which never vary?"""
    inputs = {
        survey.place: {path: one.table() for path, one in survey.statistics.items()}
        for survey in surveys
        if survey.statistics
    }
    if inputs:
        answers.readings.append(
            Reading("feature statistics", inputs, note="of the population; NaN and infinity left out")
        )
    targets = {survey.place: table for survey in surveys if (table := survey.target_statistics.table())}
    if targets:
        answers.readings.append(Reading("target statistics", targets))
    for survey in surveys:
        if survey.statistics:
            answers.neutral("constant_features", survey.constant_features, survey)


def _looked_at(surveys: Surveys, survey: Survey) -> Survey:
    """The survey; the training split for the test split, whose features nobody looks at."""
    if survey.split is not Split.TEST:
        return survey
    return next((one for one in surveys if one.split is Split.TRAIN), survey)


def _conflicting(inputs: "NDArray[Any]", targets: "NDArray[Any]") -> "NDArray[Any]":
    """Indices of rows whose input occurs with more than one target."""
    import numpy as np

    pairs = np.unique(np.stack([inputs, targets], 1), axis=0)
    values, counts = np.unique(pairs[:, 0], return_counts=True)
    return np.flatnonzero(np.isin(inputs, values[counts > 1]))


def _found(  # noqa: PLR0917  Each is another word of one sentence.
    answers: Answers,
    code: str,
    severity: Severity,
    what: str,
    rows: Rows,
    survey: Survey,
    remedy: str,
    category: str = "data",
) -> Finding:
    answers.found(code, survey, rows.kept)
    share = rows.count / survey.examples
    return Finding(
        code,
        category,
        severity,
        f"{rows.count} of {survey.examples} examples of {survey.place} ({share:.2%}) have {what}",
        {"count": rows.count, "share": share, "examples": rows.first},
        remedy,
        examples_told(survey, rows.first, rows.count),
    )
