"""What `art verify` found, as plain data that a team can keep beside a release; its form is `verification.schema.json`."""

import shlex
from typing import Any

from art_training.records import plain
from art_training.standards import Assessment, Met, RequirementAnswer, StepRecord, Waiver, WaiverAccount

SCHEMA_VERSION = 1
WORST_FIRST = (Met.NOT_MET, Met.NOT_JUDGED, Met.WAIVED, Met.MET, Met.NOT_COVERED)


def evidence_of(found: Assessment) -> dict[str, Any]:
    """The answer with all that it rests on."""
    record, standard = found.record, found.standard
    return {
        "kind": "art-training verification",
        "schema_version": SCHEMA_VERSION,
        "state": found.state.value,
        "at": record.at.isoformat(),
        "art_version": record.art_version,
        "project": record.project,
        "store": record.store,
        "freshness": {"planned": record.planned, "planned_at": plain(record.planned_at)},
        "subject": plain(record.subject) if record.subject else None,
        "standard": {
            "name": standard.name,
            "version": standard.version,
            "digest": standard.digest,
            "about": standard.about,
            "at_least": standard.at_least,
        },
        "score": found.score,
        "sections": dict(found.sections),
        "requirements": [_requirement(one) for one in found.answers],
        "waivers": [_waiver(one) for one in found.waivers],
        "steps": [_step(one) for one in record.steps],
        "next": advice(found),
    }


def worst_first(found: Assessment) -> tuple[RequirementAnswer, ...]:
    """The answers as a reader wants them: what decides and is not met, then what could not be judged, and so on."""
    return tuple(sorted(found.answers, key=lambda one: (WORST_FIRST.index(one.state), not one.decides)))


def headline(found: Assessment) -> str:
    """The answer in a sentence."""
    who, standard = found.record.project, found.standard.title
    asked = sum(one.decides for one in found.answers)
    wrong, waived = len(found.of(Met.NOT_MET)), len(found.of(Met.WAIVED))
    match found.state:
        case Met.MET:
            return f"{who} meets {standard}{f', {waived} of {asked} requirements waived' if waived else ''}."
        case Met.NOT_MET if not wrong:
            return f"{who} does not meet {standard}: its score is {found.score:g}, and {found.standard.at_least:g} is asked for."
        case Met.NOT_MET:
            told = f"{wrong} of {asked} requirements {'is' if wrong == 1 else 'are'} not met"
            return f"{who} does not meet {standard}: {told}{f', and {waived} waived' if waived else ''}."
        case _:
            return f"Whether {who} meets {standard} cannot be judged: {len(found.of(Met.NOT_JUDGED))} of {asked} requirements."


def advice(found: Assessment) -> str:
    """What to do now, in a sentence."""
    wrong = found.of(Met.NOT_MET, Met.NOT_JUDGED)
    if found.state is Met.MET and found.record.subject is None:
        return "Next: verify the very file that is to be released: `art verify FILE`; `art export STEP` writes those of a step."
    if found.state is Met.MET:
        return "Next: keep the evidence beside what is released: `art verify --format json -o evidence.json`."
    if not wrong:
        return "Next: see which tests of the smallest section have no points, and what would support them."
    first = wrong[0]
    if found.record.subject and found.record.subject.refused:
        return "Next: verify what the project delivers; `art export STEP` writes the files of a step, and `art show STEP` lists them."
    if first.requirement.startswith("Fresh"):
        if first.state is Met.NOT_JUDGED:
            return "Next: verify where the project's file is and imports, or with --record-only and a standard."
        return "Next: type `art run`, which runs again what is outdated, then verify again."
    part = next((part for one in wrong for part in one.parts if part.waiver is None), None)
    if part is not None:
        step = part.key.partition(": ")[0]
        return f"Next: see the evidence with `art show {shlex.quote(step)}` and mend it, or waive `{part.key}` by name, reason and dates."
    return f"Next: mend {first.requirement}, or waive it by name, reason and dates."


def _requirement(one: RequirementAnswer) -> dict[str, Any]:
    return {
        "requirement": one.requirement,
        "state": one.state.value,
        "decides": one.decides,
        "reason": one.reason,
        "numbers": plain(one.numbers),
        "parts": [{"part": part.key, "reason": part.reason, "waived": part.waiver is not None} for part in one.parts],
        "waivers": [waiver.requirement for waiver in one.waivers],
        "section": one.section,
        "points": one.points,
        "worth": one.worth,
        "configuration": plain(one.configuration),
    }


def _waiver(one: WaiverAccount) -> dict[str, Any]:
    return {**_granted(one.waiver), "state": one.state.value, "told": one.told}


def _granted(waiver: Waiver) -> dict[str, Any]:
    return {
        "requirement": waiver.requirement,
        "by": waiver.by,
        "reason": waiver.reason,
        "granted": waiver.first_day.isoformat(),
        "until": waiver.last_day.isoformat(),
        "source": waiver.source or "project",
    }


def _step(one: StepRecord) -> dict[str, Any]:
    run, outcome = one.run, one.outcome
    made = run.provenance if run else None
    return {
        "step": one.step,
        "kind": one.kind,
        "state": one.state.value,
        "run": run.id if run else None,
        "started": run.started.isoformat() if run else None,
        "seed": run.seed if run else None,
        "fingerprint": run.fingerprint.digest if run else None,
        "outcome": outcome.digest if outcome else None,
        "data": made.data_digest if made else "",
        "commit": made.git_commit if made else "",
        "dirty": made.git_dirty if made else False,
        "stale": one.stale,
        "unknown": list(one.unknown),
        "checks": [
            {"check": check.check, "state": check.state.value, "reason": check.reason}
            for check in (one.judgement.verdicts if one.judgement else ())
        ],
        "artifacts": [
            {"name": file.name, "kind": file.kind, "digest": file.digest, "bytes": file.bytes}
            for file in (outcome.artifacts if outcome else ())
        ],
    }
