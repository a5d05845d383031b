"""What of a run is mirrored, in the form that trackers take: flat, plain, secrets masked."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, cast

from art_training.records import (
    Artifact,
    Finding,
    Judgement,
    Outcome,
    Plain,
    RunRecord,
    Score,
    Severity,
    StepState,
    Verdict,
    VerdictState,
    plain,
    show,
)
from art_training.records.plain import is_marked
from art_training.setup.identity.secrets import mask, mask_mapping
from art_training.trackers.tracker import Leaf, Table

STATE = "art.state"
_LONGEST_NOTE = 7500  # characters; MLflow takes 8,000


def flat(values: Mapping[str, Any]) -> dict[str, Leaf]:
    """Parameters without nesting, secrets masked: `{"data": {"rows": 3}}` is `{"data.rows": 3}`."""
    return dict(_leaves("", cast("Mapping[str, Plain]", mask_mapping(cast("dict[str, Any]", plain(values))))))


def _leaves(begin: str, values: Mapping[str, Plain]) -> Iterator[tuple[str, Leaf]]:
    for key, value in values.items():
        name = f"{begin}{key}"
        if isinstance(value, dict) and value and not is_marked(value):
            yield from _leaves(f"{name}.", value)
        elif value is None or isinstance(value, str | int | float | bool):
            yield name, value
        else:
            yield name, show(value)


def numbers_of(outcome: Outcome) -> dict[str, float]:
    """Scores by their addresses, and readings that are one number by their names."""
    readings = {
        reading.name: float(reading.value)
        for reading in outcome.readings
        if isinstance(reading.value, int | float) and not isinstance(reading.value, bool)
    }
    return readings | {name: float(score.value) for name, score in outcome.scores.items()}


def tags_of(run: RunRecord) -> dict[str, str]:
    """What a run is found by, from its beginning."""
    made = run.provenance
    return {
        "art.project": run.project,
        "art.step": run.step,
        "art.kind": run.kind,
        "art.run": run.id,
        "art.seed": str(run.seed),
        "art.fingerprint": run.fingerprint.digest,
        "art.commit": f"{made.git_commit}{', changed' if made.git_dirty else ''}",
        "art.data": made.data_digest,
        "art.host": made.host,
    }


def standing(state: StepState, outcome: Outcome | None, verdicts: Sequence[Verdict]) -> dict[str, str]:
    """How a run ended, in a few tags."""
    findings = outcome.findings if outcome else ()
    counted = {severity: sum(one.severity is severity for one in findings) for severity in Severity}
    passed = sum(verdict.state is VerdictState.PASSED for verdict in verdicts)
    return {
        STATE: state.value,
        "art.checks": f"{passed} of {len(verdicts)} passed" if verdicts else "none",
        "art.findings": ", ".join(f"{count} {severity}" for severity, count in counted.items() if count) or "none",
        "art.codes": " ".join(dict.fromkeys(one.code for one in findings)),
        "art.stopped": outcome.stopped if outcome else "",
    }


def verdicts_table(verdicts: Sequence[Verdict]) -> Table:
    """A row a check."""
    rows = tuple((one.check, one.state.value, mask(one.reason), _json(one.numbers)) for one in verdicts)
    return Table("verdicts", ("check", "state", "reason", "numbers"), rows)


def findings_table(findings: Sequence[Finding]) -> Table:
    """A row a finding, with all that it tells but its evidence as text."""
    names = tuple(field.name for field in fields(Finding))
    rows = tuple(
        tuple(_json(one.evidence) if name == "evidence" else mask(str(getattr(one, name))) for name in names)
        for one in findings
    )
    return Table("findings", names, rows)


def scores_table(outcome: Outcome) -> Table:
    """A row a score with its interval, those of candidates among them."""
    whose = [("", outcome.scores), *((one.name, one.scores) for one in outcome.candidates)]
    rows = tuple(_score(name, metric, score) for name, scores in whose for metric, score in scores.items())
    columns = ("candidate", "metric", "value", "low", "high", "level", "rows", "direction", "source", "note")
    return Table("scores", columns, rows)


def _score(candidate: str, metric: str, score: Score) -> tuple[Leaf, ...]:
    between = score.interval
    bounds = (between.low, between.high, between.level) if between else (None, None, None)
    return candidate, metric, score.value, *bounds, score.rows, score.direction, mask(score.source), mask(score.note)


def files_table(artifacts: Sequence[Artifact], sent: Sequence[str]) -> Table:
    """A row a file of the outcome, whether it was sent or not: the digest says where the store has it."""
    rows = tuple((one.name, one.kind, one.bytes, one.digest, one.name in sent, mask(one.note)) for one in artifacts)
    return Table("files", ("name", "kind", "bytes", "digest", "sent", "note"), rows)


def note_of(run: RunRecord, outcome: Outcome | None, judgement: Judgement | None) -> str:
    """What a person should read first, in Markdown: the state, why, what was found, and where the rest is."""
    verdicts = judgement.verdicts if judgement else ()
    findings = outcome.findings if outcome else ()
    lines = [f"**{run.step}: {run.state.value}**"]
    told = (outcome.summary or outcome.stopped) if outcome else ""
    lines += [told] if told else []
    lines += [run.error] if run.error else []
    if verdicts:
        rows = [f"| {one.state.value} | {_cell(one.check)} | {_cell(one.reason)} |" for one in verdicts]
        lines.append("\n".join(["| verdict | check | reason |", "|---|---|---|", *rows]))
    if findings:
        lines.append("\n".join(f"- {one.severity.value} {one.code}: {one.message} {one.remedy}" for one in findings))
    lines.append(f"`art show {run.id}`")
    text = mask("\n\n".join(lines))
    return text if len(text) <= _LONGEST_NOTE else f"{text[:_LONGEST_NOTE]} ..."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(finite(mask_mapping(values)), ensure_ascii=False)


def finite(value: object) -> Plain:
    """`value` as JSON knows it: NaN and the infinities become their names."""
    return _finite(plain(value))


def _finite(value: Plain) -> Plain:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
