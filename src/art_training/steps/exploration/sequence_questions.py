"""Questions about inputs that are sequences of tokens: how long they are, what was cut, what fills them up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from art_training.records import Finding, Plain, Reading, Severity, Split
from art_training.setup.task import Task, TaskKind
from art_training.steps.exploration.answers import Answers, Surveys, listed
from art_training.steps.exploration.survey import SHOWN, Survey
from art_training.steps.exploration.tokens import Tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

CUT = 0.01  # share of sequences of the greatest length
_AS_MUCH = 5  # times as many as of the lengths just below it
_BELOW = 5  # lengths, which say how many there should be
MOSTLY_PADDING = 0.5  # share of all positions
UNSEEN, UNSEEN_MUCH = 0.05, 0.2  # share of the tokens of validation that training never shows


def lengths(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """How long are sequences, which are empty or were cut, and how much is padding?"""
    import numpy as np

    rows: list[dict[str, Plain]] = []
    for one in _sequences(surveys):
        own, count = one.tokens.lengths, len(one.tokens.ids)
        padding = 1 - float(own.sum()) / max(1, int(one.tokens.widths.sum()))
        cut = _cut(own)
        quantiles = dict(zip(("5%", "50%", "95%"), np.quantile(own, (0.05, 0.5, 0.95)).tolist(), strict=True))
        row: dict[str, Plain] = {"place": one.survey.place, "input": one.path, "sequences": count}
        row |= {"shortest": int(own.min()), **quantiles, "longest": int(own.max()), "mean": round(float(own.mean()), 3)}
        row |= {"padding": round(padding, 4), "filled_with": one.tokens.padding, "cut": round(len(cut) / count, 4)}
        rows.append(row)
        survey, note = one.survey, one.survey.sampled.note
        if one.first:
            answers.fewer_is_better("padding_share", padding, survey, note)
            answers.fewer_is_better("truncated_share", len(cut) / count, survey, note)
            answers.fewer_is_better("empty_sequences", one.all(int((own == 0).sum())), survey, note)
        _judge(one, cut, padding, answers)
    if rows:
        answers.readings.append(Reading("sequence lengths", rows, note=surveys[0].sampled.note))
        answers.tables["sequences.csv"] = (rows, "lengths of sequences in tokens, words of texts")


def vocabulary(surveys: Surveys, task: Task, answers: Answers) -> None:  # noqa: ARG001
    """Which tokens of validation does training never show?"""
    import numpy as np

    found = list(_sequences(surveys))
    for one in found:
        train = [other.tokens for other in found if other.path == one.path and other.survey.split is Split.TRAIN]
        if one.survey.split is not Split.VALIDATION or not train or not one.tokens.real.any():
            continue
        known = np.unique(np.concatenate([other.ids[other.real] for other in train]))
        ids = one.tokens.ids[one.tokens.real]
        unseen = ids[~np.isin(ids, known)]
        share, survey = len(unseen) / len(ids), one.survey
        note = "; ".join(part for part in (f"of the tokens of {one.path}", survey.sampled.note) if part)
        if one.first:
            answers.fewer_is_better("unseen_tokens_share", share, survey, note)
        if share <= UNSEEN:
            continue
        values, counts = np.unique(unseen, return_counts=True)
        most = [] if one.tokens.words else values[np.argsort(-counts, kind="stable")][:SHOWN].tolist()
        answers.findings.append(
            Finding(
                "ART122",
                "split",
                Severity.WARNING if share > UNSEEN_MUCH else Severity.INFO,
                f"{share:.1%} of the tokens of {one.path} in {survey.place} never occur in train",
                {"share": share, "different": len(values), "tokens": most},
                "look whether both splits were tokenised alike; else use a vocabulary of parts of words",
                survey.place,
            )
        )


def ignored(surveys: Surveys, task: Task, answers: Answers) -> None:
    """How many positions of the targets does the loss leave out?"""
    import numpy as np

    if task.kind is not TaskKind.SEQUENCE:
        return
    index = task.loss_options.get("ignore_index", -100)
    for survey in surveys:
        if survey.targets is None or not survey.targets.size:
            continue
        left_out = survey.targets == index
        answers.neutral("ignored_targets_share", float(left_out.mean()), survey, survey.sampled.note)
        empty = np.flatnonzero(left_out.reshape(len(left_out), -1).all(1))
        if len(empty):
            places = survey.sampled.indices[empty]
            answers.findings.append(_of("ART119", "have no target that counts", places, len(left_out), survey))


@dataclass(frozen=True)
class _Sequences:
    """One input of one place; whether it is its first, whose numbers become scores."""

    survey: Survey
    path: str
    tokens: Tokens
    first: bool

    def all(self, count: int) -> int:
        """How many of all examples it is that were counted in the sample."""
        return round(count / max(1, len(self.survey.sampled)) * self.survey.examples)


def _sequences(surveys: Surveys) -> Iterator[_Sequences]:
    for survey in surveys:
        for number, (path, tokens) in enumerate(survey.tokens.items()):
            if len(tokens.ids):
                yield _Sequences(survey, path, tokens, number == 0)


def _cut(own: "NDArray[Any]") -> "NDArray[Any]":
    """The rows that were probably cut: many have the greatest length, beside few of the lengths just below it.

    Where all have one length, nothing tells.
    """
    import numpy as np

    longest = int(own.max())
    at_longest = np.flatnonzero(own == longest)
    below = np.count_nonzero((own < longest) & (own >= longest - _BELOW)) / _BELOW
    many = len(at_longest) >= max(CUT * len(own), 3, _AS_MUCH * below)
    return at_longest if many and longest > 1 and len(at_longest) < len(own) else at_longest[:0]


def _judge(one: _Sequences, cut: "NDArray[Any]", padding: float, answers: Answers) -> None:
    import numpy as np

    survey, count = one.survey, len(one.tokens.ids)
    empty = survey.sampled.indices[np.flatnonzero(one.tokens.lengths == 0)]
    if len(empty):
        answers.findings.append(_of("ART119", f"have an empty {one.path}", empty, count, survey))
    if len(cut):
        longest = int(one.tokens.lengths.max())
        what = f"have {one.path} of exactly {longest} tokens, the longest there is: they were probably cut"
        answers.findings.append(_of("ART118", what, survey.sampled.indices[cut], count, survey))
    if padding > MOSTLY_PADDING:
        answers.findings.append(
            Finding(
                "ART121",
                "preprocessing",
                Severity.INFO,
                f"{padding:.0%} of the positions of {one.path} in {survey.place} are padding",
                {"share": padding},
                "put sequences of similar length into one batch, and pad each batch only as far as it needs",
                survey.place,
            )
        )


_REMEDIES = {
    "ART118": "allow longer sequences, or cut them where the least is lost; look at what the end of these would have said",
    "ART119": "look at these examples: a text that could not be read, or a tokeniser that knows none of it",
}


def _of(code: str, what: str, places: "NDArray[Any]", count: int, survey: Survey) -> Finding:
    share = len(places) / count
    shown = places[:SHOWN].tolist()
    return Finding(
        code,
        "preprocessing",
        Severity.WARNING,
        f"{len(places)} of {count} examples of {survey.place} ({share:.2%}) {what}",
        {"count": len(places), "share": share, "examples": shown},
        _REMEDIES[code],
        f"{survey.place}: examples {listed(shown)}",
    )
