"""A diagnosis for other programs and for a browser: JSON, SARIF, JUnit and HTML."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from xml.etree import ElementTree as ET

from art_training import __version__
from art_training.diagnosis.account import account, unjudged
from art_training.diagnosis.page import as_html
from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding, Severity, plain
from art_training.rules import rules

_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def as_json(diagnosis: Diagnosis) -> str:
    """Everything that was found, as one object."""
    told = {
        "subject": diagnosis.subject,
        "status": diagnosis.status,
        "inconclusive": diagnosis.inconclusive,
        "findings": [
            {**_plain(one), "symptoms": [_plain(each) for each in diagnosis.symptoms.get(one.code, ())]}
            for one in diagnosis.findings
        ],
        "rules": [
            {"code": one.code, "name": one.name, "state": one.state, "reason": one.reason} for one in diagnosis.judged
        ],
        "seconds": dict(diagnosis.stages),
        "broken": diagnosis.broken,
    }
    return json.dumps(_finite(plain(told)), indent=2, ensure_ascii=False)


def as_sarif(diagnosis: Diagnosis) -> str:
    """SARIF 2.1.0, as code hosts show it beside the lines."""
    results = [
        {
            "ruleId": one.code,
            "level": _LEVELS[one.severity.value],
            "message": {"text": " ".join(filter(None, (one.message, f"Remedy: {one.remedy}." if one.remedy else "")))},
            "locations": [_location(one.where)],
            "properties": {
                "category": one.category,
                "confirmed by": one.confirmed_by,
                "evidence": _finite(plain(one.evidence)),
            },
        }
        for one in diagnosis.findings
    ]
    described = [
        {
            "id": one.code,
            "name": one.name,
            "shortDescription": {"text": one.name},
            "fullDescription": {"text": one.finds},
            "help": {"text": f"{one.why}\n\nWrong:\n{one.wrong}\n\nRight:\n{one.right}\n\nSource: {one.source}"},
            "defaultConfiguration": {"level": _LEVELS[one.severity.value]},
            "properties": {"tags": [one.category]},
        }
        for one in rules()
    ]
    driver = {"name": "art", "version": __version__, "rules": described}
    run = {
        "tool": {"driver": driver},
        "results": results,
        "invocations": [_invocation(diagnosis)],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _invocation(diagnosis: Diagnosis) -> dict[str, Any]:
    told = [f"{', '.join(codes)} could not judge: {reason}" for reason, codes in unjudged(diagnosis).items()]
    notes = [{"level": "note", "message": {"text": one}} for one in told]
    broken = [{"level": "error", "message": {"text": diagnosis.broken}}] if diagnosis.broken else []
    return {"executionSuccessful": not diagnosis.broken, "toolExecutionNotifications": [*broken, *notes]}


def as_junit(diagnosis: Diagnosis) -> str:
    """JUnit's XML: a test case a rule, as CI services show it."""
    skipped = sum(one.state in {"not judged", "ignored"} for one in diagnosis.judged)
    found = {one.code: one for one in (*diagnosis.findings, *(s for many in diagnosis.symptoms.values() for s in many))}
    failing = [code for code, one in found.items() if one.severity is not Severity.INFO]
    suite = ET.Element(
        "testsuite",
        name=f"art diagnose {diagnosis.subject}",
        tests=str(len(diagnosis.judged) + bool(diagnosis.broken)),
        failures=str(len(failing)),
        errors=str(int(bool(diagnosis.broken))),
        skipped=str(skipped),
        time=f"{sum(diagnosis.stages.values()):.3f}",
    )
    for one in diagnosis.judged:
        case = ET.SubElement(suite, "testcase", classname=f"art.{one.code[:4]}xx", name=f"{one.code} {one.name}")
        if one.state == "finding":
            finding = found[one.code]
            told = "\n".join(filter(None, (finding.where, finding.confirmed_by, finding.remedy)))
            if one.code in failing:
                failure = ET.SubElement(case, "failure", message=finding.message, type=finding.severity.value)
                failure.text = told
            else:
                ET.SubElement(case, "system-out").text = f"{finding.message}\n{told}"
        elif one.state != "passed":
            ET.SubElement(case, "skipped", message=one.reason or one.state)
    if diagnosis.broken:
        case = ET.SubElement(suite, "testcase", classname="art.stages", name="the setup can be gone through")
        ET.SubElement(case, "error", message=diagnosis.broken)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


FORMATS: Mapping[str, Callable[[Diagnosis], str]] = {
    "text": account,
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
    "html": as_html,
}


def _plain(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.code,
        "category": finding.category,
        "severity": finding.severity.value,
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "where": finding.where,
        "remedy": finding.remedy,
        "confirmed_by": finding.confirmed_by,
    }


def _location(where: str) -> dict[str, Any]:
    path, _, line = where.rpartition(":")
    if path and line.isdigit():
        place = {"artifactLocation": {"uri": _uri(Path(path))}, "region": {"startLine": int(line)}}
        return {"physicalLocation": place}
    return {"logicalLocations": [{"name": where or "setup"}]}


def _uri(path: Path) -> str:
    """Relative to the working directory where it lies in it, as code hosts want it."""
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they are text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in cast("dict[str, Any]", value).items()}
    return [_finite(one) for one in cast("list[Any]", value)] if isinstance(value, list) else value
