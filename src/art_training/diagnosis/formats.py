"""A diagnosis for other programs: JSON, SARIF and JUnit."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from art_training import __version__
from art_training.diagnosis.account import account
from art_training.diagnosis.result import Diagnosis
from art_training.records import Finding
from art_training.rules import rules

_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def as_json(diagnosis: Diagnosis) -> str:
    """Everything that was found, as one object."""
    told = {
        "subject": diagnosis.subject,
        "status": diagnosis.status,
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
    return json.dumps(told, indent=2, default=str)


def as_sarif(diagnosis: Diagnosis) -> str:
    """SARIF 2.1.0, as code hosts show it beside the lines."""
    results = [
        {
            "ruleId": one.code,
            "level": _LEVELS[one.severity.value],
            "message": {"text": " ".join(filter(None, (one.message, f"Remedy: {one.remedy}." if one.remedy else "")))},
            "locations": [_location(one.where)],
            "properties": {"category": one.category, "confirmed by": one.confirmed_by},
        }
        for one in diagnosis.findings
    ]
    described = [
        {
            "id": one.code,
            "name": one.name,
            "shortDescription": {"text": one.name},
            "fullDescription": {"text": one.finds},
            "help": {"text": one.why},
        }
        for one in rules()
    ]
    driver = {"name": "art", "version": __version__, "rules": described}
    run = {
        "tool": {"driver": driver},
        "results": results,
        "invocations": [{"executionSuccessful": not diagnosis.broken}],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2)


def as_junit(diagnosis: Diagnosis) -> str:
    """JUnit's XML: a test case a rule, as CI services show it."""
    counts = {
        state: sum(one.state == state for one in diagnosis.judged) for state in ("finding", "not judged", "ignored")
    }
    suite = ET.Element(
        "testsuite",
        name=f"art diagnose {diagnosis.subject}",
        tests=str(len(diagnosis.judged)),
        failures=str(counts["finding"]),
        errors="0",
        skipped=str(counts["not judged"] + counts["ignored"]),
        time=f"{sum(diagnosis.stages.values()):.3f}",
    )
    found = {one.code: one for one in (*diagnosis.findings, *(s for many in diagnosis.symptoms.values() for s in many))}
    for one in diagnosis.judged:
        case = ET.SubElement(suite, "testcase", classname="art.rules", name=f"{one.code} {one.name}")
        if one.state == "finding":
            finding = found[one.code]
            failure = ET.SubElement(case, "failure", message=finding.message, type=finding.severity.value)
            failure.text = "\n".join(filter(None, (finding.where, finding.confirmed_by, finding.remedy)))
        elif one.state != "passed":
            ET.SubElement(case, "skipped", message=one.reason or one.state)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


FORMATS: Mapping[str, Callable[[Diagnosis], str]] = {
    "text": account,
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
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
        place = {"artifactLocation": {"uri": Path(path).as_posix()}, "region": {"startLine": int(line)}}
        return {"physicalLocation": place}
    return {"logicalLocations": [{"name": where or "setup"}]}
