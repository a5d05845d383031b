"""All findings of a project over time: since when, until when, and how each was settled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from art_training.checks.healthy import HEALTH
from art_training.records import Finding, Outcome, RunRecord, RunStatus, Severity, plain
from art_training.stores import Field, RunQuery, Store
from art_training.views.rulebook import rule_of

FindingState = Literal["open", "settled", "not judged"]
Settlement = Literal["", "gone", "ignored", "declared"]

_SEVERITIES = tuple(Severity)  # the worst first
_STATES: tuple[FindingState, ...] = ("open", "not judged", "settled")
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
        settled_by: the run that no longer has it; empty where it is open.
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
    newest = {step: _Newest.of(store, project, step) for step in {step for step, _, _ in seen}}
    rows = [_row(store, step, occurrences, newest[step]) for (step, _, _), occurrences in seen.items()]
    rows.sort(key=lambda row: row.last_seen, reverse=True)
    rows.sort(key=lambda row: (_STATES.index(row.state), _SEVERITIES.index(row.severity)))
    return tuple(rows)


@dataclass(frozen=True)
class _Newest:
    """The newest run of a step that came to its end; None where none did."""

    record: RunRecord | None
    outcome: Outcome | None

    @classmethod
    def of(cls, store: Store, project: str, step: str) -> "_Newest":
        ended = store.runs(RunQuery(project=project, step=step, status=RunStatus.COMPLETED, limit=1))
        return cls(store.run(ended[0].id), store.outcome(ended[0].id)) if ended else cls(None, None)


def _row(store: Store, step: str, occurrences: Sequence[Occurrence], newest: _Newest) -> FindingRow:
    last = occurrences[-1]
    state, settled, reason = _settlement(store, last, newest)
    return FindingRow(
        code=last.finding.code,
        category=last.finding.category,
        severity=min((one.finding.severity for one in occurrences if one.run == last.run), key=_SEVERITIES.index),
        step=step,
        state=state,
        settled=settled,
        reason=reason,
        settled_by=newest.record.id if newest.record is not None and state == "settled" else "",
        first_seen=occurrences[0].started,
        last_seen=last.started,
        runs=tuple(dict.fromkeys(one.run for one in occurrences)),
        newest=tuple(one.finding for one in occurrences if one.run == last.run),
    )


def _settlement(store: Store, last: Occurrence, newest: _Newest) -> tuple[FindingState, Settlement, str]:
    record, code = newest.record, last.finding.code
    if record is None or (last.started, last.run) >= (record.started, record.id):
        return "open", "", ""
    ignored: Any = record.parameters.get(_IGNORED)
    if isinstance(ignored, Mapping) and code in ignored:
        return "settled", "ignored", str(cast("Mapping[str, Any]", ignored)[code])
    if why := _not_judged(newest.outcome, code):
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
