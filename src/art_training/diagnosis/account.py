"""A diagnosis, to be read."""

import textwrap

from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding

_WIDTH = 100
_SIGNS = {"error": "✗", "warning": "!", "info": "i"}


def account(diagnosis: Diagnosis) -> str:
    """Every finding with its evidence, cause first, and what could not be judged."""
    lines = [_headline(diagnosis)]
    for finding in diagnosis.findings:
        lines += ["", *_finding(finding, diagnosis.symptoms.get(finding.code, ()))]
    if diagnosis.broken:
        lines += ["", *textwrap.wrap(f"Not gone through: {diagnosis.broken}", _WIDTH, subsequent_indent="  ")]
    unjudged = [one for one in diagnosis.judged if one.state == "not judged"]
    if unjudged:
        lines += ["", "Not judged:"]
        reasons: dict[str, list[str]] = {}
        for one in unjudged:
            reasons.setdefault(one.reason, []).append(f"{one.code} {one.name}")
        for reason, names in reasons.items():
            told = f"{'; '.join(names)}: {reason}"
            lines += textwrap.wrap(told, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    for one in diagnosis.judged:
        if one.state == "ignored":
            lines += ["", f"Ignored: {one.code} {one.name}: {one.reason}"]
    return "\n".join(lines)


def _headline(diagnosis: Diagnosis) -> str:
    counts = [sum(one.state == state for one in diagnosis.judged) for state in ("passed", "finding", "not judged")]
    seconds = sum(diagnosis.stages.values())
    rules = f"{counts[0]} rules passed, {counts[1]} found something, {counts[2]} could not judge; {seconds:.1f} s"
    said = {"healthy": "healthy: nothing was found", "findings": "something is wrong", "inconclusive": "inconclusive"}
    return f"{diagnosis.subject}: {said[diagnosis.status]} ({rules})"


def _finding(finding: Finding, symptoms: tuple[Finding, ...]) -> list[str]:
    head = f"{_SIGNS[finding.severity.value]} {finding.code} {finding.severity.value}, {finding.category}: {finding.message}"
    lines = textwrap.wrap(head, _WIDTH, subsequent_indent="  ")
    for what, text in (("where", finding.where), ("confirmed", finding.confirmed_by), ("remedy", finding.remedy)):
        if text:
            lines += textwrap.wrap(f"{what}: {text}", _WIDTH, initial_indent="    ", subsequent_indent="      ")
    for one in symptoms:
        told = f"explains {one.code}: {one.message}"
        lines += textwrap.wrap(told, _WIDTH, initial_indent="    ", subsequent_indent="      ")
    return lines
