"""A diagnosis for other programs and for a browser, by the name of the format."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from art_training.diagnosis.account import account, explained
from art_training.diagnosis.junit import as_junit
from art_training.diagnosis.page import as_html
from art_training.diagnosis.plainly import finite
from art_training.diagnosis.result import Diagnosis
from art_training.diagnosis.sarif import as_sarif
from art_training.records import Finding, plain


def as_json(diagnosis: Diagnosis) -> str:
    """Everything that was found, as one object."""
    told = {
        "subject": diagnosis.subject,
        "status": diagnosis.status,
        "inconclusive": diagnosis.inconclusive,
        "findings": [
            {**_plain(one), "symptoms": [_plain(each) for each in symptoms]} for one, symptoms in explained(diagnosis)
        ],
        "rules": [
            {"code": one.code, "name": one.name, "state": one.state, "reason": one.reason} for one in diagnosis.judged
        ],
        "seconds": dict(diagnosis.stages),
        "broken": diagnosis.broken,
        "place": diagnosis.place,
    }
    return json.dumps(finite(plain(told)), indent=2, ensure_ascii=False)


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
        "stage": finding.stage,
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "where": finding.where,
        "remedy": finding.remedy,
        "confirmed_by": finding.confirmed_by,
    }
