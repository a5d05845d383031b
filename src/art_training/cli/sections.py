"""What `art show` says of a run, section by section: the short form fits a screen or two, the whole one holds all there is."""

import math
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from art_training.records import Candidate, Reading
    from art_training.views import CurveRow, RunView, ScoreRow

Section = tuple[str, "RenderableType"]

DECIDED = ("winner", "result")  # readings that say what a step chose
_SCORES, _CANDIDATES, _READINGS, _ARTIFACTS, _CURVES = 12, 8, 8, 8, 6
_CLIPPED = 300  # characters of a value in the whole form
_LINES, _SAID = 2, 3  # of a reading or a candidate in the short form; and of one whose value is a sentence
_ROUTINE = frozenset({"health"})  # readings of which findings tell what matters
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")  # to be told from another, not to be copied; `--json` has all


@dataclass(frozen=True)
class Sections:
    """The sections of one run.

    Attributes:
        view: the run.
        whole: whether all is told.
        width: of a line, in characters.
    """

    view: "RunView"
    whole: bool
    width: int

    def outcome(self) -> Iterator[Section]:
        """What was chosen, what the checks say, and what was found wrong."""
        from rich.text import Text

        from art_training.cli.output import console
        from art_training.cli.tables import verdict_line

        view = self.view
        outcome = view.outcome
        decided = [] if outcome is None else [one for one in outcome.readings if one.name in DECIDED]
        if decided:
            yield "Chosen", self._pairs(((one.name, _told(one)) for one in decided), whole=True)
        if view.checks:
            again = len(view.judgements) - 1
            title = "Checks" if not again else f"Checks (judged {again + 1} times; this is the last)"
            yield title, Text("\n").join(verdict_line(check, console()) for check in view.checks)
        if outcome is not None and outcome.findings:
            found = [
                "\n  ".join(filter(None, (f"{one.code} {one.severity.value}: {one.message}", one.where, one.remedy)))
                for one in outcome.findings
            ]
            yield "Findings", Text("\n".join(found), "yellow")

    def numbers(self) -> Iterator[Section]:
        """Scores and what was compared."""
        from art_training.cli.tables import scores_table

        view = self.view
        if view.scores:
            shown = view.scores if self.whole else _worth_a_line(view.scores)
            yield (
                self._title("Scores", shown, view.scores),
                scores_table(shown, width=None if self.whole else self.width),
            )
        candidates = () if view.outcome is None else view.outcome.candidates
        if candidates and view.outcome is not None:
            by = str(view.outcome.parameters.get("by", ""))
            shown_ones = candidates if self.whole else _best(candidates, by)[:_CANDIDATES]
            best = "" if len(shown_ones) == len(candidates) else f" by {by}" if by else ""
            title = self._title(f"Candidates{best}", shown_ones, candidates)
            left = self._left(one.name for one in shown_ones)
            told = (_reached(one) if self.whole else _folded(_reached(one), left) for one in shown_ones)
            yield title, self._pairs(zip((one.name for one in shown_ones), told, strict=True), whole=True)

    def rest(self) -> Iterator[Section]:
        """Readings, files, and what the run was made with."""
        from art_training.views.readable import readable
        from art_training.views.wording import size

        view = self.view
        readings = () if view.outcome is None else view.outcome.readings
        others = [one for one in readings if one.name not in DECIDED and _told(one)]
        if others:
            shown = others if self.whole else [one for one in others if one.name not in _ROUTINE][:_READINGS]
            left = self._left(one.name for one in shown)
            texts = (_told(one) if self.whole else _in_short(one, left) for one in shown)
            named = zip((one.name for one in shown), texts, strict=True)
            yield self._title("Readings", shown, others), self._pairs(named, whole=True)
        artifacts = () if view.outcome is None else view.outcome.artifacts
        if artifacts:
            some = artifacts if self.whole else artifacts[:_ARTIFACTS]
            title = self._title(f"Artifacts (`art export {view.run.step}` copies them)", some, artifacts)
            told = (
                (one.name, f"{one.kind}, {size(one.bytes)}, sha256 {one.digest[:12]} {one.note}".rstrip())
                if self.whole
                else (one.name, f"{size(one.bytes)}, {one.note or one.kind}")
                for one in some
            )
            yield title, self._pairs(told)
        if view.record.parameters and self.whole:
            texts = ((name, readable(value, exact=True)) for name, value in view.record.parameters.items())
            yield "Setup", self._pairs((name, text) for name, text in texts if text)
        yield "Made with", self._pairs(self._origin())

    def curves(self) -> Iterator[Section]:
        """Curves, in a few numbers each."""
        curves = self.view.curves
        if curves:
            shown = curves if self.whole else _losses(curves)[:_CURVES]
            yield self._title("Curves", shown, curves), self._pairs((one.name, _course(one)) for one in shown)

    def _origin(self) -> Iterator[tuple[str, str]]:
        from art_training.records.counted import counted
        from art_training.views.readable import readable

        view, record, origin = self.view, self.view.record, self.view.record.provenance
        commit = f"{origin.git_commit[:12]}{' with uncommitted changes' if origin.git_dirty else ''}"
        given = {
            name.partition(".")[2]: readable(value, exact=True)
            for name, value in record.parameters.items()
            if name.startswith(("hparams.", "trainer."))
        }
        python = f"Python {origin.python}" if origin.python else ""
        told = {
            "settings": "" if self.whole else ", ".join(f"{name}={text}" for name, text in given.items()),
            "fingerprint": record.fingerprint.digest[:12],
            "not known": "; ".join(record.fingerprint.unknown),
            "seed": str(record.seed),
            "uses": ", ".join(f"{step} ({run})" for step, run in record.consumes.items()),
            "code": f"commit {commit}" if origin.git_commit else "",
            "data": f"{origin.data_digest[:12]} ({origin.data_note})" if origin.data_note else origin.data_digest[:12],
            "log": f"{counted(view.lines, 'line')}: art log {view.run.step}" if view.lines else "",
        }
        where = {
            "command": shlex.join(origin.command),
            "folder": origin.folder,
            "machine": " ".join(part for part in (origin.host, python) if part),
        }
        yield from ((name, text) for name, text in {**told, **(where if self.whole else {})}.items() if text)

    def _left(self, names: Iterable[str]) -> int:
        """What a line has room for beside the longest of the names."""
        return self.width - max(map(len, names), default=0) - 4

    def _title(self, name: str, shown: Sequence[object], there: Sequence[object]) -> str:
        more = len(there) - len(shown)
        return name if not more else f"{name} ({len(shown)} of {len(there)}; `art show {self.view.run.step} --all`)"

    def _pairs(self, rows: Iterable[tuple[str, str]], *, whole: bool = False) -> "RenderableType":
        """Names and texts; in the short form a line each, but for what is told to its end."""
        from rich.text import Text

        from art_training.cli.output import table
        from art_training.views.wording import shortened

        rows = list(rows)
        drawn = table("", "")
        drawn.show_header = False
        drawn.columns[0].no_wrap = True
        left = self._left(name for name, _ in rows)
        for name, long in rows:
            text = _DIGEST.sub(r"\1", long)
            told = _clipped(text) if self.whole or whole else shortened(text.replace("\n", "; "), left)
            drawn.add_row(Text(name), Text(told))
        return drawn


def _in_short(one: "Reading", width: int) -> str:
    """Sentences, as far as they are short; of what has more parts than a line takes, a line of them."""
    from art_training.records import plain
    from art_training.views.readable import readable
    from art_training.views.wording import shortened

    value = plain(one.value)
    parts = _DIGEST.sub(r"\1", readable(value)).replace("\n", "; ")
    if len(parts) <= width or not isinstance(value, dict | list):
        return _folded(_DIGEST.sub(r"\1", _told(one)), width, _SAID if isinstance(value, str) else _LINES)
    return f"{shortened(parts, width)}\n{shortened(one.note, width)}".rstrip()


def _folded(text: str, width: int, lines: int = _LINES) -> str:
    """As much as so many lines take; they break between words, which costs some of each."""
    from art_training.views.wording import shortened

    return shortened(text, lines * (width - 4))


def _told(one: "Reading") -> str:
    from art_training.records import plain
    from art_training.views.readable import readable

    text = readable(plain(one.value))
    return "; ".join(part for part in (f"{text} {one.unit}".rstrip(), one.note) if part) if text else ""


def _reached(one: "Candidate") -> str:
    from art_training.checks.values import number

    scores = (f"{name} {number(score.value)}" for name, score in one.scores.items())
    return ", ".join([*scores, one.note]).strip(", ")


def _worth_a_line(scores: "Sequence[ScoreRow]") -> "Sequence[ScoreRow]":
    """All of a few; of many, those that are not 0 before those that are, in their order."""
    if len(scores) <= _SCORES:
        return scores
    chosen = sorted(scores, key=lambda one: one.value == 0)[:_SCORES]
    return [one for one in scores if one in chosen]


def _best(candidates: "Sequence[Candidate]", by: str) -> "Sequence[Candidate]":
    """The best by a score first; as they were where nothing says which is better."""
    way = next((one.scores[by].direction for one in candidates if by in one.scores), None)
    if way is None or len(candidates) <= _CANDIDATES:
        return candidates
    sign = -1 if way == "maximize" else 1

    def rank(one: "Candidate") -> tuple[bool, float]:
        value = one.scores[by].value if by in one.scores else math.nan
        return (True, 0.0) if math.isnan(value) else (False, sign * value)

    return sorted(candidates, key=rank)


def _losses(curves: "Sequence[CurveRow]") -> "Sequence[CurveRow]":
    """Of many, the losses of splits, those of the validation split first: they tell most of a training."""
    if len(curves) <= _CURVES:
        return curves
    ends = ("validation/loss", "train/loss_epoch", "train/loss")
    found = [one for end in ends for one in curves if one.name == end or one.name.endswith(f"/{end}")]
    return found or curves


def _course(curve: "CurveRow") -> str:
    from art_training.records.counted import counted

    points = counted(curve.points, "point")
    if curve.first is not None and curve.first == curve.last == curve.lowest == curve.highest:
        return f"{points}, {'all ' if curve.points > 1 else ''}{_number(curve.first)}"
    ends = f"{points}, {_number(curve.first)} to {_number(curve.last)}"
    return f"{ends}, between {_number(curve.lowest)} and {_number(curve.highest)}"


def _clipped(text: str) -> str:
    return text if len(text) <= _CLIPPED else f"{text[:_CLIPPED]}... (`--json` shows all)"


def _number(value: float | None) -> str:
    from art_training.checks.values import number

    return "-" if value is None else number(value)
