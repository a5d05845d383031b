"""All findings of a project over time: since when, until when, and how each was settled."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from itertools import count
from typing import Any, Literal, cast

from art_training.checks.healthy import HEALTH
from art_training.records import Finding, Outcome, RunRecord, RunStatus, Severity, plain
from art_training.stores import Field, RunQuery, Store, Where
from art_training.stores.codec import time_text
from art_training.views.rulebook import rule_of

FindingState = Literal["open", "settled", "not judged"]
Settlement = Literal["", "gone", "ignored", "declared"]

_SEVERITIES = tuple(Severity)  # the worst first
_STATES: tuple[FindingState, ...] = ("open", "not judged", "settled")
_AT_ONCE = 20  # runs that are looked through for the one that settled a finding
_IGNORED = "step.ignore"
_DECLARED = "declarations."


@dataclass(frozen=True)
class Occurrence:
    """A finding as one run told it."""

    run: str
    started: datetime
    finding: Finding


@dataclass(frozen=True)
class FindingRow:
    """One finding over the runs of its step.

    What two runs found is one finding where the code and the place are the same; numbers in the place, such as lines and
    examples, do not count.

    Attributes:
        code: of the rule.
        category: of the fault.
        severity: as it was seen last.
        step: that found it.
        state: `open`: the newest run of the step that came to its end has it, or it was seen after that; `settled`: that run
            no longer has it; `not judged`: that run could not tell.
        settled: how, where it is.
        reason: the reason to ignore it, what was declared, or why it was not judged; else empty.
        settled_by: the first run since it was seen last that settles it so; empty where it is open.
        first_seen: when the first run that found it began.
        last_seen: when the last one began.
        runs: that found it, oldest first.
        newest: as they were told by the last of these runs: several where it was found at several such places.
    """

    code: str
    category: str
    severity: Severity
    step: str
    state: FindingState
    settled: Settlement
    reason: str
    settled_by: str
    first_seen: datetime
    last_seen: datetime
    runs: tuple[str, ...]
    newest: tuple[Finding, ...] = field(default=())

    @property
    def message(self) -> str:
        """What was found, with its numbers."""
        return self.newest[0].message

    @property
    def remedy(self) -> str:
        """What to change."""
        return self.newest[0].remedy

    @property
    def confirmed_by(self) -> str:
        """The experiment that confirmed the cause, or empty."""
        return self.newest[0].confirmed_by

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The numbers by name."""
        return self.newest[0].evidence


def findings_of(store: Store, project: str) -> tuple[FindingRow, ...]:
    """All findings of a project: open ones first, the worst and then the most recent first."""
    found = store.findings(project)
    about = store.values(list(found), [Field("run", "step"), Field("run", "started")])
    seen: dict[tuple[str, str, str], list[Occurrence]] = {}
    for run, findings in found.items():
        if run not in about:  # it was removed a moment ago
            continue
        step, started = str(about[run][0]), datetime.fromisoformat(str(about[run][1]))
        for one in findings:
            seen.setdefault((step, one.code, _place(one)), []).append(Occurrence(run, started, one))
    ended = {step: _Ended(store, project, step) for step in {step for step, _, _ in seen}}
    rows = [_row(occurrences, ended[step]) for (step, _, _), occurrences in seen.items()]
    rows.sort(key=lambda row: row.last_seen, reverse=True)
    rows.sort(key=lambda row: (_STATES.index(row.state), _SEVERITIES.index(row.severity)))
    return tuple(rows)


@dataclass(frozen=True)
class _Run:
    """A run that came to its end."""

    record: RunRecord
    outcome: Outcome | None


class _Ended:
    """The runs of a step that came to their end; each is read once."""

    def __init__(self, store: Store, project: str, step: str) -> None:
        self.store, self.step = store, step
        self._query = RunQuery(project=project, step=step, status=RunStatus.COMPLETED)
        self._read: dict[str, _Run] = {}

    @cached_property
    def newest(self) -> _Run | None:
        """None where none came to its end."""
        runs = self.store.runs(replace(self._query, limit=1))
        return self._of(runs[0].id) if runs else None

    def since(self, last: Occurrence) -> Iterator[_Run]:
        """Those that began after a run that found something, oldest first."""
        later = Where(Field("run", "started"), ">=", time_text(last.started))
        for begin in count(0, _AT_ONCE):
            query = replace(self._query, where=(later,), descending=False, limit=_AT_ONCE, offset=begin)
            runs = self.store.runs(query)
            found = (self._of(run.id) for run in runs if (run.started, run.id) > (last.started, last.run))
            yield from (run for run in found if run is not None)
            if len(runs) < _AT_ONCE:
                return

    def _of(self, run: str) -> _Run | None:
        """None of one that was removed a moment ago."""
        if run not in self._read and (record := self.store.run(run)) is not None:
            self._read[run] = _Run(record, self.store.outcome(run))
        return self._read.get(run)


def _row(occurrences: Sequence[Occurrence], ended: _Ended) -> FindingRow:
    last, newest = occurrences[-1], ended.newest
    is_later = newest is not None and (newest.record.started, newest.record.id) > (last.started, last.run)
    state, settled, reason = _settlement(ended.store, last, newest) if newest and is_later else ("open", "", "")
    by = ""
    if state == "settled":
        so = (run for run in ended.since(last) if _settlement(ended.store, last, run)[:2] == (state, settled))
        by = next((run.record.id for run in so), "")
    return FindingRow(
        code=last.finding.code,
        category=last.finding.category,
        severity=min((one.finding.severity for one in occurrences if one.run == last.run), key=_SEVERITIES.index),
        step=ended.step,
        state=state,
        settled=settled,
        reason=reason,
        settled_by=by,
        first_seen=occurrences[0].started,
        last_seen=last.started,
        runs=tuple(dict.fromkeys(one.run for one in occurrences)),
        newest=tuple(one.finding for one in occurrences if one.run == last.run),
    )


def _settlement(store: Store, last: Occurrence, later: _Run) -> tuple[FindingState, Settlement, str]:
    """What a later run that does not have a finding says of it."""
    record, code = later.record, last.finding.code
    ignored: Any = record.parameters.get(_IGNORED)
    if isinstance(ignored, Mapping) and code in ignored:
        return "settled", "ignored", str(cast("Mapping[str, Any]", ignored)[code])
    if why := _not_judged(later.outcome, code):
        return "not judged", "", why
    if declared := _declared_since(store, last.run, record, code):
        return "settled", "declared", declared
    return "settled", "gone", ""


def _not_judged(outcome: Outcome | None, code: str) -> str:
    """Why a step that looks by rules could not tell; empty where it did, or looks otherwise."""
    reading = outcome.reading(HEALTH) if outcome is not None else None
    if reading is None or not isinstance(reading.value, Mapping):
        return ""
    trainings = [one for one in cast("Mapping[str, Any]", reading.value).values() if isinstance(one, Mapping)]
    told = [cast("Mapping[str, Any]", one).get("not judged") for one in trainings]
    return next((str(one[code]) for one in told if isinstance(one, Mapping) and code in one), "")


def _declared_since(store: Store, before: str, record: RunRecord, code: str) -> str:
    """What was declared since a finding was seen, and settles it."""
    declared = {name: value for name, value in record.parameters.items() if name.startswith(_DECLARED)}
    earlier = store.run(before) if declared else None
    rule = rule_of(code) if earlier is not None else None
    if earlier is None or rule is None:
        return ""
    new = {name for name, value in declared.items() if plain(earlier.parameters.get(name)) != plain(value)}
    names = [name for name in rule.settles or () if _DECLARED + name in new]
    return ", ".join(f"{name}={declared[_DECLARED + name]!r}" for name in names)


def _place(finding: Finding) -> str:
    return re.sub(r"\d+", "#", finding.where)
