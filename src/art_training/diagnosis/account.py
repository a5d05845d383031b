"""A diagnosis, to be read: lines whose parts say what they are, so that whoever shows them may colour them."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding, Severity

WIDTH = 100
_SIGNS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.INFO: "i"}
_SAID = {"healthy": "healthy: nothing was found", "findings": "something is wrong", "inconclusive": "inconclusive"}
_MARGIN = 12  # columns that the names of a finding's parts take
_NUMBERS = 6  # of the evidence; JSON has all


@dataclass(frozen=True)
class Part:
    """A piece of a line.

    Attributes:
        text: as it is read.
        kind: `healthy`, `findings`, `inconclusive`, `error`, `warning`, `info`, `name`, `label`, or empty.
    """

    text: str
    kind: str = ""


Line = tuple[Part, ...]


def account(diagnosis: Diagnosis, width: int = WIDTH) -> str:
    """Every finding with its evidence, cause first, and what could not be judged."""
    return "\n".join("".join(part.text for part in line).rstrip() for line in lines(diagnosis, width))


def lines(diagnosis: Diagnosis, width: int = WIDTH) -> Iterator[Line]:
    """The account, line by line, in at most so many columns."""
    yield Part(f"{diagnosis.subject}: ", "name"), Part(_SAID[diagnosis.status], diagnosis.status)
    yield from _wrapped(counts(diagnosis), width, "label")
    names = {one.code: one.name for one in diagnosis.judged}
    for finding, symptoms in explained(diagnosis):
        yield ()
        yield from _finding(finding, names, symptoms, width)
    if diagnosis.inconclusive:
        yield ()
        yield from _labelled("inconclusive", diagnosis.inconclusive, width, indent="", kind="inconclusive")
    yield from _unjudged(diagnosis, width)
    yield from _ignored(diagnosis, width)


def counts(diagnosis: Diagnosis) -> str:
    """How many findings of which severity, how many rules ended how, and how long it took.

    A symptom is no finding of its own here, as in the account.
    """
    found = [
        _count(sum(one.severity is kind for one in diagnosis.findings), kind.value)
        for kind in Severity
        if any(one.severity is kind for one in diagnosis.findings)
    ]
    states = [one.state for one in diagnosis.judged]
    ended = [
        f"{states.count(state)} {said}"
        for state, said in (
            ("not judged", "could not judge"),
            ("not applicable", "not applicable"),
            ("ignored", "ignored"),
        )
        if state in states
    ]
    passed = f"{_count(states.count('passed'), 'rule')} passed"
    return ", ".join((*found, passed, *ended, f"{sum(diagnosis.stages.values()):.1f} s"))


def explained(diagnosis: Diagnosis) -> Iterator[tuple[Finding, tuple[Finding, ...]]]:
    """Each finding with what it explains; of several of one rule the first does."""
    told: set[str] = set()
    for one in diagnosis.findings:
        yield one, () if one.code in told else diagnosis.symptoms.get(one.code, ())
        told.add(one.code)


def near(where: str) -> str:
    """A place as one would type it here: relative to the working directory where it lies in it."""
    path, colon, line = where.rpartition(":")
    if not colon or not line.isdigit() or not Path(path).is_absolute() or not Path(path).is_relative_to(Path.cwd()):
        return where
    return f"{Path(path).relative_to(Path.cwd())}:{line}"


def evidence(finding: Finding) -> str:
    """Its first numbers, in words."""
    plain = {name: value for name, value in finding.evidence.items() if isinstance(value, int | float | str)}
    few = list(plain.items())[:_NUMBERS]
    return ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in few)


def unjudged(diagnosis: Diagnosis) -> Mapping[str, list[str]]:
    """Codes of the rules that could not judge, by the reason."""
    found: dict[str, list[str]] = {}
    for one in diagnosis.judged:
        if one.state == "not judged":
            found.setdefault(one.reason, []).append(one.code)
    return found


def _finding(finding: Finding, names: Mapping[str, str], symptoms: Iterable[Finding], width: int) -> Iterator[Line]:
    kind = finding.severity.value
    sign, name = f"{_SIGNS[finding.severity]} {finding.code} ", names.get(finding.code, finding.category)
    beside = f"  {kind}, {finding.category}"
    if len(sign + name + beside) <= width:
        yield Part(sign, kind), Part(name, "name"), Part(beside, kind)
    else:
        for number, text in enumerate(_folded(name, width - len(sign))):
            yield (Part(sign, kind) if not number else Part(" " * len(sign))), Part(text, "name")
        yield (Part(beside, kind),)
    yield from _wrapped(finding.message, width, indent="  ")
    told = (
        ("where", near(finding.where)), ("evidence", evidence(finding)), ("confirmed", finding.confirmed_by), ("remedy", finding.remedy)
    )  # fmt: skip
    for what, text in told:
        if text:
            yield from _labelled(what, text, width)
    for one in symptoms:
        yield from _labelled("explains", f"{one.code}: {one.message}", width)


def _unjudged(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    reasons = unjudged(diagnosis)
    if not reasons:
        return
    yield ()
    yield (Part("Not judged", "name"),)
    for reason, codes in reasons.items():
        which = f"all {len(codes)} rules" if len(codes) == len(diagnosis.judged) else ", ".join(codes)
        yield from _wrapped(f"{which}: {reason}", width, indent="  ", hanging="    ")


def _ignored(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    """What was left out, by the reason; a rule that is alone with its reason with its name."""
    found: dict[str, list[str]] = {}
    for one in diagnosis.judged:
        if one.state == "ignored":
            found.setdefault(one.reason, []).append(f"{one.code} {one.name}")
    if found:
        yield ()
    for reason, rules in found.items():
        which = rules[0] if len(rules) == 1 else ", ".join(one.partition(" ")[0] for one in rules)
        yield from _labelled("ignored", f"{which}: {reason or 'no reason is given'}", width, indent="")


def _labelled(what: str, text: str, width: int, indent: str = "  ", kind: str = "label") -> Iterator[Line]:
    margin = max(_MARGIN, len(indent + what) + 1)
    for number, line in enumerate(_folded(text, width - margin)):
        yield Part((indent + what if not number else "").ljust(margin), kind), Part(line)


def _wrapped(text: str, width: int, kind: str = "", indent: str = "", hanging: str | None = None) -> Iterator[Line]:
    wrapped = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_on_hyphens=False,
    )
    for line in wrapped:
        yield (Part(line, kind),)


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), break_on_hyphens=False)


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 or what == "info" else f"{count} {what}s"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return str(cast("object", value))
